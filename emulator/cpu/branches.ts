/**
 * Control transfers outside the hot switch (SDM vol. 1, 5.1.7): indirect JMP and CALL, RET that releases bytes, LOOP,
 * JRCXZ. A target in a register or in memory has to be canonical before anything changes.
 */
import { FAULT, type MicroOp, NEXT, type Outcome, REG } from '../micro-op';
import { A, EA, F_HI, F_LO, RCX, V, VEC_GP } from '../registers';
import { differenceHigh, isCanonical } from '../words';
import type { Cpu } from './cpu';
import { effectiveAddress } from './operands';
import { fail, jump } from './outcome';

/** The target into A. */
function loadTarget(cpu: Cpu, op: MicroOp): boolean {
  const r = cpu.r;
  if (op.sKind === REG) {
    r[A] = r[op.s];
    r[A + 1] = r[op.s + 1];
  } else {
    effectiveAddress(r, op);
    if (!cpu.load64(r[EA], r[EA + 1])) return false;
    r[A] = r[V];
    r[A + 1] = r[V + 1];
  }
  return isCanonical(r[A], r[A + 1]) || cpu.raise(VEC_GP, 0);
}

export function jmpIndirect(cpu: Cpu, op: MicroOp): Outcome {
  if (!loadTarget(cpu, op)) return FAULT;
  return jump(cpu, cpu.r[A], cpu.r[A + 1]);
}

export function callIndirect(cpu: Cpu, op: MicroOp): Outcome {
  if (!loadTarget(cpu, op) || !cpu.push64(op.nextLo, op.nextHi)) return FAULT;
  return jump(cpu, cpu.r[A], cpu.r[A + 1]);
}

/** `op.immLo` is how many bytes above the return address are released. */
export function retImmediate(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!cpu.peek64()) return FAULT;
  if (!isCanonical(r[V], r[V + 1])) return fail(cpu, VEC_GP, 0);
  cpu.moveRsp(8 + op.immLo);
  return jump(cpu, r[V], r[V + 1]);
}

/** `op.sub` 0: LOOP, 1: LOOPE, 2: LOOPNE. */
export function loop(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  r[RCX + 1] = differenceHigh(r[RCX + 1], r[RCX], 1);
  r[RCX] = (r[RCX] - 1) | 0;
  const zero = (r[F_LO] | r[F_HI]) === 0;
  const wanted = op.sub === 0 || zero === (op.sub === 1);
  return wanted && (r[RCX] | r[RCX + 1]) !== 0 ? jump(cpu, op.immLo, op.immHi) : NEXT;
}

/** `op.sub` 0: JRCXZ, 1: JECXZ. */
export function jumpIfRcxZero(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  return (r[RCX] | (op.sub === 0 ? r[RCX + 1] : 0)) === 0 ? jump(cpu, op.immLo, op.immHi) : NEXT;
}
