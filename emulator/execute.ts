/**
 * The interpreter's hot switch: the forms that make up most of what runs, each in a line or two. Everything else goes
 * through `op.run`. The case numbers are literals because only literals become a jump table; hot-codes.ts names them
 * and a test compares.
 */

import { add64, logicFlags64, step, sub64 } from './cpu/alu';
import type { Cpu } from './cpu/cpu';
import { condition } from './cpu/flags';
import { effectiveAddress } from './cpu/operands';
import { fail, jump } from './cpu/outcome';
import { FAULT, JUMPED, type MicroOp, NEXT, type Outcome } from './micro-op';
import { EA, RIP, V, VEC_GP } from './registers';
import { isCanonical } from './words';

export function execute(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const d = op.d;
  const s = op.s;
  switch (op.code) {
    case 1: // MOV_RR64
      r[d] = r[s];
      r[d + 1] = r[s + 1];
      break;
    case 2: // MOV_RM64
      effectiveAddress(r, op);
      if (!cpu.load64(r[EA], r[EA + 1], d)) return FAULT;
      break;
    case 3: // MOV_MR64
      effectiveAddress(r, op);
      if (!cpu.store64(r[EA], r[EA + 1], r[s], r[s + 1])) return FAULT;
      break;
    case 4: // MOV_RI
      r[d] = op.immLo;
      r[d + 1] = op.immHi;
      break;
    case 5: // MOV_RR32
      r[d] = r[s];
      r[d + 1] = 0;
      break;
    case 6: // MOV_RM32
      effectiveAddress(r, op);
      if (!cpu.load32(r[EA], r[EA + 1], d)) return FAULT;
      break;
    case 7: // MOV_MR32
      effectiveAddress(r, op);
      if (!cpu.store32(r[EA], r[EA + 1], r[s])) return FAULT;
      break;
    case 8: // LEA64
      effectiveAddress(r, op);
      r[d] = r[EA];
      r[d + 1] = r[EA + 1];
      break;
    case 9: // PUSH_R
      if (!cpu.push64(r[s], r[s + 1])) return FAULT;
      break;
    case 10: // POP_R
      if (!cpu.peek64(d)) return FAULT;
      cpu.moveRsp(8);
      break;
    case 11: // PUSH_I
      if (!cpu.push64(op.immLo, op.immHi)) return FAULT;
      break;
    case 12: // CALL
      if (!cpu.push64(op.nextLo, op.nextHi)) return FAULT;
      r[RIP] = op.immLo;
      r[RIP + 1] = op.immHi;
      return JUMPED;
    case 13: // RET
      return ret(cpu);
    case 14: // JMP
      r[RIP] = op.immLo;
      r[RIP + 1] = op.immHi;
      return JUMPED;
    case 15: // JCC
      if (!condition(r, op.sub)) break;
      r[RIP] = op.immLo;
      r[RIP + 1] = op.immHi;
      return JUMPED;
    case 16: // ADD_RR64
      add64(r, d, r[d], r[d + 1], r[s], r[s + 1], 0);
      break;
    case 17: // ADD_RI64
      add64(r, d, r[d], r[d + 1], op.immLo, op.immHi, 0);
      break;
    case 18: // SUB_RR64
      sub64(r, d, r[d], r[d + 1], r[s], r[s + 1], 0);
      break;
    case 19: // SUB_RI64
      sub64(r, d, r[d], r[d + 1], op.immLo, op.immHi, 0);
      break;
    case 20: // AND_RR64
      r[d] &= r[s];
      r[d + 1] &= r[s + 1];
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 21: // AND_RI64
      r[d] &= op.immLo;
      r[d + 1] &= op.immHi;
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 22: // OR_RR64
      r[d] |= r[s];
      r[d + 1] |= r[s + 1];
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 23: // OR_RI64
      r[d] |= op.immLo;
      r[d + 1] |= op.immHi;
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 24: // XOR_RR64
      r[d] ^= r[s];
      r[d + 1] ^= r[s + 1];
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 25: // XOR_RI64
      r[d] ^= op.immLo;
      r[d + 1] ^= op.immHi;
      logicFlags64(r, r[d], r[d + 1]);
      break;
    case 26: // CMP_RR64
      sub64(r, V, r[d], r[d + 1], r[s], r[s + 1], 0);
      break;
    case 27: // CMP_RI64
      sub64(r, V, r[d], r[d + 1], op.immLo, op.immHi, 0);
      break;
    case 28: // TEST_RR64
      logicFlags64(r, r[d] & r[s], r[d + 1] & r[s + 1]);
      break;
    case 29: // TEST_RI64
      logicFlags64(r, r[d] & op.immLo, r[d + 1] & op.immHi);
      break;
    case 30: // NOP
      break;
    case 31: // INC_R64
      step(r, 8, r[d], r[d + 1], true);
      r[d] = r[V];
      r[d + 1] = r[V + 1];
      break;
    case 32: // DEC_R64
      step(r, 8, r[d], r[d + 1], false);
      r[d] = r[V];
      r[d + 1] = r[V + 1];
      break;
    case 33: // XOR_RR32
      r[d] ^= r[s];
      r[d + 1] = 0;
      logicFlags64(r, r[d], r[d]);
      break;
    case 34: // TEST_RR32
      logicFlags64(r, r[d] & r[s], r[d] & r[s]);
      break;
    case 35: // PUSH_M
      effectiveAddress(r, op);
      if (!cpu.load64(r[EA], r[EA + 1]) || !cpu.push64(r[V], r[V + 1])) return FAULT;
      break;
    case 36: // MOV_MI64
      effectiveAddress(r, op);
      if (!cpu.store64(r[EA], r[EA + 1], op.immLo, op.immHi)) return FAULT;
      break;
    case 37: // CMP_MR64
      effectiveAddress(r, op);
      if (!cpu.load64(r[EA], r[EA + 1])) return FAULT;
      sub64(r, V, r[V], r[V + 1], r[s], r[s + 1], 0);
      break;
    case 38: // CMP_MI64
      effectiveAddress(r, op);
      if (!cpu.load64(r[EA], r[EA + 1])) return FAULT;
      sub64(r, V, r[V], r[V + 1], op.immLo, op.immHi, 0);
      break;
    default: {
      const outcome = op.run(cpu, op);
      if (outcome !== NEXT) return outcome;
      break;
    }
  }
  r[RIP] = op.nextLo;
  r[RIP + 1] = op.nextHi;
  return NEXT;
}

/** A return to a non-canonical address faults in the RET, with rsp unmoved (SDM vol. 2, RET). */
function ret(cpu: Cpu): Outcome {
  if (!cpu.peek64()) return FAULT;
  const r = cpu.r;
  if (!isCanonical(r[V], r[V + 1])) return fail(cpu, VEC_GP, 0);
  cpu.moveRsp(8);
  return jump(cpu, r[V], r[V + 1]);
}
