/**
 * Interrupt and exception delivery in 64-bit mode (SDM vol. 3, 6.14), double faults and shutdown (6.15).
 *
 *   IDT gate, 16 bytes, bit 0 first:
 *     | offset 15:0 | selector | IST 2:0, type 11:8, DPL, P | offset 31:16 | offset 63:32 | reserved |
 *   frame, downwards from the 16-byte aligned stack top:  SS RSP RFLAGS CS RIP [error code]
 *   64-bit TSS:  rsp0 at +4, rsp1, rsp2, reserved, ist1 at +36 .. ist7
 *
 * All checks and address translations come before the first change, so a delivery that faults has changed nothing but A
 * and D bits.
 */
import type { Cpu } from '../cpu/cpu';
import type { EventSource } from '../observer';
import {
  CPL,
  CR2,
  CS,
  EFLAGS,
  FLAG_IF,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VM,
  IDTR_BASE,
  IDTR_LIMIT,
  IN_HLT,
  IN_SHUTDOWN,
  NMI_BLOCKED,
  NMI_PENDING,
  RIP,
  RSP,
  SS,
  SS_SHADOW,
  STI_SHADOW,
  TR,
  TR_BASE,
  TR_LIMIT,
  V,
  VEC_DB,
  VEC_DE,
  VEC_DF,
  VEC_GP,
  VEC_NP,
  VEC_PF,
  VEC_SS,
  VEC_TS,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { differenceHigh, isCanonical, sumHigh } from '../words';
import {
  DESCRIPTOR_ACCESSED,
  descriptor,
  dplOf,
  isCode,
  isConforming,
  isLongCode,
  isPresent,
  loadTable,
  markAccessed,
  OUT_OF_LIMIT,
  READ_FAULT,
  readDescriptor,
} from './descriptors';

const INTERRUPT_GATE = 14,
  TRAP_GATE = 15;

/** What the gate leads to; filled by the checks, used by the entry. One object, reused. */
const target = { ripLo: 0, ripHi: 0, selector: 0, cpl: 0, ist: 0, interruptGate: false, accessed: false };
/** Lowest address of the frame under construction. */
const frame = { lo: 0, hi: 0 };

/** Delivers `cpu.fault`. False: shutdown. */
export function deliverFault(cpu: Cpu): boolean {
  cpu.observer.faulted(cpu, cpu.fault);
  return deliver(cpu, cpu.fault.vector, 'fault', cpu.fault.error);
}

/** Delivers an event, and the faults that doing so raises. False: shutdown. */
export function deliver(cpu: Cpu, vector: number, source: EventSource, error: number): boolean {
  let current = vector;
  let from = source;
  let code = error;
  while (!enter(cpu, current, from, code)) {
    const fault = cpu.fault;
    cpu.observer.faulted(cpu, fault);
    if (current === VEC_DF) return shutDown(cpu);
    const double = from !== 'nmi' && from !== 'irq' && from !== 'software' && isDouble(current, fault.vector);
    // The address of a page fault reaches CR2 also when the page fault itself becomes a double fault.
    if (double && fault.vector === VEC_PF) setCr2(cpu);
    current = double ? VEC_DF : fault.vector;
    code = double ? 0 : fault.error;
    from = 'fault';
  }
  return true;
}

/** SDM vol. 3, table 6-5. */
function isDouble(first: number, second: number): boolean {
  if (first === VEC_PF) return second === VEC_PF || isContributory(second);
  return isContributory(first) && isContributory(second);
}

function isContributory(vector: number): boolean {
  return vector === VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

/** Always false, as of a delivery that has come to nothing. */
export function shutDown(cpu: Cpu): false {
  cpu.r[IN_SHUTDOWN] = 1;
  cpu.attention = 1;
  cpu.observer.shutdown(cpu);
  return false;
}

function setCr2(cpu: Cpu): void {
  cpu.r[CR2] = cpu.fault.addressLo;
  cpu.r[CR2 + 1] = cpu.fault.addressHi;
}

/** One attempt: false leaves the fault that stopped it in `cpu.fault`. */
export function enter(cpu: Cpu, vector: number, source: EventSource, error: number): boolean {
  const event = cpu.event;
  event.vector = vector;
  event.source = source;
  event.error = error;
  event.ist = 0;
  cpu.observer.delivering(cpu, event);
  if (source === 'fault' && vector === VEC_PF) setCr2(cpu);
  if (source === 'nmi') blockNmi(cpu);
  // EXT: the event is not of the program's own making (INT n, INT3, INTO are).
  const ext = source === 'software' ? 0 : 1;
  if (!readGate(cpu, vector, source, ext) || !chooseStack(cpu, ext)) return false;
  const bytes = error >= 0 ? 48 : 40;
  if (!prepareFrame(cpu, bytes, ext)) return false;
  if (!target.accessed && !markAccessed(cpu, target.selector)) return false;
  writeFrame(cpu, source, vector, error);
  switchTo(cpu);
  event.ist = target.ist;
  cpu.observer.delivered(cpu, event);
  return true;
}

function blockNmi(cpu: Cpu): void {
  cpu.r[NMI_BLOCKED] = 1;
  cpu.r[NMI_PENDING] = 0;
}

/** Gate and code segment: where to go, at which CPL. */
function readGate(cpu: Cpu, vector: number, source: EventSource, ext: number): boolean {
  const r = cpu.r;
  const gateError = (vector << 3) | 2 | ext;
  if (vector * 16 + 15 > r[IDTR_LIMIT]) return cpu.raise(VEC_GP, gateError);
  if (!loadTable(cpu, IDTR_BASE, vector * 16 + 8)) return false;
  target.ripHi = r[V];
  if (!loadTable(cpu, IDTR_BASE, vector * 16)) return false;
  const lo = r[V];
  const hi = r[V + 1];
  const type = (hi >>> 8) & 0x1f;
  if (type !== INTERRUPT_GATE && type !== TRAP_GATE) return cpu.raise(VEC_GP, gateError);
  if (source === 'software' && dplOf(hi) < r[CPL]) return cpu.raise(VEC_GP, gateError);
  if (!isPresent(hi)) return cpu.raise(VEC_NP, gateError);
  target.ripLo = (hi & 0xffff0000) | (lo & 0xffff);
  target.selector = lo >>> 16;
  target.ist = hi & 7;
  target.interruptGate = type === INTERRUPT_GATE;
  return readCodeSegment(cpu, ext);
}

function readCodeSegment(cpu: Cpu, ext: number): boolean {
  const selector = target.selector;
  if ((selector & ~3) === 0) return cpu.raise(VEC_GP, ext);
  const error = (selector & ~3) | ext;
  const result = readDescriptor(cpu, selector);
  if (result === READ_FAULT) return false;
  const hi = descriptor.hi;
  if (result === OUT_OF_LIMIT || !isCode(hi) || dplOf(hi) > cpu.r[CPL] || !isLongCode(hi))
    return cpu.raise(VEC_GP, error);
  if (!isPresent(hi)) return cpu.raise(VEC_NP, error);
  target.accessed = (hi & DESCRIPTOR_ACCESSED) !== 0;
  target.cpl = isConforming(hi) ? cpu.r[CPL] : dplOf(hi);
  if (target.cpl !== 0 && target.cpl !== cpu.r[CPL])
    throw new UnimplementedError(`a gate into ring ${target.cpl}`, cpu.rip());
  return true;
}

/**
 * IST when the gate names one, even if already on it; rsp0 when CPL changes; else the current stack. Aligned down to
 * 16. The frame is pushed as the processor's own access: with SMAP a user page is refused whatever AC is. SDM vol. 3,
 * 4.6.1 can be read either way for a delivery at CPL 0 with AC=1; this is the stricter reading.
 */
function chooseStack(cpu: Cpu, ext: number): boolean {
  const r = cpu.r;
  if (target.ist === 0 && target.cpl === r[CPL]) {
    frame.lo = r[RSP] & -16;
    frame.hi = r[RSP + 1];
    return true;
  }
  const offset = target.ist !== 0 ? 28 + target.ist * 8 : 4;
  if (offset + 7 > r[TR_LIMIT]) return cpu.raise(VEC_TS, (r[TR] & ~3) | ext);
  if (!loadTable(cpu, TR_BASE, offset)) return false;
  frame.lo = r[V] & -16;
  frame.hi = r[V + 1];
  return true;
}

/** Moves to the frame's lowest byte and makes sure that all of it can be written. */
function prepareFrame(cpu: Cpu, bytes: number, ext: number): boolean {
  frame.hi = differenceHigh(frame.hi, frame.lo, bytes);
  frame.lo = (frame.lo - bytes) | 0;
  if (target.ist === 0) cpu.observer.stackAccess(cpu, frame.lo, frame.hi, bytes, true);
  if (!isCanonical(frame.lo, frame.hi)) return cpu.raise(VEC_SS, ext);
  if (!isCanonical(target.ripLo, target.ripHi)) return cpu.raise(VEC_GP, ext);
  return prepareWord(cpu, bytes - 8) && prepareLowerPage(cpu, bytes);
}

/** The word at `offset` above the frame's lowest byte. */
function prepareWord(cpu: Cpu, offset: number): boolean {
  const lo = (frame.lo + offset) | 0;
  return cpu.prepareSystemWrite(lo, sumHigh(frame.hi, lo, offset));
}

/**
 * Pushes go downwards, so a fault names the first word that is pushed to the page that it is about: SS, or the highest
 * word of the lower one of two pages.
 */
function prepareLowerPage(cpu: Cpu, bytes: number): boolean {
  const room = 4096 - (frame.lo & 0xfff);
  return room >= bytes || prepareWord(cpu, room - 8);
}

function put(cpu: Cpu, offset: number, lo: number, hi: number): void {
  const at = (frame.lo + offset) | 0;
  cpu.storeSystem64(at, sumHigh(frame.hi, at, offset), lo, hi);
}

/**
 * Faults push RF set, so that an instruction breakpoint does not hit again on return; everything else pushes RF as it
 * is: 0, but 1 right after an IRET that loaded it and within a repeated string instruction (SDM vol. 3, 17.3.1.1).
 */
function writeFrame(cpu: Cpu, source: EventSource, vector: number, error: number): void {
  const r = cpu.r;
  const rf = source === 'fault' && vector !== VEC_DB ? FLAG_RF : 0;
  const base = error >= 0 ? 8 : 0;
  put(cpu, base + 32, r[SS], 0);
  put(cpu, base + 24, r[RSP], r[RSP + 1]);
  put(cpu, base + 16, cpu.rflags() | rf, 0);
  put(cpu, base + 8, r[CS], 0);
  put(cpu, base, r[RIP], r[RIP + 1]);
  if (error >= 0) put(cpu, 0, error, 0);
}

/**
 * SS becomes null only when CPL changes. For an IST stack at an unchanged CPL the SDM contradicts itself (vol. 3,
 * 6.14): here SS stays.
 */
function switchTo(cpu: Cpu): void {
  const r = cpu.r;
  r[RSP] = frame.lo;
  r[RSP + 1] = frame.hi;
  r[RIP] = target.ripLo;
  r[RIP + 1] = target.ripHi;
  r[CS] = (target.selector & ~3) | target.cpl;
  r[EFLAGS] &= ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (target.interruptGate ? FLAG_IF : 0));
  r[IN_HLT] = 0;
  r[STI_SHADOW] = 0;
  r[SS_SHADOW] = 0;
  if (target.cpl !== r[CPL]) {
    r[SS] = target.cpl;
    r[CPL] = target.cpl;
    cpu.derive();
  }
}
