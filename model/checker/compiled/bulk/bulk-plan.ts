/**
 * What the threads of a bulk search share: who steps where, as plain data that can be handed to a worker, and the
 * memory. It is made when everything has been learnt, and its sizes do not change.
 */
import { ACTIVE, FIRST_THREAD } from '../shared-search';
import { PAGE_BYTES, PAGE_WORDS } from '../state-set';
import { WORD_BITS, wordsFor } from './bit-matrix';
import type { ComponentSteps } from './component-steps';
import { RegionStates, type Room, roomFor, type Side, type Starts } from './region-states';
import type { Edge, Region } from './regions';
import type { Storage } from './rows';
import { fillUp, kinOf, numbersFor, skeletonOf } from './skeleton';
import { sourcesOf, stepOrder } from './step-order';

/** The local steps of a CPU with one thread. */
export interface LocalSteps {
  /** An order of the values in which most steps lead onwards. */
  readonly order: Int32Array;
  /** The steps of a value lead to targets[starts[value]..starts[value + 1]). */
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  /** By value: its number among those with crossing steps, or -1. */
  readonly crossing: Int32Array;
  /** The values with crossing steps, by these numbers. */
  readonly leaving: Int32Array;
  /** The values without local steps. */
  readonly resting: Int32Array;
  /** Values from which the steps lead to all others, as few as there can be. */
  readonly sources: Int32Array;
}

interface Place {
  /** Which of the buffers of words. */
  readonly buffer: number;
  readonly at: number;
  readonly bytesAt: number;
}

interface PlannedRegion {
  readonly running: readonly number[];
  /** For each CPU how many values it may have. */
  readonly counts: readonly number[];
  /** For each CPU, then by the number of the crossing value. */
  readonly edges: readonly (readonly (readonly Edge[])[])[];
  readonly starts: Starts;
  readonly places: Readonly<Record<Side, Place>>;
}

export interface BulkPlan {
  readonly threads: number;
  readonly reportsDeadlock: boolean;
  /** By the CPU, then by the thread. */
  readonly steps: readonly (readonly LocalSteps[])[];
  /** The same with the steps within skeletons only. */
  readonly narrow: readonly (readonly LocalSteps[])[];
  /** The values of the initial state, which is one of the first region. */
  readonly initial: readonly number[];
  readonly regions: readonly PlannedRegion[];
  readonly words: readonly ArrayBufferLike[];
  /** For each of these buffers, a byte for each of its pages: 0 if it has not been written. */
  readonly pages: readonly ArrayBufferLike[];
  readonly bytes: ArrayBufferLike;
  readonly control: Int32Array;
  /** States and transitions that each thread has counted. */
  readonly tallies: Float64Array;
}

/**
 * Places in `control` beside those of the barrier: the next unit of work; has there been any; which phase it is; which
 * CPUs may leave their skeletons.
 */
export const CURSOR = FIRST_THREAD;
export const WORKED = FIRST_THREAD + 16;
export const PHASE = FIRST_THREAD + 32;
export const FREE = FIRST_THREAD + 48;
/** Values of `control[FREE]`: none of them may; all but the last one; all. */
export const NOBODY = 0;
export const ALL_BUT_LAST = 1;
export const EVERYBODY = 2;
const CONTROL_WORDS = FIRST_THREAD + 64;

/** Words of one buffer: 1 GiB, so that all indices are small numbers. */
const BUFFER_WORDS = 2 ** 28;

/**
 * Of a stripe, roughly. Most rows that never get all bits lack a few neighbours: where stripes are small, the others
 * get all of theirs.
 */
const STRIPE_WORDS = 32;

const shared = (bytes: number) => new SharedArrayBuffer(bytes);

function makeControl(): Int32Array {
  const control = new Int32Array(shared(4 * CONTROL_WORDS));
  control[ACTIVE] = 1;
  return control;
}

/** A plan before its memory is reserved. */
export class Draft {
  private readonly steps: ComponentSteps;
  private readonly options: Pick<BulkPlan, 'threads' | 'reportsDeadlock'>;
  private readonly last: number;
  /** For each CPU with each thread, its skeleton, and the numbers that the values have in the plan. */
  private readonly skeletons: readonly (readonly ReadonlySet<number>[])[];
  private readonly numbers: readonly (readonly Int32Array[])[];
  private readonly storage = new StoragePlan();
  private readonly regions: readonly PlannedRegion[];
  private readonly initial: readonly number[];

  /** `initial`: a state of the first region. */
  constructor(
    regions: readonly Region[],
    steps: ComponentSteps,
    initial: Int32Array,
    options: Pick<BulkPlan, 'threads' | 'reportsDeadlock'>,
  ) {
    this.steps = steps;
    this.options = options;
    this.last = steps.values.length - 1;
    const entries = entriesOf(regions, steps, initial);
    this.skeletons = steps.values.map((byThread, cpu) =>
      byThread.map((values, thread) =>
        fillUp(skeletonOf(values.steps, entries[cpu][thread], values.crossing), values.steps, WORD_BITS),
      ),
    );
    this.numbers = steps.values.map((byThread, cpu) =>
      byThread.map((values, thread) =>
        numbersFor(this.skeletons[cpu][thread], kinOf(values.steps, entries[cpu][thread], steps.count(cpu, thread))),
      ),
    );
    this.regions = regions.map((region) => this.planned(region, regions));
    this.initial = regions[0].running.map((thread, cpu) => this.numberOf(cpu, thread, steps.valueOf(initial, cpu)));
  }

  /** What is reserved for the states. */
  get bytes(): number {
    return this.storage.bytes + 4 * this.storage.buffers.reduce((sum, words) => sum + words, 0);
  }

  /** Reserves the memory. Throws RangeError where the system does not give it. */
  plan(): BulkPlan {
    const { steps, storage, options } = this;
    const { threads, reportsDeadlock } = options;
    return {
      threads,
      reportsDeadlock,
      steps: steps.values.map((byThread, cpu) =>
        byThread.map((_, thread) => this.localSteps(cpu, thread, steps.count(cpu, thread))),
      ),
      narrow: steps.values.map((byThread, cpu) =>
        byThread.map((_, thread) =>
          this.localSteps(cpu, thread, Math.min(steps.count(cpu, thread), WORD_BITS * this.narrowWords(cpu, thread))),
        ),
      ),
      initial: this.initial,
      regions: this.regions,
      words: storage.buffers.map((words) => shared(4 * words)),
      pages: storage.buffers.map((words) => shared(Math.ceil(words / PAGE_WORDS))),
      bytes: shared(storage.bytes),
      control: makeControl(),
      tallies: new Float64Array(shared(2 * 8 * threads)),
    };
  }

  private planned({ running, edges }: Region, regions: readonly Region[]): PlannedRegion {
    const counts = running.map((thread, cpu) => this.steps.count(cpu, thread));
    const starts = this.startsFor(running, counts);
    const places = {
      main: this.storage.place(roomFor('main', counts, starts)),
      turned: this.storage.place(roomFor('turned', counts, starts)),
    };
    const renamed = edges.map((ofValues, cpu) =>
      ofValues.map((list) =>
        list.map(({ to, value }) => ({ to, value: this.numberOf(cpu, regions[to].running[cpu], value) })),
      ),
    );
    return { running, counts, edges: renamed, starts, places };
  }

  /** Skeletons have stripes of their own. */
  private startsFor(running: readonly number[], counts: readonly number[]): Starts {
    const starts = (cpu: number) => {
      const words = wordsFor(counts[cpu]);
      const narrow = Math.min(words, this.narrowWords(cpu, running[cpu]));
      return [...cuts(0, narrow), ...cuts(narrow, words), words];
    };
    return { main: starts(this.last), turned: starts(0) };
  }

  private narrowWords(cpu: number, thread: number): number {
    return wordsFor(this.skeletons[cpu][thread].size);
  }

  private numberOf(cpu: number, thread: number, value: number): number {
    return this.numbers[cpu][thread][value];
  }

  /** The local steps among the first `count` values. */
  private localSteps(cpu: number, thread: number, count: number): LocalSteps {
    const { steps, crossing } = this.steps.values[cpu][thread];
    const lists: (readonly number[])[] = Array.from({ length: count }, () => []);
    for (const [old, list] of steps.entries()) {
      const value = this.numberOf(cpu, thread, old);
      if (list === undefined || value >= count) continue;
      lists[value] = Array.from(list, (target) => this.numberOf(cpu, thread, target)).filter((to) => to < count);
    }
    const starts = new Int32Array(count + 1);
    for (let value = 0; value < count; value++) starts[value + 1] = starts[value] + lists[value].length;
    const leaving = Int32Array.from(crossing, (value) => this.numberOf(cpu, thread, value));
    const numbers = new Int32Array(count).fill(-1);
    for (const [number, value] of leaving.entries()) numbers[value] = number;
    const order = stepOrder(lists, count);
    const targets = Int32Array.from(lists.flat());
    const resting = Int32Array.from(order.filter((value) => lists[value].length === 0));
    return { order, starts, targets, crossing: numbers, leaving, resting, sources: sourcesOf(lists, order) };
  }
}

/** For each CPU with each thread, the values with which it comes to a region. */
function entriesOf(regions: readonly Region[], steps: ComponentSteps, initial: Int32Array): Set<number>[][] {
  return steps.values.map((byThread, cpu) => {
    const entries = byThread.map(() => new Set<number>());
    entries[regions[0].running[cpu]].add(steps.valueOf(initial, cpu));
    for (const { edges } of regions)
      for (const list of edges[cpu]) for (const { to, value } of list) entries[regions[to].running[cpu]].add(value);
    return entries;
  });
}

/** The beginnings of the stripes of the words from..to-1. */
function cuts(from: number, to: number): number[] {
  const parts = Math.ceil((to - from) / STRIPE_WORDS);
  return Array.from({ length: parts }, (_, part) => from + Math.floor(((to - from) * part) / parts));
}

/** The states of each region, as one thread sees them. */
export function statesOf(plan: BulkPlan): RegionStates[] {
  const words = plan.words.map((buffer) => new Int32Array(buffer));
  const pages = plan.pages.map((buffer) => new Uint8Array(buffer));
  const bytes = new Uint8Array(plan.bytes);
  const storage = ({ buffer, at, bytesAt }: Place): Storage => ({
    words: words[buffer],
    pages: pages[buffer],
    at,
    bytes,
    bytesAt,
  });
  return plan.regions.map(
    ({ counts, starts, places }) =>
      new RegionStates(counts, starts, { main: storage(places.main), turned: storage(places.turned) }),
  );
}

/** What the states take by now: pages that have been written, and the marks of rows. */
export function bytesTaken({ pages, bytes }: BulkPlan): number {
  let written = 0;
  for (const buffer of pages) for (const page of new Uint8Array(buffer)) written += page;
  return bytes.byteLength + written * PAGE_BYTES;
}

/** Puts one layout behind the other, each within one buffer. */
class StoragePlan {
  /** Words of each buffer. */
  readonly buffers: number[] = [];
  bytes = 0;

  place({ words, bytes }: Room): Place {
    const last = this.buffers.length - 1;
    if (last < 0 || this.buffers[last] + words > BUFFER_WORDS) this.buffers.push(0);
    const buffer = this.buffers.length - 1;
    const place = { buffer, at: this.buffers[buffer], bytesAt: this.bytes };
    this.buffers[buffer] += words;
    this.bytes += bytes;
    return place;
  }
}
