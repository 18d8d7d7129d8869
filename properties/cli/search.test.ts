import type { SearchProgress } from '../campaign/tasks';
import { rough } from './output';
import { searchProgress } from './search';
import { searched, searchInWords, type VerifyResult } from './search-result';

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

test('a search names the command that searches the same again', () => {
  const answer = { exploration: { verdict: 'holds', states: 1, transitions: 0, depth: 0 }, seconds: 0.1 } as const;
  const again = (means: object) => searched({ design: 'mainline', bounds: BOUNDS, ...means }, answer).result.again;
  const bounds = '--cpus 2 --tasks 3 --mms 1 --nesting 2 --nmis 1 --irqs 2';
  expect(again({})).toMatch(new RegExp(` verify --design mainline ${bounds}$`));
  expect(again({ threads: 2, memoryMiB: 64, symmetry: true, por: true })).toMatch(
    new RegExp(`${bounds} --threads 2 --memory 64 --symmetry --por$`),
  );
});

describe('the words of a search', () => {
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
    message: 'holds in every reachable state',
    again: 'pti-check verify --design mainline',
  };
  const exploration = { verdict: 'holds', states: 1000, transitions: 2000, depth: 30 } as const;
  const words = (changed: Partial<VerifyResult>) =>
    searchInWords({ result: { ...result, ...changed }, exploration }).join('\n');

  test('name reductions and threads', () => {
    expect(words({})).toContain(
      'searched  1,000 states up to symmetry and partial order, 2,000 transitions, depth 30, 0.5 s, 2 threads',
    );
  });

  test('tell how many of the threads took part', () => {
    const lines = (joined: number) => searchInWords({ result, exploration: { ...exploration, joined } }).join('\n');
    expect(lines(2)).toContain('0.5 s, 2 threads');
    expect(lines(1)).toContain('0.5 s, 1 of 2 threads');
  });

  test('name no reductions beside a trace, whose search has none', () => {
    const found = { verdict: 'violated', property: 'stack-is-legal', trace: [] } as const;
    expect(words(found)).toContain('searched  1,000 states, 2,000 transitions');
  });

  test('tell what is in the way of a verdict, and only what helps', () => {
    const why = (changed: object) =>
      searchInWords(
        searched(
          { design: 'mainline', bounds: result.bounds },
          { exploration: { ...exploration, verdict: 'unknown', reason: 'memory', ...changed }, seconds: 1 },
        ),
      )[0];
    expect(why({})).toContain('the system does not give the memory that --memory allows');
    expect(why({ bytes: 2 ** 20 })).toContain('1.0 MiB, and it is too early to tell how much all would need');
    expect(why({ bytes: 2 ** 20, neededMiB: 26_353 })).toContain('all would need roughly --memory 26353');
  });

  test('tell of states for which there was no room how many there are at most', () => {
    const lines = words({ states: 0, transitions: 0, mostStates: 5000, neededMiB: 7 });
    expect(lines).toContain('searched  at most 5,000 states, not counted because that takes --memory 7, ');
  });

  test('name the reductions that were used, where those asked for had no room', () => {
    const request = { design: 'mainline', bounds: result.bounds, symmetry: true, por: true };
    const of = (changed: object) => searched(request, { exploration: { ...exploration, ...changed }, seconds: 1 });
    expect(of({}).result.reductions).toEqual(['symmetry', 'por']);
    expect(of({ reductions: ['symmetry'] }).result.reductions).toEqual(['symmetry']);
  });

  test('tell the memory of the states where it was counted', () => {
    expect(words({})).not.toContain('MiB');
    expect(words({ bytes: 4096 })).toContain('memory    at most 0.0 MiB for set and frontier, 4.1 bytes a state');
  });
});
