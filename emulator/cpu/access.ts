/**
 * The slow half of every memory access: what to do when the TLB fast path of a CPU said no. Decides between a refill,
 * the D bit, devices, unaligned and page-crossing accesses, and faults (SDM vol. 3, 4.6, 4.7, 4.10.4).
 */

import { PAGE_WATCHED } from '../memory/physical-memory';
import { newWalk, PTE_A, PTE_D, WALK_LEAF, WALK_NOT_PRESENT, walkTables } from '../mmu/page-walk';
import { sameTlbPlace, TLB_D, TLB_G, TLB_IO, TLB_NX, TLB_U, TLB_W } from '../mmu/tlb';
import {
  CPL,
  CR0,
  CR0_AM,
  CR0_WP,
  CR3,
  CR4,
  CR4_PGE,
  CR4_SMAP,
  CR4_SMEP,
  EFER,
  EFER_NXE,
  EFLAGS,
  FLAG_AC,
  VEC_AC,
  VEC_GP,
  VEC_PF,
} from '../registers';
import { isCanonical, sumHigh } from '../words';
import type { Cpu } from './cpu';

/** Bits of the #PF error code (SDM vol. 3, 4.7). */
const PF_P = 1,
  PF_WR = 2,
  PF_US = 4,
  PF_RSVD = 8,
  PF_ID = 16;

/** Kinds of access, also the index of their names. */
const READ = 0,
  WRITE = 1;
export const EXECUTE = 2;
const KIND_NAMES = ['read', 'write', 'execute'] as const;

/** Answers of `mmuAddress` besides a physical RAM address. */
export const NO_ADDRESS = -1;
/** The page is a device or nothing; `deviceAddress` has the address. */
export const DEVICE = -2;
/** Physical address of the last DEVICE answer, unsigned. */
let deviceAddress = 0;

const walk = newWalk();

/** Physical address of a byte, RAM only, or NO_ADDRESS (fault raised) or DEVICE. */
export function mmuAddress(cpu: Cpu, lo: number, hi: number, kind: number): number {
  if (!isCanonical(lo, hi)) return raiseNonCanonical(cpu, lo, hi, kind);
  const tlb = cpu.tlb;
  let i = tlb.find(false, lo, hi);
  if (i < 0) {
    const global = tlb.find(true, lo, hi);
    if (global >= 0) {
      i = tlb.promote(lo, hi, global);
      dropCodeBehind(cpu, lo);
    }
  }
  const entry = i < 0 ? 0 : tlb.entries[i + 2];
  if (i < 0 || (kind === WRITE && (entry & TLB_D) === 0)) {
    if (i >= 0 && !permitted(cpu, entry, kind)) return raisePageFault(cpu, lo, hi, kind, PF_P);
    return refill(cpu, lo, hi, kind);
  }
  if (!permitted(cpu, entry, kind)) return raisePageFault(cpu, lo, hi, kind, PF_P);
  return place(entry, lo);
}

function place(entry: number, lo: number): number {
  const address = (entry & -4096) | (lo & 0xfff);
  if ((entry & TLB_IO) === 0) return address;
  deviceAddress = address >>> 0;
  return DEVICE;
}

/** Rights of SDM vol. 3, 4.6.1. */
function permitted(cpu: Cpu, entry: number, kind: number): boolean {
  const r = cpu.r;
  const userPage = (entry & TLB_U) !== 0;
  if (r[CPL] === 3 && !cpu.system) {
    return userPage && (kind !== WRITE || (entry & TLB_W) !== 0) && (kind !== EXECUTE || (entry & TLB_NX) === 0);
  }
  if (kind === EXECUTE) return (entry & TLB_NX) === 0 && !(userPage && (r[CR4] & CR4_SMEP) !== 0);
  if (userPage && (r[CR4] & CR4_SMAP) !== 0 && (cpu.system || (r[EFLAGS] & FLAG_AC) === 0)) return false;
  return kind === READ || (entry & TLB_W) !== 0 || (r[CR0] & CR0_WP) === 0;
}

/** Walks, checks, sets A and D, and caches the translation. Not-present results are never cached. */
function refill(cpu: Cpu, lo: number, hi: number, kind: number): number {
  const r = cpu.r;
  const memory = cpu.memory;
  const result = walkTables(memory, r[CR3], lo, hi, (r[EFER] & EFER_NXE) !== 0, walk);
  const isAccessed = (walk.common & PTE_A) !== 0;
  if (!isAccessed)
    for (let level = 0; level < walk.levels - (result === WALK_LEAF ? 1 : 0); level++)
      setBits(cpu, walk.used[level], PTE_A);
  if (result === WALK_NOT_PRESENT) return raisePageFault(cpu, lo, hi, kind, 0);
  if (result !== WALK_LEAF) return raisePageFault(cpu, lo, hi, kind, PF_P | PF_RSVD);
  let entry = walk.entry;
  if (!permitted(cpu, entry, kind)) return raisePageFault(cpu, lo, hi, kind, PF_P);
  if (!isAccessed || (kind === WRITE && (entry & TLB_D) === 0))
    setBits(cpu, walk.used[walk.levels - 1], kind === WRITE ? PTE_A | PTE_D : PTE_A);
  if (kind === WRITE) entry |= TLB_D;
  if ((r[CR4] & CR4_PGE) === 0) entry &= ~TLB_G;
  if ((entry & -4096) >>> 0 >= memory.size) entry |= TLB_IO;
  cpu.tlb.insert(lo, hi, entry);
  dropCodeBehind(cpu, lo);
  return place(entry, lo);
}

/** The translation of `lo` was cached: the entry may have taken the place of the one that RIP's page relies on. */
function dropCodeBehind(cpu: Cpu, lo: number): void {
  if (sameTlbPlace(lo, cpu.codeLo)) cpu.dropCode();
}

/** A and D bits are written whatever R/W and CR0.WP say. */
function setBits(cpu: Cpu, at: number, bits: number): void {
  const word = cpu.memory.words[at >>> 2];
  if ((word & bits) !== bits) cpu.memory.write32(at >>> 2, word | bits);
}

function setFault(cpu: Cpu, vector: number, error: number, lo: number, hi: number, kind: number): number {
  cpu.raise(vector, error);
  const fault = cpu.fault;
  fault.addressLo = lo;
  fault.addressHi = hi;
  fault.access = KIND_NAMES[kind];
  fault.implicit = cpu.system;
  return NO_ADDRESS;
}

function raiseNonCanonical(cpu: Cpu, lo: number, hi: number, kind: number): number {
  setFault(cpu, VEC_GP, 0, lo, hi, kind);
  cpu.nonCanonical = true;
  return NO_ADDRESS;
}

/**
 * A page fault also invalidates the entries of its address, present or not in the tables (SDM vol. 3, 4.10.4.1), so a
 * stale one faults only once. There are no paging-structure caches that would have to forget it, too. `base` has the
 * bits P and RSVD of the error code.
 */
function raisePageFault(cpu: Cpu, lo: number, hi: number, kind: number, base: number): number {
  const r = cpu.r;
  const user = r[CPL] === 3 && !cpu.system;
  // I/D is reported only where a fetch can be refused for being one.
  const fetch = kind === EXECUTE && ((r[CR4] & CR4_SMEP) !== 0 || (r[EFER] & EFER_NXE) !== 0);
  const error = base | (kind === WRITE ? PF_WR : 0) | (user ? PF_US : 0) | (fetch ? PF_ID : 0);
  cpu.tlb.invalidatePage(lo, hi);
  cpu.dropCode();
  return setFault(cpu, VEC_PF, error, lo, hi, kind);
}

/**
 * #AC(0): a user access off its natural boundary while CR0.AM and RFLAGS.AC are set (SDM vol. 3, 6.15); raised when it
 * is.
 */
function misaligned(cpu: Cpu, lo: number, size: number): boolean {
  const r = cpu.r;
  if ((lo & (size - 1)) === 0 || r[CPL] !== 3 || cpu.system) return false;
  if ((r[CR0] & CR0_AM) === 0 || (r[EFLAGS] & FLAG_AC) === 0) return false;
  cpu.raise(VEC_AC, 0);
  return true;
}

/** Does the access need two translations? */
function crosses(lo: number, size: number): boolean {
  return (lo & 0xfff) + size > 4096;
}

/** Low and high word of the first address on the next page. */
function nextPageLo(lo: number): number {
  return ((lo & -4096) + 4096) | 0;
}

function nextPageHi(lo: number, hi: number): number {
  return sumHigh(hi, nextPageLo(lo), 4096);
}

/** Loads 1, 2, 4 or 8 bytes into the pair `into`, zero-extended. */
export function loadSlow(cpu: Cpu, lo: number, hi: number, size: number, into: number): boolean {
  const r = cpu.r;
  const pa = mmuAddress(cpu, lo, hi, READ);
  if (pa === NO_ADDRESS || misaligned(cpu, lo, size)) return false;
  if (crosses(lo, size)) return loadCrossing(cpu, lo, hi, size, pa, into);
  r[into + 1] = 0;
  if (pa === DEVICE) {
    r[into] = cpu.outside.read(cpu, deviceAddress, size);
    if (size === 8) r[into + 1] = -1;
    return true;
  }
  if (size === 1) r[into] = cpu.memory.read8(pa);
  else if (size === 2) r[into] = cpu.memory.read16(pa);
  else r[into] = cpu.memory.read32(pa);
  if (size === 8) r[into + 1] = cpu.memory.read32(pa + 4);
  return true;
}

/** Both pages are translated before a byte is read; device bytes across a page boundary read as ones. */
function loadCrossing(cpu: Cpu, lo: number, hi: number, size: number, first: number, into: number): boolean {
  const next = mmuAddress(cpu, nextPageLo(lo), nextPageHi(lo, hi), READ);
  if (next === NO_ADDRESS) return false;
  const r = cpu.r;
  const inFirst = 4096 - (lo & 0xfff);
  r[into] = 0;
  r[into + 1] = 0;
  for (let i = 0; i < size; i++) {
    const page = i < inFirst ? first : next;
    const pa = i < inFirst ? first + i : next + i - inFirst;
    const byte = page === DEVICE ? 0xff : cpu.memory.read8(pa);
    r[into + (i >>> 2)] |= byte << ((i & 3) << 3);
  }
  return true;
}

export function prepareWriteSlow(cpu: Cpu, lo: number, hi: number, size: number): boolean {
  if (mmuAddress(cpu, lo, hi, WRITE) === NO_ADDRESS || misaligned(cpu, lo, size)) return false;
  if (!crosses(lo, size)) return true;
  return mmuAddress(cpu, nextPageLo(lo), nextPageHi(lo, hi), WRITE) !== NO_ADDRESS;
}

export function storeSlow(cpu: Cpu, lo: number, hi: number, size: number, valueLo: number, valueHi: number): boolean {
  const pa = mmuAddress(cpu, lo, hi, WRITE);
  if (pa === NO_ADDRESS || misaligned(cpu, lo, size)) return false;
  if (crosses(lo, size)) return storeCrossing(cpu, lo, hi, size, valueLo, valueHi, pa);
  if (pa === DEVICE) {
    cpu.outside.write(cpu, deviceAddress, size, valueLo);
    return true;
  }
  const memory = cpu.memory;
  if (size === 1) memory.write8(pa, valueLo);
  else if (size === 2) memory.write16(pa, valueLo);
  else memory.write32At(pa, valueLo);
  if (size === 8) memory.write32At(pa + 4, valueHi);
  if ((memory.pageFlags[pa >>> 12] & PAGE_WATCHED) !== 0) cpu.observer.watchedStore(cpu, pa, size, lo, hi);
  return true;
}

function storeCrossing(
  cpu: Cpu,
  lo: number,
  hi: number,
  size: number,
  valueLo: number,
  valueHi: number,
  first: number,
): boolean {
  const nextLo = nextPageLo(lo);
  const nextHi = nextPageHi(lo, hi);
  const next = mmuAddress(cpu, nextLo, nextHi, WRITE);
  if (next === NO_ADDRESS) return false;
  const inFirst = 4096 - (lo & 0xfff);
  for (let i = 0; i < size; i++) {
    const byte = (i < 4 ? valueLo >>> (i << 3) : valueHi >>> ((i - 4) << 3)) & 0xff;
    if (i < inFirst && first !== DEVICE) cpu.memory.write8(first + i, byte);
    if (i >= inFirst && next !== DEVICE) cpu.memory.write8(next + i - inFirst, byte);
  }
  tellWatched(cpu, first, inFirst, lo, hi);
  tellWatched(cpu, next, size - inFirst, nextLo, nextHi);
  return true;
}

function tellWatched(cpu: Cpu, pa: number, bytes: number, lo: number, hi: number): void {
  if (pa !== DEVICE && (cpu.memory.pageFlags[pa >>> 12] & PAGE_WATCHED) !== 0)
    cpu.observer.watchedStore(cpu, pa, bytes, lo, hi);
}
