/** Promises: a skeleton has a way from where a CPU comes in to where it goes out, and little else. */
import { numbersFor, skeletonOf } from './skeleton';

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

test('its values get the first numbers, and every value one of its own', () => {
  const numbers = numbersFor(new Set([4, 2]), 6);
  expect([numbers[4], numbers[2]].sort()).toEqual([0, 1]);
  expect([...numbers].sort()).toEqual([0, 1, 2, 3, 4, 5]);
});
