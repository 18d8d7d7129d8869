/**
 * One run of a campaign: a single fast-check run whose integer seed is drawn from `seed/run`, so that it is
 * reproducible alone and in any worker. A failure is answered as it was found, so that it can be kept before it is
 * shrunk (failure.ts).
 */
import fc from 'fast-check';
import { runSeed } from '../exploration/seeded-random';
import type { Walk } from '../trace/walk';
import type { Subject } from './subject';
import { TraceArbitrary } from './trace-arbitrary';

/** A failing walk as it was found: all that shrinking starts from, and plain data. */
export interface FailedWalk {
  readonly walk: Walk;
  readonly strategy: 'random' | 'sweep';
  readonly run: number;
  /** The seed of the run for stock fast-check; the sweep has none. */
  readonly seed?: number;
}

interface RunResult {
  readonly run: number;
  /** Actions performed by the walk. */
  readonly steps: number;
  readonly instructions: number;
  /** The walk, if it failed; not shrunk. */
  readonly failed?: FailedWalk;
}

/** Runs walk `run` of the campaign with the given seed. */
export function campaignRun(subject: Subject, campaignSeed: string, run: number): RunResult {
  const { system } = subject;
  const before = system.instructions;
  let steps = 0;
  const property = fc.property(new TraceArbitrary(system, () => undefined), (walk: Walk) => {
    steps = walk.actions.length;
    return walk.failure === undefined;
  });
  const seed = runSeed(campaignSeed, run);
  const { counterexample } = fc.check(property, { seed, numRuns: 1, endOnFailure: true });
  const result = { run, steps, instructions: system.instructions - before };
  return counterexample === null
    ? result
    : { ...result, failed: { walk: counterexample[0], strategy: 'random', run, seed } };
}
