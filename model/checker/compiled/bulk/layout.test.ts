/** Promises: rows are added and turned, stripe by stripe, as if each bit were looked at on its own. */
import { PAGE_WORDS } from '../state-set';
import { Layout } from './layout';
import { ALL_STEPS, bytesOf, type Shape, type Storage, wordsOf } from './rows';

/** Where an empty layout of this shape lies. */
function storageFor(shape: Shape): Storage {
  const words = new Int32Array(wordsOf(shape) + 3);
  const pages = new Uint8Array(Math.ceil(words.length / PAGE_WORDS));
  return { words, pages, at: 3, bytes: new Uint8Array(bytesOf(shape) + 5), bytesAt: 5 };
}

function empty(shape: Shape, storage = storageFor(shape)): Layout {
  return new Layout(shape, storage);
}

/** Sets the bits that are asked for, each by itself. */
function filled(shape: Shape, isSet: (row: number, bit: number) => boolean): Layout {
  const layout = empty(shape);
  for (let row = 0; row < shape.outer * shape.middle; row++)
    for (let bit = 0; bit < shape.inner; bit++) if (isSet(row, bit)) layout.set(row, bit);
  return layout;
}

function bitsOf(layout: Layout, rows: number, bits: number): boolean[][] {
  return Array.from({ length: rows }, (_, row) => Array.from({ length: bits }, (_, bit) => layout.has(row, bit)));
}

const isIn = (row: number, bit: number) => (row * 37 + bit * 11) % 5 === 0;
/** Every bit, but a few of some rows. */
const isInMost = (row: number, bit: number) => row % 40 !== 7 || bit % 29 !== 3;

/** Stripes of a row of so many bits, some of them without a word. */
function startsFor(stripes: number, bits: number): number[] {
  const words = Math.ceil(bits / 32);
  return Array.from({ length: stripes + 1 }, (_, stripe) => Math.floor((words * stripe) / stripes));
}

describe.each([1, 3])('with rows in %i stripes', (stripes) => {
  test.each([
    [1, 1, 1],
    [70, 1, 40],
    [34, 3, 33],
  ])('the other layout gets what has changed: %i values, %i in the middle, %i bits', (outer, middle, inner) => {
    for (const isSet of [isIn, isInMost, () => true]) {
      const from = filled({ outer, middle, inner, starts: startsFor(stripes, inner) }, isSet);
      const to = empty({ outer: inner, middle, inner: outer, starts: startsFor(stripes, outer) });
      for (let stripe = 0; stripe < stripes; stripe++) from.turnInto(to, stripe);
      let states = 0;
      for (let value = 0; value < inner; value++)
        for (let m = 0; m < middle; m++) {
          const column = Array.from({ length: outer }, (_, other) => isSet(other * middle + m, value));
          expect(column.map((_, other) => to.has(value * middle + m, other))).toEqual(column);
          expect(to.count(value * middle + m)).toBe(column.filter(Boolean).length);
          states += to.count(value * middle + m);
        }
      for (let row = 0; row < outer * middle; row++) states -= from.count(row);
      expect(states).toBe(0);
      // Of what has come from there nothing goes back.
      for (let stripe = 0; stripe < stripes; stripe++) {
        expect(from.isDirty(stripe)).toBe(false);
        to.turnInto(from, stripe);
        expect(from.isDirty(stripe)).toBe(false);
      }
    }
  });

  test('a row is added to another one, and says whether there was anything new', () => {
    const shape = { outer: 4, middle: 1, inner: 100, starts: startsFor(stripes, 100) };
    const isSet = (row: number, bit: number) => [bit % 2 === 0, bit % 2 === 1, true, false][row];
    const add = (layout: Layout, row: number, other: number) =>
      Array.from({ length: stripes }, (_, stripe) => layout.add(stripe, row, layout, other));
    const layout = filled(shape, isSet);
    expect(add(layout, 3, 0)).not.toContain(true);
    expect(add(layout, 0, 3)).not.toContain(false);
    expect(add(layout, 1, 3)).not.toContain(false);
    // It has all bits now, like the row 2.
    expect([...add(layout, 2, 3), ...add(layout, 0, 2)]).not.toContain(true);
    expect(add(layout, 2, 1)).not.toContain(false);
    expect(bitsOf(layout, 4, 100)).toEqual([0, 2, 2, 2].map((like) => bitsOf(filled(shape, isSet), 4, 100)[like]));
  });
});

test('steps from rows with all bits give all bits, on to where there are other steps', () => {
  const shape = { outer: 6, middle: 1, inner: 40, starts: startsFor(1, 40) };
  const layout = empty(shape);
  layout.complete(0);
  const steps = {
    order: [0, 1, 2, 3, 4],
    starts: [0, 1, 2, 3, 3, 3],
    targets: [1, 2, 0],
    crossing: [-1, -1, 0, -1, -1],
  };
  const other = empty({ ...shape, outer: 5 });
  layout.add(0, 0, other, 1);
  other.change(0, 1);
  other.flood(0, {
    order: Int32Array.from(steps.order),
    starts: Int32Array.from(steps.starts),
    targets: Int32Array.from(steps.targets),
    crossing: Int32Array.from(steps.crossing),
  });
  expect([0, 1, 2, 3, 4].map((row) => other.count(row))).toEqual([40, 40, 40, 0, 0]);
  expect([0, 1, 2, 3, 4].filter((value) => other.clean(0, value, ALL_STEPS))).toEqual([2]);
  expect(other.haveAll(0, Int32Array.of(0, 1, 2))).toBe(true);
  expect(other.haveAll(0, Int32Array.of(0, 3))).toBe(false);
  expect([layout.isFull(0), other.isFull(0), layout.isComplete, other.isComplete]).toEqual([true, false, true, false]);
});

test('the pages that have been written are those that hold bits', () => {
  const shape = { outer: 3000, middle: 1, inner: 64, starts: startsFor(1, 64) };
  const turnedShape = { outer: 64, middle: 1, inner: 3000, starts: startsFor(1, 3000) };
  const [main, turned] = [storageFor(shape), storageFor(turnedShape)];
  const layout = empty(shape, main);
  layout.set(100, 3);
  layout.set(2900, 60);
  expect(layout.add(0, 100, layout, 1700)).toBe(true);
  layout.change(0, 1700);
  layout.turnInto(empty(turnedShape, turned), 0);
  for (const { words, pages } of [main, turned]) {
    const holding = Array.from(pages, (_, page) =>
      words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS).some((word) => word !== 0),
    );
    expect(Array.from(pages, (page) => page === 1)).toEqual(holding);
    expect(holding).toContain(false);
    expect(holding).toContain(true);
  }
});
