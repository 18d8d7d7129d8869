/**
 * Promise: what is reported of the runs depends on their numbers, not on the order in which they end.
 */
import fc from 'fast-check';
import { RunTally } from './run-tally';
import type { Found, RunsDone } from './tasks';

const CHUNK = 3;

/** Chunk `i`; it ends at the run that fails, if one of its does. */
function chunk(i: number, failing: ReadonlySet<number>): RunsDone {
  const all = Array.from({ length: CHUNK }, (_, j) => i * CHUNK + j);
  const end = all.find((k) => failing.has(k)) ?? Number.POSITIVE_INFINITY;
  const runs = all.filter((k) => k <= end).map((k) => ({ k, steps: k, instructions: 10 * k }));
  return failing.has(end) ? { runs, found: { failure: { run: end } } as Found } : { runs };
}

test('the lowest failure, and the counts up to it, in whatever order the chunks end', () => {
  const orders = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 });
  const failures = fc.uniqueArray(fc.nat(6 * CHUNK - 1), { maxLength: 3 });
  fc.assert(
    fc.property(orders, failures, (order, failing) => {
      const tally = new RunTally();
      const told: number[] = [];
      for (const i of order) {
        const done = chunk(i, new Set(failing));
        const reported = tally.add(i * CHUNK, CHUNK, done);
        if (reported !== undefined) told.push(reported.failure.run);
      }
      const lowest = Math.min(6 * CHUNK - 1, ...failing);
      const { found, ...counts } = tally.end();
      const sum = (lowest * (lowest + 1)) / 2;
      expect(counts).toEqual({ runs: lowest + 1, steps: sum, instructions: 10 * sum });
      expect(found?.failure.run).toBe(failing.length === 0 ? undefined : lowest);
      // Each is lower than the one before it.
      expect(told).toEqual([...new Set(told)].sort((a, b) => b - a));
      expect(told.at(-1)).toBe(failing.length === 0 ? undefined : lowest);
    }),
  );
});

test('a failure that was found is not lost with a chunk before it that never ended', () => {
  const tally = new RunTally();
  expect(tally.add(CHUNK, CHUNK, chunk(1, new Set([4])))).toMatchObject({ failure: { run: 4 } });
  expect(tally.end()).toMatchObject({ runs: 2, found: { failure: { run: 4 } } });
});

test('a violation is reported before a divergence of a lower run, and a divergence where there is none', () => {
  const at = (k: number, found: Found): RunsDone => ({
    runs: [0, 1, 2].map((j) => ({ k: k + j, steps: 1, instructions: 1 })),
    diverged: { k: k + 1, found },
  });
  const diverged = { failure: { kind: 'diverged', run: 1 } } as Found;
  const tally = new RunTally();
  expect(tally.add(0, CHUNK, at(0, diverged))).toBe(diverged);
  const violated = { failure: { kind: 'violated', run: 4 } } as Found;
  expect(tally.add(CHUNK, CHUNK, { ...chunk(1, new Set([4])), found: violated })).toBe(violated);
  expect(tally.end()).toMatchObject({ runs: 5, found: { failure: { run: 4 } } });

  const alone = new RunTally();
  alone.add(0, CHUNK, at(0, diverged));
  alone.add(CHUNK, CHUNK, chunk(1, new Set()));
  expect(alone.end()).toMatchObject({ runs: 6, found: { failure: { run: 1 } } });
});
