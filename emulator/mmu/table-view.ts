/**
 * Page tables as the checker sees them: translations, leaves and words read without touching the TLB or the A and D
 * bits. Non-present, malformed and non-canonical all answer `undefined`.
 */
import type { PhysicalMemory } from '../memory/physical-memory';
import { isCanonical, vaHi, vaLo } from '../words';
import {
  entryAddress,
  isReserved,
  newWalk,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  PTE_XD,
  WALK_LEAF,
  walkTables,
} from './page-walk';
import { TLB_G, TLB_NX, TLB_U, TLB_W } from './tlb';

export interface Leaf {
  pa: number;
  writable: boolean;
  user: boolean;
  noExecute: boolean;
  global: boolean;
  size: number;
}

export interface MappedLeaf {
  va: number;
  pa: number;
  size: number;
  writable: boolean;
  user: boolean;
  noExecute: boolean;
}

const scratch = newWalk();

/** XD counts whether or not EFER.NXE is set: the view is of the tables, not of one CPU. */
export function translateVa(memory: PhysicalMemory, root: number, va: number): Leaf | undefined {
  const lo = vaLo(va);
  const hi = vaHi(va);
  if (!isCanonical(lo, hi) || walkTables(memory, root, lo, hi, true, scratch) !== WALK_LEAF) return undefined;
  const entry = scratch.entry;
  return {
    pa: ((entry & -4096) >>> 0) + (lo & 0xfff),
    writable: (entry & TLB_W) !== 0,
    user: (entry & TLB_U) !== 0,
    noExecute: (entry & TLB_NX) !== 0,
    global: (entry & TLB_G) !== 0,
    size: scratch.size,
  };
}

export function readVirtual64(
  memory: PhysicalMemory,
  root: number,
  va: number,
): { lo: number; hi: number } | undefined {
  const lo = readVirtual32(memory, root, va);
  const hi = readVirtual32(memory, root, va + 4);
  return lo === undefined || hi === undefined ? undefined : { lo, hi };
}

function readVirtual32(memory: PhysicalMemory, root: number, va: number): number | undefined {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const leaf = translateVa(memory, root, va + i);
    if (leaf === undefined || leaf.pa >= memory.size) return undefined;
    value |= memory.read8(leaf.pa) << (i * 8);
  }
  return value;
}

const LEVEL_SIZE = [0x1000, 0x200000, 0x40000000, 0x8000000000];
const LEAF_RIGHTS = TLB_W | TLB_U;

/** Present leaves in table order (user half first), from `fromVa` on when it is given. */
export function* leavesOf(memory: PhysicalMemory, root: number, fromVa?: number): Generator<MappedLeaf> {
  for (const leaf of tableLeaves(memory, root, 3, 0, LEAF_RIGHTS)) {
    if (fromVa === undefined || order(leaf.va) + leaf.size > order(fromVa)) yield leaf;
  }
}

/** Table order puts the negative (kernel) addresses after the positive ones. */
function order(va: number): number {
  return va < 0 ? va + 0x1000000000000 : va;
}

function* tableLeaves(
  memory: PhysicalMemory,
  table: number,
  level: number,
  base: number,
  above: number,
): Generator<MappedLeaf> {
  if (table < 0 || table + 4096 > memory.size) return;
  for (let i = 0; i < 512; i++) {
    const low = memory.words[(table >>> 2) + i * 2];
    if ((low & PTE_P) === 0) continue;
    const high = memory.words[(table >>> 2) + i * 2 + 1];
    const rights = combine(above, low, high);
    const va = base + i * LEVEL_SIZE[level];
    if (level > 0 && (low & PTE_PS) === 0) yield* tableLeaves(memory, low & -4096, level - 1, va, rights);
    else yield toLeaf(va, low, level, rights);
  }
}

/** What a walk over a table is told. Addresses are physical but `va`, which is the first one that is translated. */
export interface TableVisitor {
  /**
   * Before a page of the table is read; false leaves it out. `level` is 3 for the root; `rights` is equal where all the
   * entries that lead there grant the same.
   */
  enters(table: number, level: number, va: number, rights: number): boolean;
  /** False ends the walk. */
  finds(leaf: MappedLeaf): boolean;
}

/**
 * Goes through the present leaves that translate addresses from `from` up to and without `end`, in table order. False:
 * the visitor has ended the walk.
 */
export function visitLeaves(
  memory: PhysicalMemory,
  root: number,
  from: number,
  end: number,
  visitor: TableVisitor,
): boolean {
  const within = { first: order(from), end: end === 0 ? ALL : order(end) };
  return visitTable(memory, { table: root & -4096, level: 3, base: 0, rights: LEAF_RIGHTS }, within, visitor);
}

/** What 48 bits address. */
const ALL = 0x1000000000000;

interface Place {
  readonly table: number;
  readonly level: number;
  readonly base: number;
  readonly rights: number;
}

function visitTable(
  memory: PhysicalMemory,
  { table, level, base, rights: above }: Place,
  within: { readonly first: number; readonly end: number },
  visitor: TableVisitor,
): boolean {
  if (table < 0 || table + 4096 > memory.size || !visitor.enters(table, level, canonical(base), above)) return true;
  const size = LEVEL_SIZE[level];
  const first = Math.max(0, Math.floor((within.first - base) / size));
  const end = Math.min(512, Math.ceil((within.end - base) / size));
  for (let i = first; i < end; i++) {
    const low = memory.words[(table >>> 2) + i * 2];
    if ((low & PTE_P) === 0) continue;
    const rights = combine(above, low, memory.words[(table >>> 2) + i * 2 + 1]);
    const at = base + i * size;
    const isLeaf = level === 0 || (low & PTE_PS) !== 0;
    const goesOn = isLeaf
      ? visitor.finds(toLeaf(at, low, level, rights))
      : visitTable(memory, { table: low & -4096, level: level - 1, base: at, rights }, within, visitor);
    if (!goesOn) return false;
  }
  return true;
}

function combine(above: number, low: number, high: number): number {
  let rights = above;
  if ((low & PTE_RW) === 0) rights &= ~TLB_W;
  if ((low & PTE_US) === 0) rights &= ~TLB_U;
  if ((high & PTE_XD) !== 0) rights |= TLB_NX;
  return rights;
}

function canonical(va: number): number {
  return va >= ALL / 2 ? va - ALL : va;
}

function toLeaf(va: number, low: number, level: number, rights: number): MappedLeaf {
  return {
    va: canonical(va),
    pa: (low & -LEVEL_SIZE[level] & -4096) >>> 0,
    size: LEVEL_SIZE[level],
    writable: (rights & TLB_W) !== 0,
    user: (rights & TLB_U) !== 0,
    noExecute: (rights & TLB_NX) !== 0,
  };
}

/** One entry that a walk read. */
interface WalkedEntry {
  /** PML4, PDPT, PD or PT. */
  table: string;
  index: number;
  lo: number;
  hi: number;
  /**
   * Present, but with a bit set that must be 0: the walk ends here with RSVD. XD is legal, as everywhere in this view.
   */
  reserved: boolean;
}

const TABLE_NAMES = ['PML4', 'PDPT', 'PD', 'PT'];

/**
 * The entries that a walk from the PML4 at physical `root` reads for an address, down to the leaf or to the first entry
 * that ends the walk (SDM Vol. 3A, 4.5). Empty for a non-canonical address, which is never walked.
 */
export function walkedEntries(memory: PhysicalMemory, root: number, va: number): WalkedEntry[] {
  const lo = vaLo(va);
  const hi = vaHi(va);
  if (!isCanonical(lo, hi)) return [];
  const entries: WalkedEntry[] = [];
  let table = root & -4096;
  for (let level = 3; level >= 0; level--) {
    const at = entryAddress(table, level, lo, hi);
    if (at < 0 || at + 8 > memory.size) break;
    const low = memory.words[at >>> 2];
    const high = memory.words[(at >>> 2) + 1];
    const reserved = (low & PTE_P) !== 0 && isReserved(low, high, level, true);
    entries.push({ table: TABLE_NAMES[3 - level], index: (at & 0xfff) >>> 3, lo: low, hi: high, reserved });
    if ((low & PTE_P) === 0 || reserved || (level > 0 && (low & PTE_PS) !== 0)) break;
    table = low & -4096;
  }
  return entries;
}
