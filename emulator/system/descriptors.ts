/**
 * Segment descriptors in the GDT (SDM vol. 3, 3.4.5 and 7.2). There is no LDT: a selector with TI set is beyond its
 * limit.
 *
 *   high word | base 31:24 | G D/B L AVL limit 19:16 | P DPL 14:13 S type 11:8 | base 23:16 |
 *   low word  | base 15:0 | limit 15:0 |
 *   a 64-bit TSS descriptor has two more words: base 63:32, reserved
 */
import type { Cpu } from '../cpu/cpu';
import { GDTR_BASE, GDTR_LIMIT, V } from '../registers';
import { sumHigh } from '../words';

/** The last descriptor read; one object, reused. */
export const descriptor = { lo: 0, hi: 0 };

const READ_OK = 0;
/** Beyond the table: the caller decides which vector that is. */
export const OUT_OF_LIMIT = 1;
/** Reading it faulted. */
export const READ_FAULT = 2;

/** Of code and data, in the high word. */
export const DESCRIPTOR_ACCESSED = 0x100;

export function readDescriptor(cpu: Cpu, selector: number): number {
  const r = cpu.r;
  if ((selector & 4) !== 0 || (selector | 7) > r[GDTR_LIMIT]) return OUT_OF_LIMIT;
  if (!loadTable(cpu, GDTR_BASE, selector & ~7)) return READ_FAULT;
  descriptor.lo = r[V];
  descriptor.hi = r[V + 1];
  return READ_OK;
}

/**
 * Sets the accessed bit of the descriptor that the selector names, as a load of the selector does, if it is clear (SDM
 * vol. 3, 3.4.5.1). The caller has checked the selector; NULL names none. False: the table cannot be written.
 */
export function markAccessed(cpu: Cpu, selector: number): boolean {
  if ((selector & ~3) === 0) return true;
  if (readDescriptor(cpu, selector) !== READ_OK) return false;
  const { lo, hi } = descriptor;
  if ((hi & DESCRIPTOR_ACCESSED) !== 0) return true;
  const offset = selector & ~7;
  const at = (cpu.r[GDTR_BASE] + offset) | 0;
  const atHi = sumHigh(cpu.r[GDTR_BASE + 1], at, offset);
  if (!cpu.prepareSystemWrite(at, atHi)) return false;
  cpu.storeSystem64(at, atHi, lo, hi | DESCRIPTOR_ACCESSED);
  return true;
}

/** A supervisor read of 8 bytes at `offset` from a base register pair. */
export function loadTable(cpu: Cpu, base: number, offset: number): boolean {
  const r = cpu.r;
  const lo = (r[base] + offset) | 0;
  return cpu.loadSystem64(lo, sumHigh(r[base + 1], lo, offset));
}

export function isPresent(hi: number): boolean {
  return (hi & 0x8000) !== 0;
}

export function dplOf(hi: number): number {
  return (hi >>> 13) & 3;
}

/** S and the executable bit. */
export function isCode(hi: number): boolean {
  return (hi & 0x1800) === 0x1800;
}

export function isConforming(hi: number): boolean {
  return (hi & 0x400) !== 0;
}

/** S set, not executable, writable. */
export function isWritableData(hi: number): boolean {
  return (hi & 0x1a00) === 0x1200;
}

/** S set: data, or code that may be read. */
export function isReadable(hi: number): boolean {
  return (hi & 0x1000) !== 0 && (!isCode(hi) || (hi & 0x200) !== 0);
}

const LONG = 0x200000,
  DEFAULT_32 = 0x400000;

/** L set and D clear. */
export function isLongCode(hi: number): boolean {
  return (hi & (LONG | DEFAULT_32)) === LONG;
}

/** L and D both set: reserved. */
export function isReservedCode(hi: number): boolean {
  return (hi & LONG) !== 0 && (hi & DEFAULT_32) !== 0;
}

/** The high word of the same TSS descriptor with the type of a busy one. */
export function busyTss(hi: number): number {
  return hi | 0x200;
}

export function systemType(hi: number): number {
  return (hi & 0x1000) !== 0 ? -1 : (hi >>> 8) & 0xf;
}

/** Limit in bytes: G scales by 4 KiB. */
export function limitOf(lo: number, hi: number): number {
  const raw = (hi & 0xf0000) | (lo & 0xffff);
  return (hi & 0x800000) !== 0 ? (raw << 12) | 0xfff : raw;
}

export function baseOf(lo: number, hi: number): number {
  return (hi & 0xff000000) | ((hi & 0xff) << 16) | (lo >>> 16);
}
