/**
 * The states of a region, as rows of bits: a row for each value of the outer CPU (and of a middle one), and in it a bit
 * for each value of the inner CPU. Most rows get all their bits early, for CPUs have little to do with each other: such
 * a row is only marked, and its words are neither read nor written any more.
 *
 * Rows are cut in stripes. What is kept of a stripe is written by one thread at a time.
 */
import { addRow, countBits, isComplete, transposeSquare, WORD_BITS, wordsFor } from './bit-matrix';

/** Numbers of values: bits of a row belong to the inner CPU. */
export interface Shape {
  readonly outer: number;
  readonly middle: number;
  readonly inner: number;
  readonly stripes: number;
}

/** Where a layout lies; all zero in the beginning. */
export interface Storage {
  readonly words: Int32Array;
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
export function bytesOf({ outer, middle, stripes }: Shape): number {
  return stripes * outer * (middle + 1);
}

/** The word of a row at which a stripe begins. */
function stripeStart(words: number, stripe: number, stripes: number): number {
  return Math.floor((words * stripe) / stripes);
}

const square = new Int32Array(WORD_BITS);
/** The first words of rows; or what they have where that is none or all. */
const places = new Int32Array(WORD_BITS);

export class Layout {
  private readonly shape: Shape;
  private readonly words: Int32Array;
  private readonly at: number;
  /** Words of a row. */
  private readonly row: number;
  private readonly rows: number;
  /** The first word of each stripe, and the end of the last one. */
  private readonly starts: readonly number[];
  /** By the stripe, then by the row. */
  private readonly kinds: Uint8Array;
  /** By the stripe, then by the outer value. */
  private readonly marks: Uint8Array;

  constructor(shape: Shape, { words, at, bytes, bytesAt }: Storage) {
    const { outer, middle, inner, stripes } = shape;
    this.shape = shape;
    this.words = words;
    this.at = at;
    this.row = wordsFor(inner);
    this.rows = outer * middle;
    this.starts = Array.from({ length: stripes + 1 }, (_, stripe) => stripeStart(this.row, stripe, stripes));
    const marksAt = bytesAt + stripes * this.rows;
    this.kinds = bytes.subarray(bytesAt, marksAt);
    this.marks = bytes.subarray(marksAt, marksAt + stripes * outer);
  }

  /** Sets one bit; for the initial state. */
  set(row: number, bit: number): void {
    const stripe = this.starts.findIndex((start) => start > bit >>> 5) - 1;
    this.kinds[stripe * this.rows + row] = SOME;
    this.words[this.at + row * this.row + (bit >>> 5)] |= 1 << (bit & 31);
    this.change(stripe, Math.floor(row / this.shape.middle));
  }

  has(row: number, bit: number): boolean {
    const stripe = this.starts.findIndex((start) => start > bit >>> 5) - 1;
    const kind = this.kinds[stripe * this.rows + row];
    return kind === ALL || ((this.words[this.at + row * this.row + (bit >>> 5)] >>> (bit & 31)) & 1) === 1;
  }

  /** Bits of a row. */
  count(row: number): number {
    const { starts, shape } = this;
    let sum = 0;
    for (let stripe = 0; stripe < shape.stripes; stripe++) {
      const kind = this.kinds[stripe * this.rows + row];
      const from = this.at + row * this.row;
      if (kind === ALL) sum += this.bitsOf(stripe);
      else if (kind === SOME) sum += countBits(this.words, from + starts[stripe], from + starts[stripe + 1]);
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
    const start = this.starts[stripe];
    const into = to.at + other * to.row + start;
    if (!addRow(this.words, this.at + row * this.row + start, to.words, into, this.starts[stripe + 1] - start))
      return false;
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
    for (let bits = 0; bits < to.shape.stripes; bits++) {
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
    const { outer, middle } = this.shape;
    const [first, end] = [this.starts[stripe], this.starts[stripe + 1]];
    for (let column = to.starts[bits]; column < to.starts[bits + 1]; column++) {
      const block = column * WORD_BITS;
      const count = Math.min(WORD_BITS, outer - block);
      if (!this.isMarked(stripe, CHANGED, block, block + count)) continue;
      this.locate(stripe, m, block, count);
      for (let word = first; word < end; word++) if (this.gather(word)) this.scatter(to, bits, m, word, column);
    }
    const last = first * WORD_BITS + this.bitsOf(stripe);
    for (let value = first * WORD_BITS; value < last; value++) {
      if ((to.marks[bits * to.shape.outer + value] & DIRTY) === 0) continue;
      const row = value * middle + m;
      const slot = bits * to.rows + row;
      if (to.kinds[slot] !== SOME) continue;
      if (isComplete(to.words, to.at + row * to.row + to.starts[bits], to.bitsOf(bits))) to.kinds[slot] = ALL;
    }
  }

  /** Finds the rows of a block of outer values. */
  private locate(stripe: number, m: number, block: number, count: number): void {
    const { middle } = this.shape;
    places.fill(-1 - NONE);
    for (let r = 0; r < count; r++) {
      const row = (block + r) * middle + m;
      const kind = this.kinds[stripe * this.rows + row];
      places[r] = kind === SOME ? this.at + row * this.row : -1 - kind;
    }
  }

  /** Gets one word of each row of the block, transposed; answers whether there is any bit. */
  private gather(word: number): boolean {
    const { words } = this;
    let any = 0;
    let all = -1;
    for (let r = 0; r < WORD_BITS; r++) {
      const place = places[r];
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
    const { words, kinds, marks, shape, row } = to;
    const first = word * WORD_BITS;
    const count = Math.min(WORD_BITS, shape.outer - first);
    for (let r = 0; r < count; r++) {
      const value = first + r;
      const slot = bits * to.rows + value * shape.middle + m;
      if (kinds[slot] === ALL) continue;
      const at = to.at + (value * shape.middle + m) * row + column;
      const was = words[at];
      if ((square[r] & ~was) === 0) continue;
      words[at] = was | square[r];
      kinds[slot] = SOME;
      marks[bits * shape.outer + value] |= DIRTY;
    }
  }
}
