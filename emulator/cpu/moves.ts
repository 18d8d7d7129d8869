/**
 * Data movement: MOV of every width, MOVZX, MOVSX, XCHG, CMOVcc, SETcc, BSWAP, sign extensions, and the stack forms
 * outside the hot switch.
 */
import { FAULT, MEM, type MicroOp, NEXT, type Outcome, REG } from '../micro-op';
import { B, EA, RAX, RBP, RDX, RSP, V } from '../registers';
import type { Cpu } from './cpu';
import { condition } from './flags';
import { effectiveAddress, loadSource, readRegister, storeDestination, writeRegister } from './operands';

export function mov(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  if (op.dKind === MEM) effectiveAddress(r, op);
  return storeDestination(cpu, op, r[B], r[B + 1]) ? NEXT : FAULT;
}

/** MOVSX and MOVSXD: the source is `sSize` wide. MOVZX is `mov`, whose source is zero-extended already. */
export function movsx(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  const shift = 32 - (op.sSize << 3);
  const lo = (r[B] << shift) >> shift;
  writeRegister(r, op.d, 0, op.size, lo, lo >> 31);
  return NEXT;
}

export function xchg(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const aLo = readRegister(r, op.s, op.sShift, op.size);
  const aHi = r[op.s + 1];
  if (op.dKind === REG) {
    const bLo = readRegister(r, op.d, op.dShift, op.size);
    const bHi = r[op.d + 1];
    writeRegister(r, op.s, op.sShift, op.size, bLo, bHi);
    writeRegister(r, op.d, op.dShift, op.size, aLo, aHi);
    return NEXT;
  }
  effectiveAddress(r, op);
  if (!cpu.prepareWrite(r[EA], r[EA + 1], op.size) || !cpu.load(r[EA], r[EA + 1], op.size)) return FAULT;
  const oldLo = r[V];
  const oldHi = r[V + 1];
  if (!cpu.store(r[EA], r[EA + 1], op.size, aLo, aHi)) return FAULT;
  writeRegister(r, op.s, op.sShift, op.size, oldLo, oldHi);
  return NEXT;
}

/** The source is read even when the condition is false, and a 32-bit destination is zero-extended even then. */
export function cmov(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  if (condition(r, op.sub)) writeRegister(r, op.d, 0, op.size, r[B], r[B + 1]);
  else if (op.size === 4) r[op.d + 1] = 0;
  return NEXT;
}

export function setcc(cpu: Cpu, op: MicroOp): Outcome {
  if (op.dKind === MEM) effectiveAddress(cpu.r, op);
  return storeDestination(cpu, op, condition(cpu.r, op.sub) ? 1 : 0, 0) ? NEXT : FAULT;
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

export function bswap(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const lo = swapBytes(r[op.d]);
  if (op.size === 4) writeRegister(r, op.d, 0, 4, lo, 0);
  else writeRegister(r, op.d, 0, 8, swapBytes(r[op.d + 1]), lo);
  return NEXT;
}

/** CBW, CWDE, CDQE: `size` is the result's. */
export function extendAccumulator(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const value = op.size === 8 ? r[RAX] : op.size === 4 ? (r[RAX] << 16) >> 16 : (r[RAX] << 24) >> 24;
  writeRegister(r, RAX, 0, op.size, value, value >> 31);
  return NEXT;
}

/** CWD, CDQ, CQO: rdx becomes copies of rax's sign. */
export function extendIntoRdx(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const sign = op.size === 8 ? r[RAX + 1] >> 31 : op.size === 4 ? r[RAX] >> 31 : (r[RAX] << 16) >> 31;
  writeRegister(r, RDX, 0, op.size, sign, sign);
  return NEXT;
}

/** LEA with a 16- or 32-bit destination. */
export function lea(cpu: Cpu, op: MicroOp): Outcome {
  effectiveAddress(cpu.r, op);
  writeRegister(cpu.r, op.d, 0, op.size, cpu.r[EA], cpu.r[EA + 1]);
  return NEXT;
}

export function pushMemory(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  effectiveAddress(r, op);
  return cpu.load64(r[EA], r[EA + 1]) && cpu.push64(r[V], r[V + 1]) ? NEXT : FAULT;
}

/** PUSH FS, PUSH GS. */
export function pushSegment(cpu: Cpu, op: MicroOp): Outcome {
  return cpu.push64(cpu.r[op.s], 0) ? NEXT : FAULT;
}

/** An rsp-based destination address is computed with the incremented rsp (SDM vol. 2, POP). */
export function popMemory(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!cpu.peek64()) return FAULT;
  const lo = r[V];
  const hi = r[V + 1];
  const rspLo = r[RSP];
  const rspHi = r[RSP + 1];
  cpu.moveRsp(8);
  // POP %rsp: the popped value wins over the increment.
  if (op.dKind === REG) {
    writeRegister(r, op.d, 0, 8, lo, hi);
    return NEXT;
  }
  effectiveAddress(r, op);
  if (cpu.store64(r[EA], r[EA + 1], lo, hi)) return NEXT;
  r[RSP] = rspLo;
  r[RSP + 1] = rspHi;
  return FAULT;
}

export function leave(cpu: Cpu): Outcome {
  const r = cpu.r;
  cpu.observer.stackAccess(cpu, r[RBP], r[RBP + 1], 8, false);
  if (!cpu.load64(r[RBP], r[RBP + 1])) {
    cpu.stackFault();
    return FAULT;
  }
  r[RSP] = r[RBP];
  r[RSP + 1] = r[RBP + 1];
  cpu.moveRsp(8);
  r[RBP] = r[V];
  r[RBP + 1] = r[V + 1];
  return NEXT;
}
