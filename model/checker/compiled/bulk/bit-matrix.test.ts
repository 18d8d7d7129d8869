/** Promises: bits are added, turned and counted as if each were looked at on its own. */
import { addRow, countBits, isComplete, transposeSquare } from './bit-matrix';

/** Words in which about a quarter of the bits are set, always the same ones. */
function someWords(length: number): Int32Array {
  let seed = length;
  const next = () => {
    seed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    return seed ^ (seed >>> 13);
  };
  return Int32Array.from({ length }, () => next() & next());
}

const bitAt = (words: Int32Array, row: number, column: number) => (words[row + (column >>> 5)] >>> (column & 31)) & 1;

test('bits are counted', () => {
  for (const length of [0, 1, 31, 32, 33, 100]) {
    const words = someWords(length + 2).fill(-1, 1, 1 + (length >> 1));
    let expected = 0;
    for (let i = 0; i < length * 32; i++) expected += bitAt(words, 1, i);
    expect(countBits(words, 1, 1 + length)).toBe(expected);
  }
});

test('a row is added to another one, which says whether it has got new bits', () => {
  const [from, into] = [someWords(7), someWords(7).reverse()];
  const expected = into.map((word, i) => (i >= 2 && i < 5 ? word | from[i - 1] : word));
  expect(addRow(from, 1, into, 2, 3)).toBe(true);
  expect(into).toEqual(expected);
  expect(addRow(from, 1, into, 2, 3)).toBe(false);
});

test('all bits of a row are set, or one is missing', () => {
  for (const bits of [1, 31, 32, 33, 96, 100]) {
    const words = new Int32Array(6);
    for (let i = 0; i < bits; i++) {
      expect(isComplete(words, 1, bits)).toBe(false);
      words[1 + (i >>> 5)] |= 1 << (i & 31);
    }
    expect(isComplete(words, 1, bits)).toBe(true);
  }
});

test('a square of bits is turned', () => {
  const square = someWords(32);
  const turned = square.slice();
  transposeSquare(turned);
  for (let i = 0; i < 32; i++) for (let k = 0; k < 32; k++) expect(bitAt(turned, i, k)).toBe(bitAt(square, k, i));
});
