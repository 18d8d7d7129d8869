/**
 * The smallest bounds at which the bounded search finds a violation, and the shortest trace there. Bounds are tried in
 * the order of their sum, so what shows the violation with one CPU less, or one event less, is found first.
 */
import type { Bounds, Transient } from '../language/schema-types';
import type { Model } from '../model';
import { type Exploration, explore } from '../search/explore';

/** A model at any bounds. */
export type ModelAt<S extends Transient, D> = (bounds: Bounds) => Model<S, D>;

export interface Violation {
  readonly bounds: Bounds;
  readonly exploration: Exploration & { readonly property: number };
}

interface SmallestOptions {
  /** Least bounds: 1 where the model has such a thing at all, 0 events. */
  readonly least: Bounds;
  /** Largest sum of what the bounds are above the least ones. */
  readonly mostAbove: number;
  /** States of all searches together, after which none is begun. */
  readonly mostStates: number;
}

const NAMES = ['cpus', 'tasks', 'mms', 'nesting', 'nmis', 'irqs'] as const;
/** Of one search. */
const MEMORY_MIB = 64;

/** The ways to have so much more in these bounds, the last ones first. */
function* above(bounds: Bounds, more: number, from = 0): Generator<Bounds> {
  const name = NAMES[from];
  if (from === NAMES.length - 1) {
    yield { ...bounds, [name]: bounds[name] + more };
    return;
  }
  const isFixed = bounds[name] === 0 && name !== 'nmis' && name !== 'irqs';
  for (let here = 0; here <= (isFixed ? 0 : more); here++)
    yield* above({ ...bounds, [name]: bounds[name] + here }, more - here, from + 1);
}

/** undefined if there is none within the options. */
export function smallestViolation<S extends Transient, D>(
  modelAt: ModelAt<S, D>,
  { least, mostAbove, mostStates }: SmallestOptions,
): Violation | undefined {
  let states = 0;
  for (let more = 0; more <= mostAbove; more++)
    for (const bounds of above(least, more)) {
      // An address space without a task is not used.
      if (bounds.mms > Math.max(1, bounds.tasks)) continue;
      if (states >= mostStates) return undefined;
      const exploration = explore(modelAt(bounds), { deadlock: false, memoryMiB: MEMORY_MIB });
      states += exploration.states;
      const { verdict, property } = exploration;
      if (verdict === 'violated' && property !== undefined)
        return { bounds, exploration: { ...exploration, property } };
    }
  return undefined;
}
