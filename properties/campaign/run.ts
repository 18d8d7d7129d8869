/**
 * One run of a campaign: a single fast-check run whose integer seed is drawn from `seed/run`, so that it is
 * reproducible alone and in any worker. A failure is answered as it was found, so that it can be kept before it is
 * shrunk; shrinking goes the way of fast-check's own, so that stock `{seed, path}` leads to the same trace.
 */
import fc from 'fast-check';
import type { Action, Counterexample } from '../../counterexamples/format';
import { imageHash } from '../../counterexamples/format';
import { runSeed } from '../exploration/seeded-random';
import { propertySlug } from '../safety/index';
import { replayWalk, type Walk } from '../trace/walk';
import type { Subject } from './subject';
import { type ShortestWalk, TraceArbitrary } from './trace-arbitrary';

/** How a failing trace was found. */
export type Strategy = 'random' | 'sweep' | 'initial-state';

/** A failing walk as it was found: all that shrinking starts from, and plain data. */
export interface FailedWalk {
  readonly walk: Walk;
  readonly strategy: Exclude<Strategy, 'initial-state'>;
  readonly run: number;
  /** The seed of the run for stock fast-check; the sweep has none. */
  readonly seed?: number;
}

/** A failing trace as found and as shrunk. */
export interface Failure {
  /** A property failed, or the machine did what the abstract machine does not allow. */
  readonly kind: 'violated' | 'diverged';
  /** Slug of the violated property; a divergence has none. */
  readonly property?: string;
  /** Field in which the machine left the abstract machine; a violation has none. */
  readonly field?: string;
  /** What was expected, and what was found. */
  readonly message: string;
  /** How it was found. */
  readonly strategy: Strategy;
  /** The run that found it, from 0. */
  readonly run: number;
  /** Transitions of the trace as found. */
  readonly found: number;
  /** Transitions of the trace as shrunk. */
  readonly shrunk: number;
  /** Length of the abstract machine's shortest trace, where that one fails on the emulator too. */
  readonly shortest?: number;
  /** Shrinking did not come to its end: a shorter trace may be near. */
  readonly unfinished?: true;
  /** The trace as shrunk. */
  readonly actions: readonly Action[];
  /** A state fingerprint after each action. */
  readonly fingerprints: readonly string[];
  /** What stock fast-check needs to find it again; not where shrinking was stopped. */
  readonly replay?: {
    /** Seed of the run. */
    readonly seed: number;
    /** The way of shrinking. */
    readonly path: string;
  };
}

export interface RunResult {
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

/** How shrinking is watched and ended. */
export interface Shrinking {
  /** Polled often; once it says yes, the best trace so far is the answer. */
  readonly shouldStop?: () => boolean;
  /** Told of each better trace. */
  readonly onBetter?: (failure: Failure) => void;
}

/**
 * Shrinks a failing walk by the candidates of its arbitrary: each of them fails in the same way and is simpler, so the
 * first is taken until there is none. That is what fast-check does as well, and so its path is all zeros.
 */
export function shrinkFailure(subject: Subject, failed: FailedWalk, shrinking: Shrinking = {}): Failure {
  const { shouldStop = () => false, onBetter = () => {} } = shrinking;
  let shortest: number | undefined;
  const shortestWalk: ShortestWalk = (failure, walk) => {
    const found = subject.shortestWalk(failure, { shouldStop, initially: walk.actions.length === 0 });
    shortest = found?.length;
    return found;
  };
  const arbitrary = new TraceArbitrary(subject.system, shortestWalk, shouldStop);
  let best = new fc.Value(failed.walk, undefined);
  let path = FIRST;
  for (;;) {
    const next = arbitrary.shrink(best.value, best.context).getNthOrLast(0);
    if (next === null) break;
    best = next;
    path += `:${FIRST}`;
    if (shortest === undefined) onBetter({ ...describe(subject, failed, best.value), unfinished: true });
  }
  const failure = { ...describe(subject, failed, best.value), ...(shortest === undefined ? {} : { shortest }) };
  if (shortest === undefined && shouldStop()) return { ...failure, unfinished: true };
  return failed.seed === undefined ? failure : { ...failure, replay: { seed: failed.seed, path } };
}

/** The failure as it was found. */
export function unshrunk(subject: Subject, failed: FailedWalk): Failure {
  return { ...describe(subject, failed, failed.walk), unfinished: true };
}

/** The first run, and the first of the values that shrinking tries. */
const FIRST = '0';

function describe(subject: Subject, { walk, strategy, run }: FailedWalk, best: Walk): Failure {
  const failure = best.failure ?? walk.failure;
  if (failure === undefined) throw new RangeError('a walk that did not fail has nothing to describe');
  const what = failure.kind === 'violated' ? { property: propertySlug(failure.property) } : { field: failure.field };
  return {
    kind: failure.kind,
    ...what,
    message: failure.message,
    strategy: best.actions.length === 0 ? 'initial-state' : strategy,
    run,
    found: walk.length,
    shrunk: best.length,
    actions: best.actions,
    fingerprints: fingerprints(subject, best.actions),
  };
}

/** The state's fingerprint before the first action and after each. */
function fingerprints(subject: Subject, actions: readonly Action[]): string[] {
  const { system } = subject;
  system.reset();
  const prints = [system.fingerprint()];
  for (const action of actions) {
    system.perform(action);
    prints.push(system.fingerprint());
  }
  return prints;
}

/** The failure as a counterexample file. `bytes` is the guest image; it goes into the file when it is a user's own. */
export function toCounterexample(
  subject: Subject,
  failure: Failure,
  seed: string,
  bytes: Uint8Array,
  date: string,
): Counterexample {
  const { table } = subject.name;
  const [design, mutant] = table === undefined ? subject.name.design.split('+') : [table.name];
  const property = failure.property ?? 'refinement';
  const own = subject.name.elf === undefined ? {} : { elf: Buffer.from(bytes).toString('base64') };
  return {
    format: 'pti-check counterexample',
    version: 1,
    property,
    design,
    ...(mutant === undefined ? {} : { mutant }),
    ...(table === undefined ? {} : { table: { ...table } }),
    bounds: { ...subject.bounds },
    image: { sha256: imageHash(bytes), ...own },
    actions: [...failure.actions],
    expected: {
      kind: failure.kind,
      property,
      step: failure.actions.length,
      ...(failure.field === undefined ? {} : { field: failure.field }),
      message: failure.message,
      fingerprints: [...failure.fingerprints],
    },
    origin: { seed, run: failure.run, strategy: failure.strategy, lengthBeforeShrinking: failure.found, date },
  };
}

/** How a replay of a saved case ended. */
export interface ReplayResult {
  /** It fails as it did; the trace ran to its end; it fails in another way. */
  readonly verdict: 'reproduced' | 'passed' | 'diverged';
  /** Slug of the property that failed. */
  readonly property?: string;
  /** Actions done. */
  readonly step: number;
  /** What was expected, and what was found. */
  readonly message: string;
}

/**
 * Replays a case on its own image: every action has to be enabled, and the failure has to come where it is expected.
 */
export function replayCase(subject: Subject, saved: Counterexample): ReplayResult {
  const { system } = subject;
  const walk = replayWalk(system, saved.actions);
  const step = walk.actions.length;
  const { expected } = saved;
  const { failure } = walk;
  if (failure?.kind === 'violated' && propertySlug(failure.property) === expected.property)
    return { verdict: 'reproduced', property: expected.property, step, message: failure.message };
  if (failure?.kind === 'diverged' && expected.kind === 'diverged')
    return { verdict: 'reproduced', step, message: failure.message };
  if (failure?.kind === 'violated')
    return {
      verdict: 'diverged',
      property: propertySlug(failure.property),
      step,
      message: `expected ${expected.property}, found ${failure.message}`,
    };
  if (failure?.kind === 'diverged') return { verdict: 'diverged', step, message: failure.message };
  return { verdict: 'passed', step, message: `expected ${expected.property} to be violated, the trace ran to its end` };
}
