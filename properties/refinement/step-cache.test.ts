/**
 * Promises: the memory of judged steps answers only what was put in for exactly this step, and does not grow.
 */
import { StepCache } from './step-cache';

const state = (...words: number[]): Uint32Array => Uint32Array.from(words);

test('a step is known by its CPU and both states, word by word', () => {
  const cache = new StepCache<string>(2, 16);
  cache.set(0, state(1, 2), state(3, 4), 'here');
  expect(cache.get(0, state(1, 2), state(3, 4))).toBe('here');
  for (const [cpu, before, after] of [
    [1, state(1, 2), state(3, 4)],
    [0, state(1, 9), state(3, 4)],
    [0, state(1, 2), state(9, 4)],
    [0, state(3, 4), state(1, 2)],
  ] as const)
    expect(cache.get(cpu, before, after)).toBeUndefined();
});

test('an empty slot is no step, not even that from zero to zero', () => {
  expect(new StepCache<string>(2, 16).get(0, state(0, 0), state(0, 0))).toBeUndefined();
});

test('of more steps than slots it knows at most as many as slots, and each of them rightly', () => {
  const slots = 64;
  const cache = new StepCache<number>(2, slots);
  const count = 1000;
  for (let i = 0; i < count; i++) cache.set(i % 2, state(i, 7), state(7, i), i);
  const known = Array.from({ length: count }, (_, i) => cache.get(i % 2, state(i, 7), state(7, i)));
  const right = known.filter((value, i) => value === i).length;
  expect(known.every((value, i) => value === undefined || value === i)).toBe(true);
  expect(right).toBeLessThanOrEqual(slots);
  // The hash spreads: with a constant one the table would hold one step.
  expect(right).toBeGreaterThan(slots / 2);
});
