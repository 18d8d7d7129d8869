/**
 * The states of a region, as rows of bits: a row for each value of the outer CPU (and of a middle one), and in it a bit
 * for each value of the inner CPU. Most rows get all their bits early, for CPUs have little to do with each other: such
 * a row is only marked, and its words are neither read nor written any more.
 *
 * Rows are cut in stripes. What is kept of a stripe lies together, and is written by one thread at a time.
 */
import { PAGE_BITS } from '../state-set';
import { addRow, countBits, isComplete, transposeSquare, WORD_BITS, wordsFor } from './bit-matrix';

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
const NONE = 0;
const SOME = 1;
const ALL = 2;

/** Marks of an outer value in a stripe: not all of its steps have been taken; the other layout does not know of it. */
const DIRTY = 1;
const CHANGED = 2;

/** Words that a layout takes. */
export function wordsOf({ outer, middle, inner }: Shape): number {
  return outer * middle * wordsFor(inner);
}

/** Bytes that a layout takes beside its words. */
export function bytesOf({ outer, middle, starts }: Shape): number {
  return (starts.length - 1) * outer * (middle + 1);
}

const square = new Int32Array(WORD_BITS);
/** By the outer value, the first word of its row; or below 0 where it has no bits or all. */
let places = new Int32Array(WORD_BITS);

export class Layout {
  private readonly shape: Shape;
  private readonly words: Int32Array;
  private readonly pages: Uint8Array;
  private readonly at: number;
  private readonly rows: number;
  private readonly stripes: number;
  private readonly starts: readonly number[];
  /** By the stripe, then by the row. */
  private readonly kinds: Uint8Array;
  /** By the stripe, then by the outer value. */
  private readonly marks: Uint8Array;

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

  /** Adds a row to one of a layout with the same inner CPU; answers whether there were new bits. */
  add(stripe: number, row: number, to: Layout, other: number): boolean {
    const source = this.kinds[stripe * this.rows + row];
    const slot = stripe * to.rows + other;
    if (source === NONE || to.kinds[slot] === ALL) return false;
    if (source === ALL) {
      to.kinds[slot] = ALL;
      return true;
    }
    const into = to.placeOf(stripe, other);
    if (!addRow(this.words, this.placeOf(stripe, row), to.words, into, this.widthOf(stripe))) return false;
    for (let page = into >>> PAGE_BITS; page <= (into + this.widthOf(stripe) - 1) >>> PAGE_BITS; page++)
      to.pages[page] = 1;
    to.kinds[slot] = isComplete(to.words, into, to.bitsOf(stripe)) ? ALL : SOME;
    return true;
  }

  /** Are there outer values whose steps have to be taken? */
  isDirty(stripe: number): boolean {
    return this.isMarked(stripe, DIRTY, 0, this.shape.outer);
  }

  /** Takes the mark from an outer value; answers whether it was dirty. */
  clean(stripe: number, value: number): boolean {
    const slot = stripe * this.shape.outer + value;
    if ((this.marks[slot] & DIRTY) === 0) return false;
    this.marks[slot] &= ~DIRTY;
    return true;
  }

  /** Have all rows all bits of the stripe? */
  isFull(stripe: number): boolean {
    for (let slot = stripe * this.rows; slot < (stripe + 1) * this.rows; slot++)
      if (this.kinds[slot] !== ALL) return false;
    return true;
  }

  /** Takes the marks from all outer values. */
  cleanAll(stripe: number): void {
    const { outer } = this.shape;
    for (let slot = stripe * outer; slot < (stripe + 1) * outer; slot++) this.marks[slot] &= ~DIRTY;
  }

  /** Makes all outer values dirty that have bits. */
  reopen(stripe: number): void {
    const { outer, middle } = this.shape;
    for (let row = 0; row < this.rows; row++)
      if (this.kinds[stripe * this.rows + row] !== NONE) this.marks[stripe * outer + Math.floor(row / middle)] |= DIRTY;
  }

  /** An outer value has got new bits. */
  change(stripe: number, value: number): void {
    this.marks[stripe * this.shape.outer + value] = DIRTY | CHANGED;
  }

  /**
   * Brings the other layout of the same region up to date with what has changed in a stripe. What is new is dirty
   * there. Writes only those rows of `to` whose outer values are bits of the stripe.
   */
  turnInto(to: Layout, stripe: number): void {
    const { outer, middle } = this.shape;
    for (let bits = 0; bits < to.stripes; bits++) {
      const first = to.starts[bits] * WORD_BITS;
      const end = Math.min(outer, to.starts[bits + 1] * WORD_BITS);
      if (!this.isMarked(stripe, CHANGED, first, end)) continue;
      for (let m = 0; m < middle; m++) {
        if (this.isAll(stripe, m, first, end)) this.fill(to, stripe, bits, m);
        else this.turnTile(to, stripe, bits, m);
      }
    }
    this.marks.fill(0, stripe * outer, (stripe + 1) * outer);
  }

  private stripeOf(bit: number): number {
    return this.starts.findIndex((start) => start > bit >>> 5) - 1;
  }

  /** The first word of a row in a stripe. */
  private placeOf(stripe: number, row: number): number {
    return this.at + this.rows * this.starts[stripe] + row * this.widthOf(stripe);
  }

  private widthOf(stripe: number): number {
    return this.starts[stripe + 1] - this.starts[stripe];
  }

  private isMarked(stripe: number, mark: number, first: number, end: number): boolean {
    const from = stripe * this.shape.outer;
    for (let slot = from + first; slot < from + end; slot++) if ((this.marks[slot] & mark) !== 0) return true;
    return false;
  }

  /** Have the rows of these outer values all bits? */
  private isAll(stripe: number, m: number, first: number, end: number): boolean {
    const { middle } = this.shape;
    const from = stripe * this.rows + m;
    for (let value = first; value < end; value++) if (this.kinds[from + value * middle] !== ALL) return false;
    return true;
  }

  private bitsOf(stripe: number): number {
    const start = this.starts[stripe] * WORD_BITS;
    return Math.min(this.shape.inner, this.starts[stripe + 1] * WORD_BITS) - start;
  }

  /** The outer values of `to` that are bits of this stripe get all bits of the stripe `bits`. */
  private fill(to: Layout, stripe: number, bits: number, m: number): void {
    const { middle } = this.shape;
    const end = this.starts[stripe] * WORD_BITS + this.bitsOf(stripe);
    for (let value = this.starts[stripe] * WORD_BITS; value < end; value++) {
      const slot = bits * to.rows + value * middle + m;
      if (to.kinds[slot] === ALL) continue;
      to.kinds[slot] = ALL;
      to.marks[bits * to.shape.outer + value] |= DIRTY;
    }
  }

  /** Turns the bits of a stripe here, and of the stripe `bits` there, by squares of words. */
  private turnTile(to: Layout, stripe: number, bits: number, m: number): void {
    const { middle } = this.shape;
    const [first, end] = [this.starts[stripe], this.starts[stripe + 1]];
    const columns = this.changedColumns(to, stripe, bits);
    this.locate(stripe, m, to.starts[bits] * WORD_BITS, to.starts[bits + 1] * WORD_BITS);
    // Rows of `to` lie together, and most rows here have all bits and are not read.
    for (let word = first; word < end; word++)
      for (const column of columns)
        if (this.gather(column * WORD_BITS, word - first)) this.scatter(to, bits, m, word, column);
    const last = first * WORD_BITS + this.bitsOf(stripe);
    for (let value = first * WORD_BITS; value < last; value++) {
      if ((to.marks[bits * to.shape.outer + value] & DIRTY) === 0) continue;
      const row = value * middle + m;
      const slot = bits * to.rows + row;
      if (to.kinds[slot] !== SOME) continue;
      if (isComplete(to.words, to.placeOf(bits, row), to.bitsOf(bits))) to.kinds[slot] = ALL;
    }
  }

  /** Columns of words of `to`, in its stripe `bits`, for which something has changed here. */
  private changedColumns(to: Layout, stripe: number, bits: number): number[] {
    const columns: number[] = [];
    for (let column = to.starts[bits]; column < to.starts[bits + 1]; column++) {
      const block = column * WORD_BITS;
      if (this.isMarked(stripe, CHANGED, block, Math.min(this.shape.outer, block + WORD_BITS))) columns.push(column);
    }
    return columns;
  }

  /** Finds the rows of outer values. */
  private locate(stripe: number, m: number, from: number, to: number): void {
    const { outer, middle } = this.shape;
    if (places.length < to) places = new Int32Array(to);
    places.fill(-1 - NONE, from, to);
    for (let value = from; value < Math.min(outer, to); value++) {
      const row = value * middle + m;
      const kind = this.kinds[stripe * this.rows + row];
      places[value] = kind === SOME ? this.placeOf(stripe, row) : -1 - kind;
    }
  }

  /**
   * Gets one word of each row of a block of outer values, in this stripe, transposed; answers whether there is any bit.
   */
  private gather(block: number, word: number): boolean {
    const { words } = this;
    let any = 0;
    let all = -1;
    for (let r = 0; r < WORD_BITS; r++) {
      const place = places[block + r];
      const bits = place >= 0 ? words[place + word] : place === -1 - ALL ? -1 : 0;
      square[r] = bits;
      any |= bits;
      all &= bits;
    }
    if (any !== 0 && all !== -1) transposeSquare(square);
    return any !== 0;
  }

  /** Adds the square to one column of words of `to`. */
  private scatter(to: Layout, bits: number, m: number, word: number, column: number): void {
    const { words, pages, kinds, marks, shape } = to;
    const width = to.widthOf(bits);
    const start = to.placeOf(bits, 0) + column - to.starts[bits];
    const first = word * WORD_BITS;
    const count = Math.min(WORD_BITS, shape.outer - first);
    for (let r = 0; r < count; r++) {
      const value = first + r;
      const row = value * shape.middle + m;
      const slot = bits * to.rows + row;
      if (kinds[slot] === ALL) continue;
      const at = start + row * width;
      const was = words[at];
      if ((square[r] & ~was) === 0) continue;
      words[at] = was | square[r];
      pages[at >>> PAGE_BITS] = 1;
      kinds[slot] = SOME;
      marks[bits * shape.outer + value] |= DIRTY;
    }
  }
}
