/**
 * Segment registers and descriptor-table registers (SDM vol. 2): MOV Sreg, POP FS/GS, LGDT/LIDT, SGDT/SIDT, LTR/STR,
 * LLDT/SLDT, LSL, LAR, VERR/VERW, far return. A table register in memory: 16-bit limit, then the 64-bit base.
 */
import type { Cpu } from '../cpu/cpu';
import { setZero } from '../cpu/flags';
import { effectiveAddress, loadSource, storeDestination, writeRegister } from '../cpu/operands';
import { fail, jump, privileged } from '../cpu/outcome';
import { FAULT, MEM, type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  B,
  CPL,
  CR4,
  CR4_UMIP,
  CS,
  DS,
  EA,
  ES,
  FS,
  FS_BASE,
  GDTR_BASE,
  GDTR_LIMIT,
  GS,
  GS_BASE,
  IDTR_BASE,
  IDTR_LIMIT,
  LDTR,
  NO_ERROR_CODE,
  RSP,
  SS,
  SS_SHADOW,
  TR,
  TR_BASE,
  TR_LIMIT,
  V,
  VEC_GP,
  VEC_NP,
  VEC_SS,
  VEC_UD,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { isCanonical, sumHigh } from '../words';
import {
  baseOf,
  busyTss,
  descriptor,
  dplOf,
  isCode,
  isConforming,
  isLongCode,
  isPresent,
  isReadable,
  isWritableData,
  limitOf,
  loadTable,
  markAccessed,
  OUT_OF_LIMIT,
  READ_FAULT,
  readDescriptor,
  systemType,
} from './descriptors';

const TSS_AVAILABLE = 9,
  TSS_BUSY = 11;

/** `op.d` is the word index of the selector, `op.sSize` 2. */
export function movToSegment(cpu: Cpu, op: MicroOp): Outcome {
  if (op.d === CS) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  if (!loadSource(cpu, op)) return FAULT;
  const selector = cpu.r[B] & 0xffff;
  const ok = op.d === SS ? loadStackSegment(cpu, selector) : loadDataSegment(cpu, op.d, selector);
  if (!ok) return FAULT;
  cpu.r[op.d] = selector;
  return NEXT;
}

/** POP FS, POP GS: a load of the selector in the low 16 bits of what is popped; rsp moves only if that succeeds. */
export function popSegment(cpu: Cpu, op: MicroOp): Outcome {
  if (!cpu.peek64()) return FAULT;
  const selector = cpu.r[V] & 0xffff;
  if (!loadDataSegment(cpu, op.d, selector)) return FAULT;
  cpu.r[op.d] = selector;
  cpu.moveRsp(8);
  return NEXT;
}

/** Opens the shadow in which interrupts wait for the next instruction (SDM vol. 3, 6.8.3). */
function loadStackSegment(cpu: Cpu, selector: number): boolean {
  const r = cpu.r;
  const rpl = selector & 3;
  if ((selector & ~3) === 0) {
    if (r[CPL] === 3 || rpl !== r[CPL]) return cpu.raise(VEC_GP, 0);
  } else {
    const result = readDescriptor(cpu, selector);
    if (result === READ_FAULT) return false;
    const hi = descriptor.hi;
    if (result === OUT_OF_LIMIT || rpl !== r[CPL] || !isWritableData(hi) || dplOf(hi) !== r[CPL])
      return cpu.raise(VEC_GP, selector & ~3);
    if (!isPresent(hi)) return cpu.raise(VEC_SS, selector & ~3);
    if (!markAccessed(cpu, selector)) return false;
  }
  r[SS_SHADOW] = 1;
  cpu.attention = 1;
  return true;
}

/** FS and GS bases are loaded with the selector, but for a null one on AMD's processors: see ../vendor. */
function loadDataSegment(cpu: Cpu, register: number, selector: number): boolean {
  const r = cpu.r;
  const isNull = (selector & ~3) === 0;
  let base = 0;
  if (!isNull) {
    const result = readDescriptor(cpu, selector);
    if (result === READ_FAULT) return false;
    const hi = descriptor.hi;
    const conforming = isCode(hi) && isConforming(hi);
    if (result === OUT_OF_LIMIT || !isReadable(hi) || (!conforming && Math.max(selector & 3, r[CPL]) > dplOf(hi)))
      return cpu.raise(VEC_GP, selector & ~3);
    if (!isPresent(hi)) return cpu.raise(VEC_NP, selector & ~3);
    base = baseOf(descriptor.lo, hi);
    if (!markAccessed(cpu, selector)) return false;
  }
  if ((register === FS || register === GS) && !(isNull && cpu.platform.vendor === 'amd')) {
    const pair = register === FS ? FS_BASE : GS_BASE;
    r[pair] = base;
    r[pair + 1] = 0;
  }
  return true;
}

/** A register destination is written at operand size, memory always as 16 bits. */
export function movFromSegment(cpu: Cpu, op: MicroOp): Outcome {
  if (op.dKind === MEM) effectiveAddress(cpu.r, op);
  return storeDestination(cpu, op, cpu.r[op.s], 0) ? NEXT : FAULT;
}

/** `op.sub` 0: GDTR, 1: IDTR. */
export function loadTableRegister(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  effectiveAddress(r, op);
  if (!cpu.load(r[EA], r[EA + 1], 2)) return FAULT;
  const limit = r[V];
  const lo = (r[EA] + 2) | 0;
  if (!cpu.load64(lo, sumHigh(r[EA + 1], lo, 2))) return FAULT;
  if (!isCanonical(r[V], r[V + 1])) return fail(cpu, VEC_GP, 0);
  const base = op.sub === 0 ? GDTR_BASE : IDTR_BASE;
  r[base] = r[V];
  r[base + 1] = r[V + 1];
  r[op.sub === 0 ? GDTR_LIMIT : IDTR_LIMIT] = limit;
  return NEXT;
}

/** CR4.UMIP keeps user code from the instructions that tell where system tables are (SDM vol. 3, 2.5). */
function mayTell(cpu: Cpu): boolean {
  return cpu.r[CPL] === 0 || (cpu.r[CR4] & CR4_UMIP) === 0 || cpu.raise(VEC_GP, 0);
}

export function storeTableRegister(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!mayTell(cpu)) return FAULT;
  effectiveAddress(r, op);
  const lo = (r[EA] + 2) | 0;
  const hi = sumHigh(r[EA + 1], lo, 2);
  // All of it is checked first, from its first byte on: nothing is stored when it faults, and CR2 is where it begins.
  if (!cpu.prepareWrite(r[EA], r[EA + 1], 2) || !cpu.prepareWrite(lo, hi, 8)) return FAULT;
  if (!cpu.store(r[EA], r[EA + 1], 2, r[op.sub === 0 ? GDTR_LIMIT : IDTR_LIMIT], 0)) return FAULT;
  const base = op.sub === 0 ? GDTR_BASE : IDTR_BASE;
  return cpu.store64(lo, hi, r[base], r[base + 1]) ? NEXT : FAULT;
}

/** Marks the descriptor busy, as the hardware does (SDM vol. 3, 7.2.2). */
export function ltr(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu) || !loadSource(cpu, op)) return FAULT;
  const selector = r[B] & 0xffff;
  if ((selector & ~3) === 0) return fail(cpu, VEC_GP, 0);
  const result = readDescriptor(cpu, selector);
  if (result === READ_FAULT) return FAULT;
  const { lo, hi } = descriptor;
  if (result === OUT_OF_LIMIT || systemType(hi) !== TSS_AVAILABLE || (selector | 7) + 8 > r[GDTR_LIMIT])
    return fail(cpu, VEC_GP, selector & ~3);
  if (!isPresent(hi)) return fail(cpu, VEC_NP, selector & ~3);
  if (!loadTable(cpu, GDTR_BASE, (selector & ~7) + 8)) return FAULT;
  const upper = r[V];
  const at = (r[GDTR_BASE] + (selector & ~7)) | 0;
  const atHi = sumHigh(r[GDTR_BASE + 1], at, r[GDTR_BASE]);
  if (!cpu.prepareSystemWrite(at, atHi)) return FAULT;
  cpu.storeSystem64(at, atHi, lo, busyTss(hi));
  r[TR] = selector;
  r[TR_BASE] = baseOf(lo, hi);
  r[TR_BASE + 1] = upper;
  r[TR_LIMIT] = limitOf(lo, hi);
  return NEXT;
}

/** A null selector is all there is: there is no LDT. */
export function lldt(cpu: Cpu, op: MicroOp): Outcome {
  if (!privileged(cpu) || !loadSource(cpu, op)) return FAULT;
  const selector = cpu.r[B] & 0xffff;
  if ((selector & ~3) !== 0) throw new UnimplementedError('a local descriptor table', op.va);
  cpu.r[LDTR] = selector;
  return NEXT;
}

/** STR and SLDT. */
export function str(cpu: Cpu, op: MicroOp): Outcome {
  if (!mayTell(cpu)) return FAULT;
  if (op.dKind === MEM) effectiveAddress(cpu.r, op);
  return storeDestination(cpu, op, cpu.r[op.s], 0) ? NEXT : FAULT;
}

/**
 * The descriptor that LSL, LAR, VERR and VERW look at: ZF says whether it is visible; nothing faults but the table
 * read.
 */
function inspect(cpu: Cpu, selector: number, types: number): boolean | undefined {
  if ((selector & ~3) === 0) return false;
  const result = readDescriptor(cpu, selector);
  if (result === READ_FAULT) return undefined;
  if (result === OUT_OF_LIMIT) return false;
  const hi = descriptor.hi;
  const type = systemType(hi);
  if (type >= 0 && ((types >>> type) & 1) === 0) return false;
  return (isCode(hi) && isConforming(hi)) || Math.max(selector & 3, cpu.r[CPL]) <= dplOf(hi);
}

/** `op.sub` 0: LSL (limit), 1: LAR (access rights). */
export function inspectSegment(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  const systemTypes = (1 << 2) | (1 << TSS_AVAILABLE) | (1 << TSS_BUSY) | (op.sub === 1 ? 1 << 12 : 0);
  const visible = inspect(cpu, r[B] & 0xffff, systemTypes);
  if (visible === undefined) return FAULT;
  setZero(r, visible);
  const value = op.sub === 0 ? limitOf(descriptor.lo, descriptor.hi) : descriptor.hi & 0x00f0ff00;
  if (visible) writeRegister(r, op.d, 0, op.size, value, 0);
  return NEXT;
}

/** `op.sub` 0: VERR, 1: VERW. */
export function verify(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  const visible = inspect(cpu, r[B] & 0xffff, 0);
  if (visible === undefined) return FAULT;
  const hi = descriptor.hi;
  const right = op.sub === 1 ? isWritableData(hi) : isReadable(hi);
  setZero(r, visible && right);
  return NEXT;
}

/** LRETQ to 64-bit code at the same CPL: how boot code reloads CS. Other returns are not implemented. */
export function farReturn(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  cpu.observer.stackAccess(cpu, r[RSP], r[RSP + 1], 16, false);
  const lo = (r[RSP] + 8) | 0;
  if (!cpu.load64(lo, sumHigh(r[RSP + 1], lo, 8))) return stackFail(cpu);
  const cs = r[V] & 0xffff;
  if (!cpu.load64(r[RSP], r[RSP + 1])) return stackFail(cpu);
  const ripLo = r[V];
  const ripHi = r[V + 1];
  if ((cs & ~3) === 0) return fail(cpu, VEC_GP, 0);
  const result = readDescriptor(cpu, cs);
  if (result === READ_FAULT) return FAULT;
  if (result === OUT_OF_LIMIT || !isCode(descriptor.hi)) return fail(cpu, VEC_GP, cs & ~3);
  if ((cs & 3) !== r[CPL] || dplOf(descriptor.hi) !== r[CPL] || !isLongCode(descriptor.hi))
    throw new UnimplementedError('a far return to another CPL or mode', op.va);
  if (!isPresent(descriptor.hi)) return fail(cpu, VEC_NP, cs & ~3);
  if (!isCanonical(ripLo, ripHi)) return fail(cpu, VEC_GP, 0);
  if (!markAccessed(cpu, cs)) return FAULT;
  r[CS] = cs;
  cpu.moveRsp(16);
  return jump(cpu, ripLo, ripHi);
}

function stackFail(cpu: Cpu): Outcome {
  cpu.stackFault();
  return FAULT;
}

/** Selector words in the encoding order of segment registers. */
export const SEGMENT_WORDS = [ES, CS, SS, DS, FS, GS] as const;
