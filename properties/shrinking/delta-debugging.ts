/**
 * Delta debugging of a failing trace: leave out what the failure does not need, then replace what is left by something
 * simpler. An action that is no longer enabled after a deletion is skipped where it stands, so deleting one thing
 * re-enables the rest instead of derailing it (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", 2002, with the trace as the input).
 */
import type { Action } from '../../counterexamples/format';
import type { TransitionSystem } from '../trace/transition-system';
import { replayWalk, sameFailure, type Walk } from '../trace/walk';

/** A trace is simpler if it has fewer transitions, or as many and fewer actions, or as many and fewer details. */
export function isSimpler(a: Walk, b: Walk): boolean {
  const [costA, costB] = [cost(a), cost(b)];
  const first = costA.findIndex((value, i) => value !== costB[i]);
  return first >= 0 && costA[first] < costB[first];
}

function cost(walk: Walk): number[] {
  const details = walk.actions.map(
    (a) => ('at' in a && a.at !== undefined ? 1 : 0) + ('choices' in a ? sum(a.choices ?? []) : 0),
  );
  return [walk.length, walk.actions.length, sum(details)];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Traces to try in place of `walk`, the boldest first. Lazily: the caller stops at the first that still fails. */
export function* candidates(walk: Walk): Generator<readonly Action[]> {
  const { actions } = walk;
  for (let size = actions.length >> 1; size >= 1; size >>= 1)
    for (let from = actions.length - size; from >= 0; from -= size)
      yield [...actions.slice(0, from), ...actions.slice(from + size)];
  yield* withoutPairs(actions);
  for (const [i, action] of actions.entries())
    for (const simpler of simplerActions(action)) yield actions.with(i, simpler);
}

/** Two actions that need each other (enter and leave, off and on) go only together. */
function* withoutPairs(actions: readonly Action[]): Generator<readonly Action[]> {
  for (let width = 2; width <= Math.min(12, actions.length); width++)
    for (let from = 0; from + width <= actions.length; from++)
      yield [...actions.slice(0, from), ...actions.slice(from + width)];
}

/** The same action with less said: not where exactly, not which choice. */
function* simplerActions(action: Action): Generator<Action> {
  if ((action.action === 'irq' || action.action === 'nmi') && action.at !== undefined) {
    const { at: _, ...anywhere } = action;
    yield anywhere as Action;
  }
  if ((action.action === 'step' || action.action === 'run') && action.choices?.some((choice) => choice > 0)) {
    const { choices: _, ...first } = action;
    yield first as Action;
  }
}

/** Replays a candidate; the walk if it fails in the same way and is simpler, else undefined. */
export function tryCandidate(system: TransitionSystem, walk: Walk, actions: readonly Action[]): Walk | undefined {
  const replayed = replayWalk(system, actions);
  return sameFailure(replayed.failure, walk.failure) && isSimpler(replayed, walk) ? replayed : undefined;
}
