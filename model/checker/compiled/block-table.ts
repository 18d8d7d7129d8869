/**
 * The set of states where the array of state-set.ts has no room for all that would have to be reserved: a hash table of
 * blocks. It takes memory for the blocks that are met and for no others, whatever the number of CPUs. Blocks, entries
 * and what `mark` does with them are those of the kernel (kernel.ts, kernel-source.ts); of the places that the kernel
 * computes only the lowest bit, whether a successor is awake, is looked at.
 *
 *   slot: | words of the state, as in an entry; the first one 0: free | which of its states have been met | hint |
 *
 * A reduced search has no hints.
 *
 * The table is many arrays, so that one of them grows at a time, and none is too large. It belongs to one thread.
 */
import { batchStride, entryStride, R_PAGES, R_STATES } from './kernel';
import { hashOf } from './place-index';
import { PAGE_BYTES } from './state-set';

const PART_BITS = 6;
const PARTS = 1 << PART_BITS;
/** The bits of a hash that do not choose a part. */
const REST = 2 ** (32 - PART_BITS);
const FIRST_SLOTS = 32;
const GROWTH = 1.5;
const GROW_AT = 0.75;
/** Where there is no memory for more. */
const FULL_AT = 0.95;
/** Slots of a part: an Int32Array takes as many words. */
const MOST_PART_WORDS = 2 ** 30;

interface Part {
  table: Int32Array;
  slots: number;
  used: number;
}

/** Bits of a word (Hacker's Delight, 5-1). */
function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Every bit of it depends on every bit of the words (the end of MurmurHash3): neighbours in a part differ anywhere. */
function blockHash(words: Int32Array, from: number, length: number): number {
  let h = hashOf(words, from, length, 0);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export class BlockTable {
  /** What `look` has read, so that no compiler leaves that out. */
  seen = 0;
  private readonly words: number;
  private readonly stride: number;
  private readonly hasHints: boolean;
  private readonly parts: readonly Part[];
  private readonly hashes: Int32Array;
  private slots = PARTS * FIRST_SLOTS;
  private pages = 0;

  /** `words`: of a state; `batch`: successors that are marked at a time, at most. */
  constructor(words: number, hasHints: boolean, batch: number) {
    this.words = words;
    this.hasHints = hasHints;
    this.stride = words + (hasHints ? 2 : 1);
    this.parts = Array.from({ length: PARTS }, () => this.makePart(FIRST_SLOTS));
    this.hashes = new Int32Array(batch);
  }

  get bytes(): number {
    return this.slots * this.stride * 4;
  }

  /** Makes room for so many blocks more, in a table of at most so many bytes; answers whether there is. */
  reserve(blocks: number, mostBytes: number): boolean {
    for (const part of this.parts) {
      while (part.used + blocks > part.slots * GROW_AT && this.grow(part, mostBytes));
      if (part.used + blocks > part.slots * FULL_AT) return false;
    }
    return true;
  }

  /**
   * Marks the successors out[0..n), for which there is room. What is new goes to the entry of its block in list[..end),
   * or to a new one. Returns the new end. `base`: what a hint of this level is counted from.
   */
  mark(out: Int32Array, n: number, list: Int32Array, end: number, base: number, result: Int32Array): number {
    const { words, stride, hashes, parts, hasHints } = this;
    const step = batchStride(words);
    this.look(out, n);
    let states = 0;
    let at = end;
    for (let p = 0, i = 0; p < n; p += step, i++) {
      const part = parts[hashes[i] >>> (32 - PART_BITS)];
      const { table } = part;
      const slot = this.find(part, hashes[i], out, p);
      const bits = out[p + words + 1];
      const met = table[slot + words];
      const fresh = bits & ~met;
      table[slot + words] = met | bits;
      if (hasHints) {
        const awake = out[p + words] & 1;
        if (fresh === 0 && awake === 1) continue;
        // If the block has an entry in the next level, the states join that (joinText() in kernel-source.ts).
        const entry = table[slot + stride - 1] - base;
        if (entry >= 0 && entry < at && this.isSame(list, entry, out, p)) {
          list[entry + words] |= fresh;
          if (awake === 1) list[entry + words + 1] |= fresh;
          else list[entry + words + 1] &= ~bits;
          states += popcount(fresh);
          continue;
        }
        if (fresh === 0) continue;
        list[at + words + 1] = fresh & -awake;
        table[slot + stride - 1] = base + at;
      } else if (fresh === 0) continue;
      states += popcount(fresh);
      for (let w = 0; w < words; w++) list[at + w] = out[p + w];
      list[at + words] = fresh;
      at += entryStride(words);
    }
    result[R_STATES] = states;
    const pages = Math.ceil(this.bytes / PAGE_BYTES);
    result[R_PAGES] = pages - this.pages;
    this.pages = pages;
    return at;
  }

  /** Leaves the hashes of successors in `hashes`. The reads do not depend on each other: their cache misses overlap. */
  private look(out: Int32Array, n: number): void {
    const { words, hashes, parts } = this;
    const step = batchStride(words);
    let seen = 0;
    for (let p = 0, i = 0; p < n; p += step, i++) {
      const hash = blockHash(out, p, words);
      const part = parts[hash >>> (32 - PART_BITS)];
      hashes[i] = hash;
      seen ^= part.table[this.home(part, hash)];
    }
    this.seen = seen;
  }

  /** The place of the block whose state stands at words[from..]; a new one if there was none. */
  private find(part: Part, hash: number, words: Int32Array, from: number): number {
    const { table, slots } = part;
    const { stride } = this;
    const end = slots * stride;
    let slot = this.home(part, hash);
    while (table[slot] !== 0) {
      if (this.isSame(table, slot, words, from)) return slot;
      slot += stride;
      if (slot === end) slot = 0;
    }
    for (let w = 0; w < this.words; w++) table[slot + w] = words[from + w];
    part.used++;
    return slot;
  }

  private isSame(a: Int32Array, i: number, b: Int32Array, j: number): boolean {
    for (let w = 0; w < this.words; w++) if (a[i + w] !== b[j + w]) return false;
    return true;
  }

  private home({ slots }: Part, hash: number): number {
    return Math.floor(((hash & (REST - 1)) * slots) / REST) * this.stride;
  }

  private makePart(slots: number): Part {
    return { table: new Int32Array(slots * this.stride), slots, used: 0 };
  }

  /** Answers whether the part has grown. */
  private grow(part: Part, mostBytes: number): boolean {
    const { stride } = this;
    const slots = Math.ceil(part.slots * GROWTH);
    const bytes = this.bytes + (slots - part.slots) * stride * 4;
    if (bytes > mostBytes || slots * stride > MOST_PART_WORDS) return false;
    const { table } = part;
    this.slots += slots - part.slots;
    Object.assign(part, { ...this.makePart(slots), used: part.used });
    const end = slots * stride;
    for (let from = 0; from < table.length; from += stride) {
      if (table[from] === 0) continue;
      let slot = this.home(part, blockHash(table, from, this.words));
      while (part.table[slot] !== 0) {
        slot += stride;
        if (slot === end) slot = 0;
      }
      for (let w = 0; w < stride; w++) part.table[slot + w] = table[from + w];
    }
    return true;
  }
}
