/**
 * Bits in 32-bit words, and what a bulk search does with many of them: union, transposition, counting. Plain loops over
 * words that lie one behind the other.
 */

export const WORD_BITS = 32;

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

/** Are so many bits set, from the lowest one of word `from` on? */
export function isComplete(words: Int32Array, from: number, bits: number): boolean {
  const end = from + (bits >>> 5);
  for (let k = from; k < end; k++) if (words[k] !== -1) return false;
  const rest = ((1 << (bits & 31)) - 1) | 0;
  return rest === 0 || (words[end] & rest) === rest;
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

/** Transposes 32 words of 32 bits in place (Hacker's Delight, 7-3, with bit 0 as the first column). */
export function transposeSquare(square: Int32Array): void {
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
