/**
 * One run of a campaign: a single fast-check run whose integer seed is drawn from `seed/run`, so that it is
 * reproducible alone and in any worker, and whose failure fast-check shrinks and reports with its own `{seed, path}`.
 */
import fc from 'fast-check';
import type { Action, Counterexample } from '../../counterexamples/format';
import { imageHash } from '../../counterexamples/format';
import { propertySlug } from '../safety/property';
import { replayWalk, type Walk } from './random-walk';
import { runSeed } from './seeded-random';
import type { Subject } from './subject';
import { TraceArbitrary } from './trace-arbitrary';

/** How a failing trace was found. */
export type Strategy = 'random' | 'sweep' | 'initial-state';

/** A failing trace as found and as shrunk. */
export interface Failure {
  readonly kind: 'violated' | 'diverged';
  /** Slug of the violated property; a divergence has none. */
  readonly property?: string;
  /** Field in which the machine left the abstract machine; a violation has none. */
  readonly field?: string;
  readonly message: string;
  readonly strategy: Strategy;
  readonly run: number;
  /** Transitions of the trace as found and as shrunk. */
  readonly found: number;
  readonly shrunk: number;
  /** Length of the abstract machine's shortest trace, where that one fails on the emulator too. */
  readonly shortest?: number;
  readonly actions: readonly Action[];
  /** A state fingerprint after each action. */
  readonly fingerprints: readonly string[];
  /** What stock fast-check needs to find it again. */
  readonly replay?: { readonly seed: number; readonly path: string };
}

export interface RunResult {
  readonly run: number;
  /** Actions performed by the walk. */
  readonly steps: number;
  readonly instructions: number;
  readonly failure?: Failure;
}

/** Runs walk `run` of the campaign with the given seed, and shrinks it if it fails. */
export function campaignRun(subject: Subject, campaignSeed: string, run: number): RunResult {
  const { system } = subject;
  const before = system.instructions;
  let steps = 0;
  let found: Walk | undefined;
  let instructions = 0;
  const arbitrary = new TraceArbitrary(system, (failure) => subject.shortestWalk(failure));
  const property = fc.property(arbitrary, (walk: Walk) => {
    if (found === undefined) {
      steps = walk.actions.length;
      instructions = system.instructions - before;
    }
    found ??= walk;
    return walk.failure === undefined;
  });
  const seed = runSeed(campaignSeed, run);
  const details = fc.check(property, { seed, numRuns: 1, endOnFailure: false });
  const [shrunk] = (details.counterexample ?? []) as Walk[];
  if (!details.failed || shrunk === undefined || found === undefined) return { run, steps, instructions };
  const replay = { seed, path: details.counterexamplePath ?? '0' };
  return { run, steps, instructions, failure: { ...describe(subject, found, shrunk, 'random', run), replay } };
}

/** Shrinks a failing walk that no arbitrary has made (a sweep's), by the same candidates. */
export function shrinkWalk(subject: Subject, walk: Walk, strategy: Strategy): Failure {
  const arbitrary = new TraceArbitrary(subject.system, (failure) => subject.shortestWalk(failure));
  let best = walk;
  let context: unknown;
  for (;;) {
    const next = arbitrary.shrink(best, context).getNthOrLast(0);
    if (next === null) break;
    best = next.value;
    context = next.context;
  }
  return describe(subject, walk, best, strategy, 0);
}

function describe(subject: Subject, found: Walk, shrunk: Walk, strategy: Strategy, run: number): Failure {
  const failure = shrunk.failure ?? found.failure;
  if (failure === undefined) throw new RangeError('a walk that did not fail has nothing to describe');
  const shortest = subject.shortestWalk(failure)?.length;
  const what = failure.kind === 'violated' ? { property: propertySlug(failure.property) } : { field: failure.field };
  return {
    kind: failure.kind,
    ...what,
    message: failure.message,
    strategy: shrunk.actions.length === 0 ? 'initial-state' : strategy,
    run,
    found: found.length,
    shrunk: shrunk.length,
    ...(shortest === undefined ? {} : { shortest }),
    actions: shrunk.actions,
    fingerprints: fingerprints(subject, shrunk.actions),
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
  const [design, mutant] = subject.name.design.split('+');
  const property = failure.property ?? 'refinement';
  const own = subject.name.elf === undefined ? {} : { elf: Buffer.from(bytes).toString('base64') };
  return {
    format: 'pti-check counterexample',
    version: 1,
    property,
    design,
    ...(mutant === undefined ? {} : { mutant }),
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
  readonly verdict: 'reproduced' | 'passed' | 'diverged';
  readonly property?: string;
  /** Actions done. */
  readonly step: number;
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
