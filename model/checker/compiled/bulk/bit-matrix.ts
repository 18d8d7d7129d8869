/**
 * Rows of bits in 32-bit words, and what a bulk search does with whole rows: union, transposition, counting. Plain
 * loops over words that lie one behind the other.
 */

const WORD_BITS = 32;

/** Words for so many bits. */
export function wordsFor(bits: number): number {
  return (bits + WORD_BITS - 1) >>> 5;
}

/** Adds the bits of from[i..i + n) to into[j..j + n); answers whether any was new. */
export function addRow(from: Int32Array, i: number, into: Int32Array, j: number, n: number): boolean {
  let fresh = 0;
  for (let k = 0; k < n; k++) {
    const was = into[j + k];
    const now = was | from[i + k];
    fresh |= was ^ now;
    into[j + k] = now;
  }
  return fresh !== 0;
}

/** Bits of the words at[from..to) (Hacker's Delight, 5-1: several words share the last steps). */
export function countBits(words: Int32Array, from: number, to: number): number {
  let total = 0;
  let k = from;
  while (k < to) {
    const end = Math.min(to, k + 31);
    // Each byte of a word counts at most 8, so the bytes of 31 words do not overflow.
    let bytes = 0;
    for (; k < end; k++) {
      let word = words[k];
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      bytes += (word + (word >>> 4)) & 0x0f0f0f0f;
    }
    const pairs = (bytes & 0x00ff00ff) + ((bytes >>> 8) & 0x00ff00ff);
    total += (pairs & 0xffff) + (pairs >>> 16);
  }
  return total;
}

const square = new Int32Array(WORD_BITS);

/** Transposes the 32 x 32 bits of `square` (Hacker's Delight, 7-3, with bit 0 as the first column). */
function transposeSquare(): void {
  for (let j = 16, mask = 0x0000ffff; j !== 0; j >>>= 1, mask ^= mask << j) {
    for (let k = 0; k < WORD_BITS; k = (k + j + 1) & ~j) {
      const low = square[k];
      const high = square[k + j];
      const change = ((low >>> j) ^ high) & mask;
      square[k] = low ^ (change << j);
      square[k + j] = high ^ change;
    }
  }
}

/** A matrix of bits within an array: row r begins at word `at + r * stride`. */
export interface Rows {
  readonly words: Int32Array;
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

/**
 * Adds the transposition of the rows of `from` that are marked in `changed` to `into`, whose rows are the columns of
 * `from`; marks in `fresh` the rows of `into` that have got new bits, and answers whether there are any.
 */
export function addTransposed(from: Rows, changed: Uint8Array, into: Rows, fresh: Uint8Array): boolean {
  const columns = wordsFor(into.count);
  let any = false;
  for (let block = 0; block < from.count; block += WORD_BITS) {
    const rows = Math.min(WORD_BITS, from.count - block);
    let isChanged = 0;
    for (let r = 0; r < rows; r++) isChanged |= changed[block + r];
    if (isChanged === 0) continue;
    const target = into.at + (block >>> 5);
    for (let column = 0; column < columns; column++) {
      let bits = 0;
      let at = from.at + block * from.stride + column;
      for (let r = 0; r < rows; r++, at += from.stride) {
        const word = from.words[at];
        square[r] = word;
        bits |= word;
      }
      if (bits === 0) continue;
      for (let r = rows; r < WORD_BITS; r++) square[r] = 0;
      transposeSquare();
      const first = column * WORD_BITS;
      const last = Math.min(WORD_BITS, into.count - first);
      for (let r = 0, to = target + first * into.stride; r < last; r++, to += into.stride) {
        const word = square[r];
        const was = into.words[to];
        if ((word & ~was) === 0) continue;
        into.words[to] = was | word;
        fresh[first + r] = 1;
        any = true;
      }
    }
  }
  return any;
}
