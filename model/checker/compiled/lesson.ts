/**
 * What the threads of a search learn from, and what a lesson can end with.
 */
import type { Footprint } from './code/interaction';
import type { Capacities, Capacity, Masks, Slots } from './components';
import { isReduced } from './kernel';
import { BLOCK_WORDS, REDUCED_BLOCK_WORDS } from './state-set';
import type { StepTrees } from './step-code';

/** What is known of a model, as far as it is needed to learn steps. Plain data, for it is handed to each thread. */
export interface Learnable {
  readonly trees: StepTrees;
  readonly footprints: readonly Footprint[];
  readonly masks: Masks;
  readonly slots: Slots;
  readonly capacities: Capacities;
  /** Threads below this one are user tasks. */
  readonly tasks: number;
  /** With partial-order reduction. */
  readonly por?: PrivateSteps | undefined;
  /** With symmetry: the renamings, the identity among them. */
  readonly renamings?: readonly ComponentRenaming[] | undefined;
}

/**
 * Partial-order reduction (checker/search/partial-order.ts), by the numbers of instances. Where a CPU is private, the
 * trees say.
 */
export interface PrivateSteps {
  /** Instances that go before all others. Whether one is enabled depends on the globals only. */
  readonly first: readonly boolean[];
}

/**
 * What a renaming makes of each component (CPUs, threads, globals), and JavaScript: a function from the words of a
 * state to those of its renaming.
 */
export interface ComponentRenaming {
  readonly images: readonly number[];
  readonly words: string;
}

export type Lesson =
  | { readonly kind: 'learnt' }
  /** Some step of the state violates a property, or is beyond what can be learnt: a search in order tells. */
  | { readonly kind: 'bad' }
  | { readonly kind: 'recompile'; readonly before: Int32Array; readonly instance: number }
  | { readonly kind: 'full'; readonly what: Capacity }
  /** The set of states has no room for another region. */
  | { readonly kind: 'reserve' };

export const LEARNT: Lesson = { kind: 'learnt' };
export const BAD: Lesson = { kind: 'bad' };

/** Ends a lesson in the middle. */
export class Unfit extends Error {
  readonly lesson: Lesson;

  constructor(lesson: Lesson) {
    super(lesson.kind);
    this.lesson = lesson;
  }
}

/** The words of a block of the set of states (state-set.ts). */
export function blockWordsOf({ por, renamings = [] }: Learnable): number {
  return isReduced({ por: por !== undefined, renamings }) ? REDUCED_BLOCK_WORDS : BLOCK_WORDS;
}
