/** Promises: rows of bits are added, turned and counted as if each bit were looked at on its own. */
import { addRow, addTransposed, countBits, wordsFor } from './bit-matrix';

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

test.each([
  [1, 1],
  [32, 64],
  [33, 31],
  [70, 100],
])('the rows that have changed are turned: %i rows of %i columns', (rows, columns) => {
  const [stride, turnedStride] = [wordsFor(columns) + 1, wordsFor(rows) + 2];
  const from = { words: someWords(3 + rows * stride), at: 3, stride, count: rows };
  // Columns that there are not are never set.
  for (let r = 0; r < rows; r++)
    if (columns % 32 > 0) from.words[3 + r * stride + wordsFor(columns) - 1] &= (1 << (columns % 32)) - 1;
  const into = { words: new Int32Array(1 + columns * turnedStride), at: 1, stride: turnedStride, count: columns };
  const changed = Uint8Array.from({ length: rows }, (_, r) => (r % 40 < 34 ? 1 : 0));
  changed[rows - 1] = 1;
  const fresh = new Uint8Array(columns);
  const any = addTransposed(from, changed, into, fresh);
  expect(any).toBe(fresh.includes(1));
  const places = Array.from({ length: rows * columns }, (_, i) => [i % rows, Math.floor(i / rows)] as const);
  const before = ([r, c]: (typeof places)[number]) => bitAt(from.words, 3 + r * stride, c);
  const after = ([r, c]: (typeof places)[number]) => bitAt(into.words, 1 + c * turnedStride, r);
  const moved = places.filter(([r]) => changed[r] === 1);
  expect(moved.map(after)).toEqual(moved.map(before));
  // Rows beside those that have changed may be turned, too.
  expect(places.filter((place) => after(place) > before(place))).toEqual([]);
  expect(places.filter((place) => after(place) === 1 && fresh[place[1]] === 0)).toEqual([]);
  expect(addTransposed(from, changed, into, new Uint8Array(columns))).toBe(false);
});
