/**
 * Shortcuts: deletion alone stops at traces in which every action is needed for the next one, although another way is
 * shorter. From each state of the trace a bounded breadth-first search looks for a state further down the same trace,
 * or for the failure itself, and splices the shorter way in.
 */
import type { Action } from '../../counterexamples/format';
import type { Option, TransitionSystem } from '../trace/transition-system';
import { replayWalk, sameFailure, type Walk } from '../trace/walk';

/** States expanded from each state of the trace. */
const EXPANSIONS = 60;
/** Choice sequences tried for one step. */
const VARIANTS = 24;

/** The first shorter trace that a bounded search finds, or undefined; also where `shouldStop` ends the search. */
export function shortcut(
  system: TransitionSystem,
  walk: Walk,
  shouldStop: () => boolean = () => false,
): Walk | undefined {
  const later = fingerprints(system, walk);
  for (let from = 0; from < walk.actions.length; from++) {
    const found = searchFrom({ system, walk, later, shouldStop }, from);
    if (found === undefined) continue;
    const replayed = replayWalk(system, found);
    if (sameFailure(replayed.failure, walk.failure) && replayed.length < walk.length) return replayed;
  }
  return undefined;
}

/** The position in the trace at which each state is last seen. */
function fingerprints(system: TransitionSystem, walk: Walk): Map<string, number> {
  const at = new Map<string, number>();
  system.reset();
  walk.actions.forEach((action, i) => {
    at.set(system.fingerprint(), i);
    system.perform(action);
  });
  return at;
}

interface Node {
  readonly actions: readonly Action[];
  readonly length: number;
}

interface Search {
  readonly system: TransitionSystem;
  readonly walk: Walk;
  /** The position in the trace at which each state is last seen. */
  readonly later: ReadonlyMap<string, number>;
  readonly shouldStop: () => boolean;
}

function searchFrom({ system, walk, later, shouldStop }: Search, from: number): readonly Action[] | undefined {
  const prefix = walk.actions.slice(0, from);
  const seen = new Set<string>();
  const queue: Node[] = [{ actions: [], length: 0 }];
  for (let n = 0; n < EXPANSIONS; n++) {
    const node = queue.shift();
    if (node === undefined || shouldStop()) return undefined;
    system.reset();
    for (const action of [...prefix, ...node.actions]) system.perform(action);
    for (const next of successors(system, walk, node)) {
      if (next.ends) return [...prefix, ...next.node.actions];
      const target = later.get(next.fingerprint);
      if (target !== undefined && lengthOf(walk.actions.slice(from, target)) > next.node.length)
        return [...prefix, ...next.node.actions, ...walk.actions.slice(target)];
      if (seen.has(next.fingerprint)) continue;
      seen.add(next.fingerprint);
      queue.push(next.node);
    }
  }
  return undefined;
}

/** Every way to make one transition from the current state. */
function* successors(
  system: TransitionSystem,
  walk: Walk,
  node: Node,
): Generator<{ node: Node; fingerprint: string; ends: boolean }> {
  const mark = system.mark();
  for (const option of system.options().filter((o) => concerns(walk, o))) {
    for (const choices of variants(option)) {
      const { action, outcome } = system.take(option, (alternatives) =>
        Math.min(choices.shift() ?? 0, alternatives - 1),
      );
      const ends = (outcome.kind === 'violated' || outcome.kind === 'diverged') && sameFailure(outcome, walk.failure);
      const next = { actions: [...node.actions, action], length: node.length + 1 };
      if (ends || outcome.kind === 'done') yield { node: next, fingerprint: system.fingerprint(), ends };
      system.rollback(mark);
    }
  }
  system.release(mark);
}

/**
 * A shorter way needs no CPU and no kind of event that the trace does without; the search would drown in the others.
 */
function concerns(walk: Walk, option: Option): boolean {
  const kind = option.kind === 'irq' || option.kind === 'nmi' ? option.kind : 'step';
  return walk.actions.some((action) => action.cpu === option.cpu && (kind === 'step' || action.action === kind));
}

/** Sequences of up to two choices; a step asks at most that often before it changes anything. */
function* variants(option: Option): Generator<number[]> {
  if (option.kind !== 'step') {
    yield [];
    return;
  }
  for (let i = 0; i < VARIANTS; i++) yield [i % 8, Math.floor(i / 8)];
}

function lengthOf(actions: readonly Action[]): number {
  return actions.filter((a) => a.action !== 'run').length;
}
