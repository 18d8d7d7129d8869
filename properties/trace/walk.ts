/**
 * A walk: a trace as the system performed it, and how it ended. Exploration makes walks, shrinking replays them.
 */
import type { Action } from '../../counterexamples/format';
import type { ActionOutcome, TransitionSystem } from './transition-system';

/** A trace, and how its last action ended; `undefined` if all went well. */
export interface Walk {
  /** The trace. */
  readonly actions: readonly Action[];
  /** Transitions of the abstract machine among the actions. */
  readonly length: number;
  /** The violation or divergence that its last action led to. */
  readonly failure: Extract<ActionOutcome, { kind: 'violated' | 'diverged' }> | undefined;
}

/** What a walk has come to so far. */
export class Trail {
  readonly actions: Action[] = [];
  length = 0;
  private divergence: Walk | undefined;

  /** Adds an action; answers the walk if it ends here. */
  add(action: Action, outcome: ActionOutcome): Walk | undefined {
    this.actions.push(action);
    if (outcome.kind === 'violated') return { actions: this.actions, length: this.length + 1, failure: outcome };
    if (outcome.kind === 'done') this.length += outcome.length;
    if (outcome.kind !== 'diverged') return undefined;
    this.length++;
    this.divergence ??= { actions: [...this.actions], length: this.length, failure: outcome };
    return undefined;
  }

  get hasDiverged(): boolean {
    return this.divergence !== undefined;
  }

  /** The walk that ends without a violation: at its divergence, if there was one. */
  end(): Walk {
    return this.divergence ?? { actions: this.actions, length: this.length, failure: undefined };
  }
}

/** The walk of no actions, where the state after boot fails already. */
export function initialFailure(system: TransitionSystem): Walk | undefined {
  const before = system.initially();
  return before?.kind === 'violated' || before?.kind === 'diverged'
    ? { actions: [], length: 0, failure: before }
    : undefined;
}

/** Performs a trace; actions that are not enabled are left out. The walk that results is what really happened. */
export function replayWalk(system: TransitionSystem, trace: readonly Action[]): Walk {
  system.reset();
  const before = initialFailure(system);
  if (before !== undefined) return before;
  const trail = new Trail();
  for (const action of trace) {
    const mark = system.mark();
    const outcome = system.perform(action);
    if (outcome.kind === 'disabled') system.rollback(mark);
    system.release(mark);
    const ended = outcome.kind === 'disabled' ? undefined : trail.add(action, outcome);
    if (ended !== undefined) return ended;
  }
  return trail.end();
}

/** The same failure: the same property, or a divergence in the same field. */
export function sameFailure(a: Walk['failure'], b: Walk['failure']): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.kind === 'violated') return b.kind === 'violated' && a.property === b.property;
  return b.kind === 'diverged' && a.field === b.field;
}
