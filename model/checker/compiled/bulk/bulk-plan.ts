/**
 * What the threads of a bulk search share: who steps where, as plain data that can be handed to a worker, and the
 * memory. It is made when everything has been learnt, and its sizes do not change.
 */
import { ACTIVE, FIRST_THREAD } from '../shared-search';
import type { ComponentSteps } from './component-steps';
import type { Storage } from './layout';
import { RegionStates, type Room, roomFor, SIDES, type Side } from './region-states';
import type { Edge, Region } from './regions';
import { stepOrder } from './step-order';

/** The local steps of a CPU with one thread. */
interface LocalSteps {
  /** An order of the values in which most steps lead onwards. */
  readonly order: Int32Array;
  /** The steps of a value lead to targets[starts[value]..starts[value + 1]). */
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  /** By value: its number among those with crossing steps, or -1. */
  readonly crossing: Int32Array;
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
  readonly places: Readonly<Record<Side, Place>>;
}

export interface BulkPlan {
  readonly threads: number;
  /** Parts of each row: as many as threads. */
  readonly stripes: number;
  readonly reportsDeadlock: boolean;
  /** By the CPU, then by the thread. */
  readonly steps: readonly (readonly LocalSteps[])[];
  readonly regions: readonly PlannedRegion[];
  readonly words: readonly ArrayBufferLike[];
  readonly bytes: ArrayBufferLike;
  readonly control: Int32Array;
  /** States and transitions that each thread has counted. */
  readonly tallies: Float64Array;
}

/** Places in `control` beside those of the barrier: the next unit of work; has there been any; which phase it is. */
export const CURSOR = FIRST_THREAD;
export const WORKED = FIRST_THREAD + 16;
export const PHASE = FIRST_THREAD + 32;
const CONTROL_WORDS = FIRST_THREAD + 48;

/** Words of one buffer: 1 GiB, so that all indices are small numbers. */
const BUFFER_WORDS = 2 ** 28;

const shared = (bytes: number) => new SharedArrayBuffer(bytes);

/** How many values the CPUs have in a region. */
function countsIn({ running }: Region, steps: ComponentSteps): number[] {
  return running.map((thread, cpu) => steps.count(cpu, thread));
}

/** What the states of these regions take, in bytes. */
export function bytesFor(regions: readonly Region[], steps: ComponentSteps, stripes: number): number {
  let sum = 0;
  for (const region of regions)
    for (const side of SIDES) {
      const { words, bytes } = roomFor(side, countsIn(region, steps), stripes);
      sum += 4 * words + bytes;
    }
  return sum;
}

function makeControl(): Int32Array {
  const control = new Int32Array(shared(4 * CONTROL_WORDS));
  control[ACTIVE] = 1;
  return control;
}

/** Throws RangeError where the system does not give the memory. */
export function makePlan(
  regions: readonly Region[],
  steps: ComponentSteps,
  { threads, reportsDeadlock }: Pick<BulkPlan, 'threads' | 'reportsDeadlock'>,
): BulkPlan {
  const stripes = threads;
  const storage = new StoragePlan();
  const planned = regions.map((region) => {
    const counts = countsIn(region, steps);
    const places = Object.fromEntries(SIDES.map((side) => [side, storage.place(roomFor(side, counts, stripes))]));
    return { running: region.running, counts, edges: region.edges, places: places as Record<Side, Place> };
  });
  return {
    threads,
    stripes,
    reportsDeadlock,
    steps: steps.values.map((byThread, cpu) =>
      byThread.map((values, thread) => localSteps(values.steps, values.crossing, steps.count(cpu, thread))),
    ),
    regions: planned,
    words: storage.buffers.map((words) => shared(4 * words)),
    bytes: shared(storage.bytes),
    control: makeControl(),
    tallies: new Float64Array(shared(2 * 8 * threads)),
  };
}

/** The states of each region, as one thread sees them. */
export function statesOf(plan: BulkPlan): RegionStates[] {
  const words = plan.words.map((buffer) => new Int32Array(buffer));
  const bytes = new Uint8Array(plan.bytes);
  const storage = ({ buffer, at, bytesAt }: Place): Storage => ({ words: words[buffer], at, bytes, bytesAt });
  return plan.regions.map(
    ({ counts, places }) =>
      new RegionStates(counts, plan.stripes, { main: storage(places.main), turned: storage(places.turned) }),
  );
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

function localSteps(
  steps: readonly (Int32Array | undefined)[],
  crossing: readonly number[],
  count: number,
): LocalSteps {
  const starts = new Int32Array(count + 1);
  for (let value = 0; value < count; value++) starts[value + 1] = starts[value] + (steps[value]?.length ?? 0);
  const targets = new Int32Array(starts[count]);
  for (let value = 0; value < count; value++) targets.set(steps[value] ?? [], starts[value]);
  const numbers = new Int32Array(count).fill(-1);
  for (const [number, value] of crossing.entries()) numbers[value] = number;
  return { order: stepOrder(steps, count), starts, targets, crossing: numbers };
}
