/**
 * The 4-level walk (SDM vol. 3, 4.5 and 4.6) as a pure reader of RAM: rights combined over the levels, no side effect.
 * The MMU sets A and D bits from the entry addresses that the walk leaves behind. Left out: LA57, protection keys, PAT
 * and cache bits.
 *
 *   linear   | sign 63..48 | PML4 47..39 | PDPT 38..30 | PD 29..21 | PT 20..12 | offset 11..0 |
 *   entry    | XD 63 | ignored | physical 51..12 | .. | G 8 | PS 7 | D 6 | A 5 | .. | U/S 2 | R/W 1 | P 0 |
 *
 * MAXPHYADDR is 32 here: physical bits 51..32 are reserved, so a stray entry faults instead of wrapping around.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { TLB_1G, TLB_2M, TLB_D, TLB_G, TLB_NX, TLB_U, TLB_W } from './tlb';

export const PTE_P = 1,
  PTE_RW = 2,
  PTE_US = 4,
  PTE_A = 0x20,
  PTE_D = 0x40,
  PTE_PS = 0x80;
const PTE_G = 0x100;
/** In the high word. */
export const PTE_XD = 0x80000000 | 0;
const RESERVED_HI = 0xfffff;

/** How a walk ended: a leaf, nothing mapped, or a malformed entry (which faults with the RSVD bit). */
export const WALK_LEAF = 0,
  WALK_NOT_PRESENT = 1;
const WALK_RESERVED = 2;

/** One result object, reused. */
interface PageWalk {
  /** Physical page of the 4 KiB piece and rights, in the form of a TLB entry (without the IO flag). */
  entry: number;
  /** Bytes that the leaf maps. */
  size: number;
  /** Physical addresses of the entries used, root first; `levels` of them are valid. */
  readonly used: Int32Array;
  levels: number;
  /** Bits of the low word that are set in all of them. */
  common: number;
}

export function newWalk(): PageWalk {
  return { entry: 0, size: 0, used: new Int32Array(4), levels: 0, common: 0 };
}

/** `nxe` is EFER.NXE: without it the XD bit is reserved. The address must be canonical. */
export function walkTables(
  memory: PhysicalMemory,
  root: number,
  lo: number,
  hi: number,
  nxe: boolean,
  walk: PageWalk,
): number {
  const { words, size } = memory;
  let table = root & -4096;
  let rights = TLB_W | TLB_U;
  walk.levels = 0;
  walk.common = -1;
  for (let level = 3; level >= 0; level--) {
    const at = entryAddress(table, level, lo, hi);
    // A table outside RAM reads as all ones, as an empty bus does.
    const inside = at >= 0 && at < size;
    const low = inside ? words[at >>> 2] : -1;
    const high = inside ? words[(at >>> 2) + 1] : -1;
    if ((low & PTE_P) === 0) return WALK_NOT_PRESENT;
    if (!inside || isReserved(low, high, level, nxe)) return WALK_RESERVED;
    walk.used[walk.levels++] = at;
    walk.common &= low;
    if ((low & PTE_RW) === 0) rights &= ~TLB_W;
    if ((low & PTE_US) === 0) rights &= ~TLB_U;
    if ((high & PTE_XD) !== 0) rights |= TLB_NX;
    if (level === 0 || (low & PTE_PS) !== 0) return finish(walk, level, low, lo, rights);
    table = low & -4096;
  }
  return WALK_NOT_PRESENT;
}

/** Physical address of the entry of a linear address in a table; level 3 is the PML4, 0 the page table. */
export function entryAddress(table: number, level: number, lo: number, hi: number): number {
  switch (level) {
    case 3:
      return table + (((hi >>> 7) & 0x1ff) << 3);
    case 2:
      return table + ((((lo >>> 30) | (hi << 2)) & 0x1ff) << 3);
    case 1:
      return table + (((lo >>> 21) & 0x1ff) << 3);
    default:
      return table + (((lo >>> 12) & 0x1ff) << 3);
  }
}

/**
 * A present entry has a bit set that must be 0 (SDM vol. 3, 4.5.4). `nxe` is EFER.NXE: without it XD is one of them.
 */
export function isReserved(low: number, high: number, level: number, nxe: boolean): boolean {
  if ((high & RESERVED_HI) !== 0) return true;
  if (!nxe && (high & PTE_XD) !== 0) return true;
  if ((low & PTE_PS) === 0 || level === 0) return false;
  if (level === 3) return true;
  // Bit 12 of a large leaf is PAT; the address bits below its size are reserved.
  return (low & (level === 1 ? 0x1fe000 : 0x3fffe000)) !== 0;
}

function finish(walk: PageWalk, level: number, low: number, lo: number, rights: number): number {
  let flags = rights;
  if ((low & PTE_D) !== 0) flags |= TLB_D;
  if ((low & PTE_G) !== 0) flags |= TLB_G;
  if (level === 0) {
    walk.size = 0x1000;
    walk.entry = (low & -4096) | flags;
  } else if (level === 1) {
    walk.size = 0x200000;
    walk.entry = (low & -0x200000) | (lo & 0x1ff000) | flags | TLB_2M;
  } else {
    walk.size = 0x40000000;
    walk.entry = (low & -0x40000000) | (lo & 0x3ffff000) | flags | TLB_1G;
  }
  return WALK_LEAF;
}
