/**
 * Rows of bits: a row for each value of the outer CPU (and of a middle one), and in it a bit for each value of the
 * inner CPU. Most rows get all their bits early, for CPUs have little to do with each other: such a row is only marked,
 * and its words are neither read nor written any more.
 *
 * Rows are cut in stripes. What is kept of a stripe lies together, and is written by one thread at a time.
 */
import { PAGE_BITS } from '../state-set';
import { countBits, WORD_BITS, wordsFor } from './bit-matrix';

/** Numbers of values: bits of a row belong to the inner CPU. */
export interface Shape {
  readonly outer: number;
  readonly middle: number;
  readonly inner: number;
  /** The word of a row at which each stripe begins, and the end of the last one. */
  readonly starts: readonly number[];
}

/** Where a layout lies; all zero in the beginning. */
export interface Storage {
  readonly words: Int32Array;
  /** For each page of the words: 0 if it has not been written. */
  readonly pages: Uint8Array;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly bytesAt: number;
}

/** Kinds of a row in a stripe: it has no bits, its words tell, or it has all bits whatever its words are. */
export const NONE = 0;
export const SOME = 1;
export const ALL = 2;

/**
 * Marks of an outer value in a stripe: not all of its steps have been taken, nor those along the skeleton (FRESH, and
 * never without DIRTY); the other layout does not know of it.
 */
export const DIRTY = 1;
export const CHANGED = 2;
const FRESH = 4;

/** Which marks tell that steps have to be taken: along the skeleton, or all. */
export const ALONG_SKELETON = FRESH;
export const ALL_STEPS = DIRTY | FRESH;

/** Of a stripe: has it values with each of the marks, and have all of its rows all bits? */
const STRIPE_BYTES = 3;

/** Words that a layout takes. */
export function wordsOf({ outer, middle, inner }: Shape): number {
  return outer * middle * wordsFor(inner);
}

/** Bytes that a layout takes beside its words. */
export function bytesOf({ outer, middle, starts }: Shape): number {
  return (starts.length - 1) * (outer * (middle + 1) + STRIPE_BYTES);
}

/** What layout.ts and turn.ts work on. */
export class Rows {
  readonly shape: Shape;
  readonly words: Int32Array;
  readonly pages: Uint8Array;
  readonly at: number;
  readonly rows: number;
  readonly stripes: number;
  readonly starts: readonly number[];
  /** By the stripe, then by the row. */
  readonly kinds: Uint8Array;
  /** By the stripe, then by the outer value. */
  readonly marks: Uint8Array;
  /** By the stripe: may any value be dirty, or changed? */
  readonly dirty: Uint8Array;
  readonly changed: Uint8Array;
  /** By the stripe: have all rows all bits? */
  readonly full: Uint8Array;

  constructor(shape: Shape, { words, pages, at, bytes, bytesAt }: Storage) {
    const { outer, middle, starts } = shape;
    const stripes = starts.length - 1;
    this.shape = shape;
    this.words = words;
    this.pages = pages;
    this.at = at;
    this.rows = outer * middle;
    this.stripes = stripes;
    this.starts = starts;
    const marksAt = bytesAt + stripes * this.rows;
    this.kinds = bytes.subarray(bytesAt, marksAt);
    this.marks = bytes.subarray(marksAt, marksAt + stripes * outer);
    const dirtyAt = marksAt + stripes * outer;
    this.dirty = bytes.subarray(dirtyAt, dirtyAt + stripes);
    this.changed = bytes.subarray(dirtyAt + stripes, dirtyAt + 2 * stripes);
    this.full = bytes.subarray(dirtyAt + 2 * stripes, dirtyAt + 3 * stripes);
  }

  /** Sets one bit; for the initial state. */
  set(row: number, bit: number): void {
    const stripe = this.stripeOf(bit);
    this.kinds[stripe * this.rows + row] = SOME;
    const place = this.placeOf(stripe, row) + (bit >>> 5) - this.starts[stripe];
    this.words[place] |= 1 << (bit & 31);
    this.pages[place >>> PAGE_BITS] = 1;
    this.change(stripe, Math.floor(row / this.shape.middle));
  }

  has(row: number, bit: number): boolean {
    const stripe = this.stripeOf(bit);
    if (this.kinds[stripe * this.rows + row] === ALL) return true;
    const word = this.words[this.placeOf(stripe, row) + (bit >>> 5) - this.starts[stripe]];
    return ((word >>> (bit & 31)) & 1) === 1;
  }

  /** Bits of a row. */
  count(row: number): number {
    let sum = 0;
    for (let stripe = 0; stripe < this.stripes; stripe++) {
      const kind = this.kinds[stripe * this.rows + row];
      const place = this.placeOf(stripe, row);
      if (kind === ALL) sum += this.bitsOf(stripe);
      else if (kind === SOME) sum += countBits(this.words, place, place + this.widthOf(stripe));
    }
    return sum;
  }

  /** An outer value has got new bits. */
  change(stripe: number, value: number): void {
    this.marks[stripe * this.shape.outer + value] = ALL_STEPS | CHANGED;
    // The bytes of several stripes lie in one line of the cache, and other threads write theirs.
    if (this.dirty[stripe] === 0) this.dirty[stripe] = 1;
    if (this.changed[stripe] === 0) this.changed[stripe] = 1;
  }

  stripeOf(bit: number): number {
    return this.starts.findIndex((start) => start > bit >>> 5) - 1;
  }

  /** The first word of a row in a stripe. */
  placeOf(stripe: number, row: number): number {
    return this.at + this.rows * this.starts[stripe] + row * this.widthOf(stripe);
  }

  widthOf(stripe: number): number {
    return this.starts[stripe + 1] - this.starts[stripe];
  }

  bitsOf(stripe: number): number {
    const start = this.starts[stripe] * WORD_BITS;
    return Math.min(this.shape.inner, this.starts[stripe + 1] * WORD_BITS) - start;
  }
}
