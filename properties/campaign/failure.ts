/**
 * A failure as it was found and as it was shrunk. Shrinking goes the way of fast-check's own, so that stock
 * `{seed, path}` leads to the same trace.
 */
import fc from 'fast-check';
import type { Action } from '../../counterexamples/format';
import { propertySlug } from '../safety/index';
import type { Walk } from '../trace/walk';
import type { FailedWalk } from './run';
import type { Subject } from './subject';
import { type ShortestWalk, TraceArbitrary } from './trace-arbitrary';

/** How a failing trace was found. */
export type Strategy = 'random' | 'sweep' | 'initial-state';

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
