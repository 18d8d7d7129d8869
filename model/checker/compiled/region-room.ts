/**
 * How much of the set of states has to be reserved: a region (state-set.ts) for each way in which threads can run on
 * the CPUs, with room for as many values as the capacities say. What is reserved and never met costs no memory, but one
 * array has to hold all of it, and that is a limit of its own: beyond it the set is a hash table (block-table.ts).
 */
import { type Capacities, type Capacity, makeSlots, type Slots } from './components';
import { blockWordsOf, type Learnable, Unfit } from './lesson';
import { BLOCK_WORDS, regionAt, regionLayout, regionLength } from './state-set';
import { COUNTS, counterOf, REGIONS_END, REGIONS_LIMIT, type StepMemory } from './step-memory';

const { store } = Atomics;

/**
 * Regions are reserved for more values than they will hold, in each dimension: so many times the memory, but not less
 * than so many words.
 */
const RESERVED = 4;
const LEAST_RESERVED = 2 ** 26;
/** An Int32Array takes more, but not a product of 32-bit integers. */
const MOST_WORDS = 2 ** 31 - 1;

/** The words to reserve for the set of states in a search that may use so much memory. */
export function wordsToReserve(memoryBytes: number): number {
  return Math.min(Math.max(Math.floor(memoryBytes / 4) * RESERVED, LEAST_RESERVED), MOST_WORDS);
}

/** What limits the number of a component's values. `thread`: that it is about; 0 where it is about none. */
export function capacityOf({ slots, tasks }: Learnable, component: number, thread: number): Capacity {
  const cpus = slots.cpus.length;
  const isTask = thread < Math.max(1, tasks);
  if (component < cpus) return isTask ? 'runningTask' : 'runningIdle';
  if (component < cpus + slots.threads.length) return isTask ? 'asleepTask' : 'asleepIdle';
  return 'globals';
}

/** The region of the states whose CPUs run these threads; -1 in a model without threads. */
function regionFor(learnable: Learnable, running: readonly number[]): ReturnType<typeof regionLayout> {
  const { slots, capacities } = learnable;
  const cpus = slots.cpus.length;
  const room = (component: number, thread: number) => capacities[capacityOf(learnable, component, Math.max(0, thread))];
  return regionLayout(
    {
      cpus: running.map((thread, cpu) => room(cpu, thread)),
      threads: slots.threads.map((_, thread) => (running.includes(thread) ? 0 : room(cpus + thread, thread))),
      globals: capacities.globals,
    },
    blockWordsOf(learnable),
  );
}

/**
 * Makes the region of the states whose CPUs run these threads (-1 in a model without threads), behind the last one.
 * Throws Unfit where there is no room for it.
 */
export function makeRegion(learnable: Learnable, memory: StepMemory, running: readonly number[]): void {
  const { control, regions } = memory;
  const { slots } = learnable;
  const numbers = running.map((thread) => Math.max(0, thread));
  const at = regionAt(occupancyOf(slots), numbers);
  if (regions[at] !== 0) return;
  const { strides, words, offset } = regionFor(learnable, running);
  // 0 says that there is no region.
  const base = control[REGIONS_END] === offset ? offset + BLOCK_WORDS : control[REGIONS_END];
  if (base + words > control[REGIONS_LIMIT]) throw new Unfit({ kind: 'reserve' });
  control[REGIONS_END] = base + words;
  regions.set(strides, at + 1);
  store(regions, at, base - offset);
}

const occupancyOf = ({ cpus, threads }: Slots) => ({
  cpus: cpus.length,
  threads: threads.length,
  occupants: Math.max(1, threads.length),
});

/** The threads that CPUs run in the regions that have been made, those first that were made first. */
function madeRegions({ regions }: StepMemory, slots: Slots): number[][] {
  const { cpus, threads, occupants } = occupancyOf(slots);
  const length = regionLength(cpus, threads);
  const numbers = Array.from({ length: regions.length / length }, (_, number) => number);
  return numbers
    .filter((number) => regions[number * length] !== 0)
    .sort((a, b) => regions[a * length] - regions[b * length])
    .map((number) => {
      const digits = Array.from({ length: cpus }, (_, cpu) => Math.floor(number / occupants ** cpu) % occupants);
      return digits.reverse();
    });
}

/**
 * After a search: makes the regions anew, with room for the values that there are and no more, and answers the
 * capacities that say so. Regions that are full take fewer pages. What has been learnt holds as long as numbers have
 * their bits (components.ts), so a capacity that decides about bits stays.
 */
export function tighten(learnable: Learnable, memory: StepMemory): Capacities {
  const { slots } = learnable;
  const { control, regions } = memory;
  const { cpus, threads } = occupancyOf(slots);
  const isSame = (capacities: Capacities) =>
    JSON.stringify(makeSlots(cpus, threads, capacities)) === JSON.stringify(slots);
  let capacities = learnable.capacities;
  for (const [what, count] of valuesMet(learnable, control)) {
    const tighter = { ...capacities, [what]: count };
    if (isSame(tighter)) capacities = tighter;
  }
  const made = madeRegions(memory, slots);
  regions.fill(0);
  control[REGIONS_END] = BLOCK_WORDS;
  for (const running of made) makeRegion({ ...learnable, capacities }, memory, running);
  return capacities;
}

/** The most values that any component with this capacity has. */
function valuesMet(learnable: Learnable, control: Int32Array): Map<Capacity, number> {
  const { slots } = learnable;
  const { cpus, threads, occupants } = occupancyOf(slots);
  const most = new Map<Capacity, number>();
  const meet = (component: number, thread: number) => {
    const what = capacityOf(learnable, component, thread);
    most.set(what, Math.max(most.get(what) ?? 1, control[COUNTS + counterOf(slots, component, thread)]));
  };
  for (let cpu = 0; cpu < cpus; cpu++) for (let thread = 0; thread < occupants; thread++) meet(cpu, thread);
  for (let thread = 0; thread < threads; thread++) meet(cpus + thread, thread);
  meet(cpus + threads, 0);
  return most;
}
