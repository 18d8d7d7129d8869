/**
 * One CPU's translation cache (SDM vol. 3, 4.10): software-filled, deterministic, one direct-mapped table per PCID plus
 * one for Global pages. Every change goes through `put`, which logs it, so that a rollback restores the cache exactly.
 * Left out: paging-structure caches (walks always read the tables) and speculative fills.
 *
 *   table t, at t * TABLE_WORDS:  | gen | - | - | - | entry 0 | entry 1 | ... | entry 255 |
 *   entry, 4 words:               | va[31:12] gen[11:0] | va[63:32] | pa[31:12] flags | - |
 *
 * An entry is valid when its 12-bit generation is that of its table: a flush is one increment. When the generation
 * would wrap, the table is really cleared. A Global entry that is used under a PCID is copied into that PCID's table so
 * that the fast path probes once; copies carry the G flag, are not hashed, and vanish with every flush of the table.
 */
import { mix, remix } from '../hash';
import { tlbPlace, type UndoLog } from '../memory/undo-log';

/** Flags in the low bits of an entry's third word. */
export const TLB_W = 1,
  TLB_U = 2,
  TLB_NX = 4,
  TLB_D = 8,
  TLB_G = 16;
/** The entry is a 4 KiB piece of a 2 MiB or 1 GiB page: INVLPG must find all the pieces. */
export const TLB_2M = 32,
  TLB_1G = 64;
/** Not RAM: no fast path. */
export const TLB_IO = 128;

const ENTRIES = 256;
const HEADER = 4;
const TABLE_WORDS = HEADER + ENTRIES * 4;
const MAX_GENERATION = 0xfff;
/** Slot 0 is the table of Global entries. */
const GLOBAL_TABLE = 0;

/** The translations of two pages, given by the low words of addresses, have the same place in their tables. */
export function sameTlbPlace(lo: number, other: number): boolean {
  return ((lo ^ other) & ((ENTRIES - 1) << 12)) === 0;
}

export class Tlb {
  entries: Int32Array;
  /** Index of entry 0 of the current PCID's table, and that table's generation: what the fast path needs. */
  base = 0;
  gen = 1;
  private readonly cpu: number;
  private readonly undo: UndoLog;
  private readonly slotOfPcid = new Int32Array(4096);
  private readonly pcidOfSlot: number[] = [-1];
  private current = 0;
  /**
   * The 1 GiB that any piece of a large page was ever cached for: `lo[31:30] hi`. A hint where to look for pieces, so
   * nothing is ever taken back.
   */
  private readonly pieces: number[] = [];

  constructor(cpu: number, undo: UndoLog) {
    this.cpu = cpu;
    this.undo = undo;
    this.entries = new Int32Array(TABLE_WORDS * 4);
    this.entries[0] = 1;
    this.select(0);
  }

  /** Makes `pcid`'s table the current one, allocating it on first use: a fresh table reads as an empty one. */
  select(pcid: number): void {
    this.current = this.slotOfPcid[pcid] || this.allocate(pcid);
    this.base = this.current * TABLE_WORDS + HEADER;
    this.gen = this.entries[this.current * TABLE_WORDS];
  }

  /** Index of the entry's first word, or -1. `table` is 0 for Global entries, else the current one. */
  find(global: boolean, lo: number, hi: number): number {
    const table = (global ? GLOBAL_TABLE : this.current) * TABLE_WORDS;
    const i = table + HEADER + ((lo >>> 10) & 0x3fc);
    return this.entries[i] === ((lo & -4096) | this.entries[table]) && this.entries[i + 1] === hi ? i : -1;
  }

  insert(lo: number, hi: number, entry: number): void {
    if ((entry & TLB_G) !== 0) this.fill(GLOBAL_TABLE, lo, hi, entry);
    this.fill(this.current, lo, hi, entry);
  }

  /** Copies a Global entry to where the fast path looks. */
  promote(lo: number, hi: number, index: number): void {
    this.fill(this.current, lo, hi, this.entries[index + 2]);
  }

  /** MOV CR3 without bit 63, INVPCID type 1: everything of that PCID but Global entries. */
  flushPcid(pcid: number): void {
    const slot = this.slotOfPcid[pcid];
    if (slot !== 0) this.flushTable(slot);
  }

  flushAllButGlobal(): void {
    for (let slot = 1; slot < this.pcidOfSlot.length; slot++) this.flushTable(slot);
  }

  flushAll(): void {
    for (let slot = 0; slot < this.pcidOfSlot.length; slot++) this.flushTable(slot);
  }

  /** INVLPG: this address in the current PCID, and Global entries for it whatever the PCID. */
  invalidatePage(lo: number, hi: number): void {
    for (let slot = 0; slot < this.pcidOfSlot.length; slot++) {
      this.dropPage(slot, lo, hi, slot === this.current ? 0 : TLB_G);
    }
  }

  /** INVPCID type 0: this address in that PCID, Global entries stay. Dropping a copy of one changes nothing. */
  invalidatePageOf(pcid: number, lo: number, hi: number): void {
    const slot = this.slotOfPcid[pcid];
    if (slot !== 0) this.dropPage(slot, lo, hi, 0);
  }

  /**
   * One lane of the contents as a hash, independent of slot order and of generations. Asked much more rarely than
   * entries change, so it is summed when it is asked for. Invalid entries and copies of Global ones have no term.
   */
  hash(lane: number): number {
    const e = this.entries;
    let hash = 0;
    for (let slot = 0; slot < this.pcidOfSlot.length; slot++) {
      const table = slot * TABLE_WORDS;
      const who = this.pcidOfSlot[slot] ^ (this.cpu << 8);
      for (let i = table + HEADER; i < table + TABLE_WORDS; i += 4) {
        if ((e[i] & 0xfff) !== e[table] || (slot !== GLOBAL_TABLE && (e[i + 2] & TLB_G) !== 0)) continue;
        const term = mix(mix((e[i] & -4096) ^ who, e[i + 1]), e[i + 2]);
        hash = (hash + (lane === 0 ? term : remix(term))) | 0;
      }
    }
    return hash;
  }

  /** One logged word put back; `select` must follow. */
  restore(index: number, value: number): void {
    this.entries[index] = value;
  }

  private put(index: number, value: number): void {
    const old = this.entries[index];
    if (old === value) return;
    if (this.undo.active) this.undo.push(tlbPlace(index, this.cpu), old);
    this.entries[index] = value;
  }

  private allocate(pcid: number): number {
    const slot = this.pcidOfSlot.length;
    const needed = (slot + 1) * TABLE_WORDS;
    if (needed > this.entries.length) {
      const larger = new Int32Array(needed * 2);
      larger.set(this.entries);
      this.entries = larger;
    }
    // Not logged: an allocated empty table and no table at all mean the same, also to the hash.
    this.entries[slot * TABLE_WORDS] = 1;
    this.pcidOfSlot.push(pcid);
    this.slotOfPcid[pcid] = slot;
    return slot;
  }

  private fill(slot: number, lo: number, hi: number, entry: number): void {
    const table = slot * TABLE_WORDS;
    const i = table + HEADER + ((lo >>> 10) & 0x3fc);
    if ((entry & (TLB_2M | TLB_1G)) !== 0 && !this.mayHavePieces(lo, hi)) this.pieces.push(gigabyte(lo, hi));
    this.put(i, (lo & -4096) | this.entries[table]);
    this.put(i + 1, hi);
    this.put(i + 2, entry);
  }

  private flushTable(slot: number): void {
    const table = slot * TABLE_WORDS;
    if (this.entries[table] === MAX_GENERATION) {
      for (let i = table + HEADER; i < table + TABLE_WORDS; i += 4) this.put(i, 0);
      this.put(table, 0);
    }
    this.put(table, this.entries[table] + 1);
    if (slot === this.current) this.gen = this.entries[table];
  }

  /**
   * Drops entries for the page of `lo/hi`, all pieces of a large one; `only` restricts it to entries with that flag.
   * Without pieces nearby there is one place to look at: every page fault comes here.
   */
  private dropPage(slot: number, lo: number, hi: number, only: number): void {
    const first = slot * TABLE_WORDS + HEADER;
    if (this.mayHavePieces(lo, hi))
      for (let i = first; i < first + ENTRIES * 4; i += 4) this.dropIfOf(slot, i, lo, hi, only);
    else this.dropIfOf(slot, first + ((lo >>> 10) & 0x3fc), lo, hi, only);
  }

  private mayHavePieces(lo: number, hi: number): boolean {
    return this.pieces.includes(gigabyte(lo, hi));
  }

  /** Drops the entry at `i` if it translates `lo/hi`, or is a piece of the large page that does. */
  private dropIfOf(slot: number, i: number, lo: number, hi: number, only: number): void {
    const e = this.entries;
    if ((e[i] & 0xfff) !== e[slot * TABLE_WORDS] || e[i + 1] !== hi || (e[i + 2] & only) !== only) return;
    const mask = (e[i + 2] & TLB_1G) !== 0 ? -0x40000000 : (e[i + 2] & TLB_2M) !== 0 ? -0x200000 : -4096;
    if (((e[i] ^ lo) & mask) === 0) this.put(i, 0);
  }
}

/** Names the 1 GiB that an address lies in. */
function gigabyte(lo: number, hi: number): number {
  return hi * 4 + (lo >>> 30);
}
