/**
 * One random walk: options are drawn among those that are enabled, because a drawn action that cannot happen teaches nothing. The walk is a pure function
 * of the system's initial state and of the generator.
 */
import type { Action } from '../../counterexamples/format';
import type { Option, Outcome, TransitionSystem } from './transition-system';

/** The part of fast-check's generator that a walk draws from. */
export interface Draws {
  nextInt(min: number, max: number): number;
}

/** A trace, and how its last action ended; `undefined` if all went well. */
export interface Walk {
  readonly actions: readonly Action[];
  /** Transitions of the abstract machine among the actions. */
  readonly length: number;
  readonly failure: Extract<Outcome, { kind: 'violated' | 'diverged' }> | undefined;
}

/** How likely an option is, relative to the others. Events are rarer than steps: a context needs room to get somewhere. */
const WEIGHTS = { step: 14, run: 3, irq: 1, nmi: 1 } as const;
/** Longest stutter that interleaves two CPUs inside a step, instructions. */
const LONGEST_RUN = 24;

function weigh(options: readonly Option[]): number {
  return options.reduce((sum, option) => sum + WEIGHTS[option.kind], 0);
}

/** Adds the stutters: every CPU that can step can also run a few instructions. */
function withRuns(options: readonly Option[], draws: Draws): Option[] {
  return options.flatMap((option): Option[] =>
    option.kind === 'step' ? [option, { kind: 'run', cpu: option.cpu, count: draws.nextInt(1, LONGEST_RUN) }] : [option],
  );
}

function pick(options: readonly Option[], draws: Draws): Option {
  let at = draws.nextInt(0, weigh(options) - 1);
  for (const option of options) {
    at -= WEIGHTS[option.kind];
    if (at < 0) return option;
  }
  return options[options.length - 1];
}

/**
 * Walks at most `steps` actions from the initial state, which it restores first. Ends early at a violation, and where nothing is enabled. After a
 * divergence the walk goes on without refinement, because a violated property says more.
 */
export function randomWalk(system: TransitionSystem, draws: Draws, steps: number): Walk {
  system.reset();
  const before = system.initially();
  if (before?.kind === 'violated' || before?.kind === 'diverged') return { actions: [], length: 0, failure: before };
  const actions: Action[] = [];
  let length = 0;
  let diverged: { walk: Walk } | undefined;
  for (let i = 0; i < steps; i++) {
    const options = withRuns(system.options(), draws);
    if (options.length === 0) break;
    const { action, outcome } = system.take(pick(options, draws), (alternatives) => draws.nextInt(0, alternatives - 1));
    if (outcome.kind === 'disabled') continue;
    actions.push(action);
    if (outcome.kind === 'violated') return { actions, length: length + 1, failure: outcome };
    if (outcome.kind === 'diverged') diverged ??= { walk: { actions: [...actions], length: length + 1, failure: outcome } };
    else length += outcome.length;
  }
  return diverged?.walk ?? { actions, length, failure: undefined };
}

/** Performs a trace; actions that are not enabled are left out. The walk that results is what really happened. */
export function replayWalk(system: TransitionSystem, trace: readonly Action[]): Walk {
  system.reset();
  const before = system.initially();
  if (before?.kind === 'violated' || before?.kind === 'diverged') return { actions: [], length: 0, failure: before };
  const actions: Action[] = [];
  let length = 0;
  for (const action of trace) {
    const mark = system.mark();
    const outcome = system.perform(action);
    if (outcome.kind === 'disabled') system.rollback(mark);
    system.release(mark);
    if (outcome.kind === 'disabled') continue;
    actions.push(action);
    if (outcome.kind !== 'done') return { actions, length: length + 1, failure: outcome };
    length += outcome.length;
  }
  return { actions, length, failure: undefined };
}

/** The same failure: the same property, or a divergence in the same field. */
export function sameFailure(a: Walk['failure'], b: Walk['failure']): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.kind === 'violated') return b.kind === 'violated' && a.property === b.property;
  return b.kind === 'diverged' && a.field === b.field;
}
