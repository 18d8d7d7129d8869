/** Turns rows of bits (rows.ts): what has changed in one layout of a region is brought to the other one. */
import { PAGE_BITS } from '../state-set';
import { isComplete, transposeSquare, WORD_BITS } from './bit-matrix';
import { ALL, ALL_STEPS, CHANGED, DIRTY, NONE, type Rows, SOME } from './rows';

const square = new Int32Array(WORD_BITS);
/** By the outer value, the first word of its row; or below 0 where it has no bits or all. */
let places = new Int32Array(WORD_BITS);

/**
 * Brings the other layout of the same region up to date with what has changed in a stripe. What is new is dirty
 * there. Writes only those rows of `to` whose outer values are bits of the stripe.
 */
export function turnStripe(from: Rows, to: Rows, stripe: number): void {
  const { outer, middle } = from.shape;
  for (let bits = 0; bits < to.stripes && from.changed[stripe] === 1; bits++) {
    const first = to.starts[bits] * WORD_BITS;
    const end = Math.min(outer, to.starts[bits + 1] * WORD_BITS);
    if (to.full[bits] === 1 || !isChanged(from, stripe, first, end)) continue;
    for (let m = 0; m < middle; m++) {
      if (isAll(from, stripe, m, first, end)) fill(from, to, stripe, bits, m);
      else turnTile(from, to, stripe, bits, m);
    }
  }
  from.marks.fill(0, stripe * outer, (stripe + 1) * outer);
  from.dirty[stripe] = 0;
  from.changed[stripe] = 0;
}

function isChanged(from: Rows, stripe: number, first: number, end: number): boolean {
  const marksAt = stripe * from.shape.outer;
  for (let slot = marksAt + first; slot < marksAt + end; slot++) if ((from.marks[slot] & CHANGED) !== 0) return true;
  return false;
}

/** Have the rows of these outer values all bits? */
function isAll(from: Rows, stripe: number, m: number, first: number, end: number): boolean {
  const { middle } = from.shape;
  if (from.full[stripe] === 1) return true;
  const kindsAt = stripe * from.rows + m;
  for (let value = first; value < end; value++) if (from.kinds[kindsAt + value * middle] !== ALL) return false;
  return true;
}

/** The outer values of `to` that are bits of this stripe get all bits of the stripe `bits`. */
function fill(from: Rows, to: Rows, stripe: number, bits: number, m: number): void {
  const { middle } = from.shape;
  const end = from.starts[stripe] * WORD_BITS + from.bitsOf(stripe);
  for (let value = from.starts[stripe] * WORD_BITS; value < end; value++) {
    const slot = bits * to.rows + value * middle + m;
    if (to.kinds[slot] === ALL) continue;
    to.kinds[slot] = ALL;
    to.marks[bits * to.shape.outer + value] |= ALL_STEPS;
    if (to.dirty[bits] === 0) to.dirty[bits] = 1;
  }
}

/** Turns the bits of a stripe here, and of the stripe `bits` there, by squares of words. */
function turnTile(from: Rows, to: Rows, stripe: number, bits: number, m: number): void {
  const { middle } = from.shape;
  const [first, end] = [from.starts[stripe], from.starts[stripe + 1]];
  const columns = changedColumns(from, to, stripe, bits);
  locate(from, stripe, m, to.starts[bits] * WORD_BITS, to.starts[bits + 1] * WORD_BITS);
  // Rows of `to` lie together, and most rows here have all bits and are not read.
  for (let word = first; word < end; word++)
    for (const column of columns)
      if (gather(from, column * WORD_BITS, word - first)) scatter(to, bits, m, word, column);
  const last = first * WORD_BITS + from.bitsOf(stripe);
  for (let value = first * WORD_BITS; value < last; value++) {
    if ((to.marks[bits * to.shape.outer + value] & DIRTY) === 0) continue;
    const row = value * middle + m;
    const slot = bits * to.rows + row;
    if (to.kinds[slot] !== SOME) continue;
    if (isComplete(to.words, to.placeOf(bits, row), to.bitsOf(bits))) to.kinds[slot] = ALL;
  }
}

/** Columns of words of `to`, in its stripe `bits`, for which something has changed here. */
function changedColumns(from: Rows, to: Rows, stripe: number, bits: number): number[] {
  const columns: number[] = [];
  for (let column = to.starts[bits]; column < to.starts[bits + 1]; column++) {
    const block = column * WORD_BITS;
    if (isChanged(from, stripe, block, Math.min(from.shape.outer, block + WORD_BITS))) columns.push(column);
  }
  return columns;
}

/** Finds the rows of the outer values first..end-1. */
function locate(from: Rows, stripe: number, m: number, first: number, end: number): void {
  const { outer, middle } = from.shape;
  if (places.length < end) places = new Int32Array(end);
  places.fill(-1 - NONE, first, end);
  for (let value = first; value < Math.min(outer, end); value++) {
    const row = value * middle + m;
    const kind = from.kinds[stripe * from.rows + row];
    places[value] = kind === SOME ? from.placeOf(stripe, row) : -1 - kind;
  }
}

/**
 * Gets one word of each row of a block of outer values, in this stripe, transposed; answers whether there is any bit.
 */
function gather(from: Rows, block: number, word: number): boolean {
  const { words } = from;
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
function scatter(to: Rows, bits: number, m: number, word: number, column: number): void {
  const { words, pages, kinds, marks, dirty, shape } = to;
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
    kinds[slot] = SOME;
    marks[bits * shape.outer + value] |= ALL_STEPS;
    // Other threads have these in their caches, too.
    if (pages[at >>> PAGE_BITS] === 0) pages[at >>> PAGE_BITS] = 1;
    if (dirty[bits] === 0) dirty[bits] = 1;
  }
}
