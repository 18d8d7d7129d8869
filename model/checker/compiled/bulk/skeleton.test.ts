/** Promises: a skeleton has a way from where a CPU comes in to where it goes out, and little else. */
import { fillUp, kinOf, numbersFor, skeletonOf } from './skeleton';
import { sourcesOf, stepOrder } from './step-order';

const STEPS = [[1, 2], [3], [3], [4, 0], [], [4]].map((list) => Int32Array.from(list));

test('of two ways of the same length it has one', () => {
  const skeleton = skeletonOf(STEPS, [0], [4]);
  expect(skeleton.size).toBe(4);
  expect([...skeleton]).toEqual(expect.arrayContaining([0, 3, 4]));
});

test('what cannot be reached is left out, but for the beginning', () => {
  expect(skeletonOf(STEPS, [5], [3])).toEqual(new Set([5]));
  expect(skeletonOf(STEPS, [4, 5], [4])).toEqual(new Set([4, 5]));
});

test('it is filled up with what it leads to, to a multiple if there are enough', () => {
  expect(fillUp(new Set([0]), STEPS, 3)).toEqual(new Set([0, 1, 2]));
  expect(fillUp(new Set([4]), STEPS, 3)).toEqual(new Set([4]));
  expect(fillUp(new Set([5, 3]), STEPS, 4)).toEqual(new Set([5, 3, 4, 0]));
});

test('the sources lead to all other values, and none of them to another one', () => {
  const lists = [...STEPS.map((list) => [...list]), [7], [6], []];
  const sources = sourcesOf(lists, stepOrder(lists, lists.length));
  const among = (values: readonly number[]) => values.filter((value) => sources.includes(value)).length;
  expect([[0, 1, 2, 3], [4], [5], [6, 7], [8]].map(among)).toEqual([1, 0, 1, 1, 1]);
});

test('kin are values that the same others lead to', () => {
  const lists = [[1], [2], [], [1], [], [4]].map((list) => Int32Array.from(list));
  const kin = kinOf(lists, [0, 3, 5], 6);
  expect(kin[1]).toBe(kin[2]);
  expect(kin[4]).toBe(kin[5]);
  expect(new Set(kin).size).toBe(4);
});

test('its values get the first numbers, and every value one of its own, kin one after the other', () => {
  const numbers = numbersFor(new Set([4, 2]), Int32Array.of(1, 0, 0, 1, 1, 0));
  expect([...numbers]).toEqual([4, 2, 1, 5, 0, 3]);
});
