/**
 * How much of the set of states has to be reserved: a region (state-set.ts) for each way in which threads can run on
 * the CPUs, with room for as many values as the capacities say. What is reserved and never met costs no memory, but one
 * array has to hold all of it, and that is a limit of its own: beyond it the set is a hash table (block-table.ts).
 */
import type { Capacity } from './components';
import { blockWordsOf, type Learnable } from './lesson';
import { regionLayout } from './state-set';

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
export function regionFor(learnable: Learnable, running: readonly number[]): ReturnType<typeof regionLayout> {
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
