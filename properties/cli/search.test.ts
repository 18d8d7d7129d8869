import type { SearchProgress } from '../campaign-pool/tasks';
import { rough } from './output';
import { searchInWords, searchProgress, type VerifyResult } from './search';

const BOUNDS = { cpus: 2, tasks: 3, mms: 1, nesting: 2, nmis: 1, irqs: 2 };

test('a rough number has three digits and a unit', () => {
  expect([0, 7, 999, 999.6, 1000, 12_345, 999_700, 5_848_440, 12.34e9].map(rough)).toEqual([
    '0',
    '7',
    '999',
    '1 k',
    '1 k',
    '12.3 k',
    '1 M',
    '5.85 M',
    '12.3 G',
  ]);
});

describe('progress of a search', () => {
  const early: SearchProgress = {
    states: 1_234_567,
    frontier: 45_678,
    depth: 20,
    rate: 4_000_000,
    bytes: 2 ** 27,
    estimate: undefined,
  };

  test('says how much there is still to do, as soon as the levels tell', () => {
    expect(searchProgress('mainline', early)).toBe('mainline: 1.23 M states, 4 M/s, frontier 45.7 k, 128 MiB');
    expect(searchProgress('mainline', { ...early, estimate: 56_000_000 })).toBe(
      'mainline: 1.23 M of ~56 M states, ~14 s left, 4 M/s, frontier 45.7 k, 128 MiB',
    );
  });

  test('has no time that is left where nothing was found in the last moments, and none below zero', () => {
    expect(searchProgress('mainline', { ...early, estimate: 2_000_000, rate: 0 })).not.toContain('left');
    expect(searchProgress('mainline', { ...early, estimate: 1_000_000 })).toContain('~0 s left');
  });
});

test('the words of a search name reductions and threads', () => {
  const result: VerifyResult = {
    design: 'mainline',
    bounds: BOUNDS,
    reductions: ['symmetry', 'por'],
    threads: 2,
    verdict: 'holds',
    states: 1000,
    transitions: 2000,
    depth: 30,
    seconds: 0.5,
  };
  const exploration = { verdict: 'holds', states: 1000, transitions: 2000, depth: 30 } as const;
  expect(searchInWords({ result, exploration })).toContain(
    '  searched  1,000 states up to symmetry and partial order, 2,000 transitions, depth 30, 0.5 s, 2 threads',
  );
});
