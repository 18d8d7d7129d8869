/**
 * Promises: the memory of judged steps answers only what was put in for exactly this step, and does not grow.
 */
import { StepCache } from './step-cache';

const key = (...words: number[]): Uint32Array => Uint32Array.from(words);

test('a step is known by its key, word by word, and by its length', () => {
  const cache = new StepCache<string>(5, 16);
  cache.set(key(0, 1, 2, 3, 4), 5, 'here');
  expect(cache.get(key(0, 1, 2, 3, 4), 5)).toBe('here');
  for (const other of [key(1, 1, 2, 3, 4), key(0, 1, 9, 3, 4), key(0, 1, 2, 9, 4), key(0, 3, 4, 1, 2)])
    expect(cache.get(other, 5)).toBeUndefined();
  expect(cache.get(key(0, 1, 2, 3, 4), 4)).toBeUndefined();
});

test('an empty slot is no step, not even that from zero to zero', () => {
  expect(new StepCache<string>(2, 16).get(key(0, 0), 2)).toBeUndefined();
});

test('of more steps than slots it knows at most as many as slots, and each of them rightly', () => {
  const slots = 64;
  const cache = new StepCache<number>(5, slots);
  const count = 1000;
  const nth = (i: number): Uint32Array => key(i % 2, i, 7, 7, i);
  for (let i = 0; i < count; i++) cache.set(nth(i), 5, i);
  const known = Array.from({ length: count }, (_, i) => cache.get(nth(i), 5));
  const right = known.filter((value, i) => value === i).length;
  expect(known.every((value, i) => value === undefined || value === i)).toBe(true);
  expect(right).toBeLessThanOrEqual(slots);
  // The hash spreads: with a constant one the table would hold one step.
  expect(right).toBeGreaterThan(slots / 2);
});
