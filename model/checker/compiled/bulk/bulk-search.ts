/**
 * The search of a model in which CPUs meet in the scheduler only and nothing is counted: no globals. A step a -> b of
 * one CPU is one operation for all states of the others: the states in which the CPU has value b gain those in which it
 * has value a, 32 a word, with no hash and no list of states. This is repeated until nothing is new, for one CPU after
 * the other, on several threads, with the last CPU kept to its skeleton at first. What each value does has been learnt
 * by executing the rules, so a violation has been seen before this begins.
 *
 * Levels are lost: the search says whether all states are fine and how many there are, not how deep they lie.
 */

import type { Crew } from '../crew';
import { type Learnable, type Lesson, Unfit } from '../lesson';
import type { Observed } from '../progress';
import { ACTIVE, BAD, CRASHED, INTERRUPTED, STOP } from '../shared-search';
import { type BulkPlan, bytesTaken, Draft } from './bulk-plan';
import { BulkThread } from './bulk-thread';
import { ComponentSteps, UNSUITABLE } from './component-steps';
import { findRegions } from './regions';
import { hasDeadlock, mostStates } from './superset';

export interface BulkOptions {
  readonly threads: number;
  readonly memoryBytes: number;
  readonly reportsDeadlock: boolean;
  /** Called between regions now and then; answers whether to stop. */
  readonly poll: (search: Observed) => boolean;
}

type BulkStop =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'unsuitable' }
  /** It would take so many bytes. `most`: so many states there are at most, and all are fine; where that is known. */
  | { readonly kind: 'memory'; readonly neededBytes: number; readonly most: number | undefined }
  | Exclude<Lesson, { kind: 'learnt' | 'reserve' }>;

const FEWEST_CPUS = 2;
const MOST_CPUS = 3;

/** Can the states of this model be taken together? */
export function isBulky({ slots, footprints, por, renamings = [] }: Learnable): boolean {
  const { length } = slots.cpus;
  return (
    length >= FEWEST_CPUS &&
    length <= MOST_CPUS &&
    por === undefined &&
    renamings.length === 0 &&
    !footprints.some(({ globals }) => globals)
  );
}

export class BulkSearch implements Observed {
  states = 0;
  transitions = 0;
  open = 0;
  /** Threads that have taken part. */
  joined = 1;
  readonly depth = 0;
  readonly sizes: readonly number[] = [];
  private plan: BulkPlan | undefined;
  private readonly steps: ComponentSteps;
  private readonly crew: Crew;
  private readonly options: BulkOptions;

  /** `crew`: `threads - 1` workers. `known`: what an earlier search of the same has learnt. */
  constructor(learnable: Learnable, crew: Crew, options: BulkOptions, known?: Int32Array) {
    this.steps = new ComponentSteps(learnable, known);
    this.crew = crew;
    this.options = options;
  }

  run(wide: Int32Array): BulkStop {
    try {
      return this.search(this.steps.collapse(wide));
    } catch (error) {
      if (!(error instanceof Unfit) || error.lesson.kind === 'learnt' || error.lesson.kind === 'reserve') throw error;
      return error.lesson === UNSUITABLE ? { kind: 'unsuitable' } : error.lesson;
    }
  }

  /** What the states take: what is reserved and never written takes nothing. */
  get bytes(): number {
    return this.plan === undefined ? 0 : bytesTaken(this.plan);
  }

  /** What has been learnt of the model's steps, if that is more than was known before. */
  learnt(): Int32Array | undefined {
    return this.steps.learnt();
  }

  private search(initial: Int32Array): BulkStop {
    const { steps, options } = this;
    const regions = findRegions(steps, initial);
    const draft = new Draft(regions, steps, initial, options);
    const reserved = draft.bytes;
    if (reserved > options.memoryBytes) {
      const isFine = !options.reportsDeadlock || !hasDeadlock(regions, steps);
      return { kind: 'memory', neededBytes: reserved, most: isFine ? mostStates(regions, steps) : undefined };
    }
    const plan = draft.plan();
    this.plan = plan;
    this.crew.takePart({ kind: 'bulk', plan });
    const first = new BulkThread(plan, () => options.poll(this));
    try {
      first.begin();
      first.run();
    } catch (error) {
      // The others would wait at a barrier for ever.
      first.stop(CRASHED);
      throw error;
    }
    return this.ending(plan, first);
  }

  private ending({ control, tallies }: BulkPlan, first: BulkThread): BulkStop {
    this.joined = control[ACTIVE];
    if (control[STOP] === CRASHED) throw new Error('a thread of the search failed; --threads 1 does without');
    if (control[STOP] === BAD) return { kind: 'bad' };
    if (control[STOP] === INTERRUPTED) {
      this.states = first.countStates();
      return { kind: 'interrupted' };
    }
    this.states = sumOf(tallies, 0);
    this.transitions = sumOf(tallies, 1);
    return { kind: 'done' };
  }
}

/** The sum of one of the two numbers that each thread has counted. */
function sumOf(tallies: Float64Array, which: 0 | 1): number {
  let sum = 0;
  for (let at: number = which; at < tallies.length; at += 2) sum += tallies[at];
  return sum;
}
