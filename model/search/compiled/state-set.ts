import type { Slots } from './components';
import { COUNTS, type StepMemory } from './step-memory';

/**
 * The set of states that a search has met: one bit for each combination of component values. A search meets a good part of all combinations, so this takes
 * fewer bits than the words of the states in a hash table; and what one step of a CPU leads to lies near by.
 *
 * States with the same threads on the CPUs form a region, an array with a dimension for each component:
 *
 *   bit (last CPU), last CPU / 32, the other CPUs, globals, sleeping threads      from the innermost dimension to the outermost
 *
 * A region is made when the first of its states is met. What is reserved and never met costs no memory: the system provides a page when it is first written.
 */

/** The regions by the threads that the CPUs run: for each the place of its first word, and how many words further the next value of each component is. */
export interface Regions {
  readonly cpus: number;
  readonly threads: number;
  /** Threads that a CPU can run, at least 1. */
  readonly occupants: number;
  readonly table: Int32Array;
}

/** The words of an entry of the table: base (0: no region), strides of the CPUs, the threads, the globals. */
export function regionLength(cpus: number, threads: number): number {
  return 2 + cpus + threads;
}

export function regionAt({ cpus, threads, occupants }: Omit<Regions, 'table'>, running: readonly number[]): number {
  return running.reduce((at, thread) => at * occupants + thread, 0) * regionLength(cpus, threads);
}

/** What a region has room for: values of each CPU, of each thread (0 for one that runs), of the globals. */
export interface RegionSizes {
  readonly cpus: readonly number[];
  readonly threads: readonly number[];
  readonly globals: number;
}

/** The strides of a region, in the order of its entry, and its size in words. `base` belongs to value 0 of each component; sleeping threads count from 1. */
export function regionLayout({ cpus, threads, globals }: RegionSizes): {
  readonly strides: readonly number[];
  readonly words: number;
  readonly offset: number;
} {
  let words = Math.ceil(cpus[cpus.length - 1] / 32);
  const dimension = (size: number) => {
    const stride = words;
    words *= size;
    return stride;
  };
  const cpuStrides = [...cpus.slice(0, -1).map(dimension), 1];
  const globalsStride = dimension(globals);
  const threadStrides = threads.map((size) => (size === 0 ? 0 : dimension(size)));
  const offset = threadStrides.reduce((sum, stride) => sum + stride, 0);
  return { strides: [...cpuStrides, ...threadStrides, globalsStride], words, offset };
}

/** Words of the set that lie between states that have been met: the product of what each component of a region has had. */
export function usedWords({ control, regions }: StepMemory, { cpus, threads }: Slots): number {
  const occupants = Math.max(1, threads.length);
  const length = regionLength(cpus.length, threads.length);
  const others = COUNTS + cpus.length * occupants;
  let used = 0;
  for (let region = 0; region < regions.length / length; region++) {
    if (regions[region * length] === 0) continue;
    const running = cpus.map((_, cpu) => Math.floor(region / occupants ** (cpus.length - 1 - cpu)) % occupants);
    const counts = running.map((thread, cpu) => control[COUNTS + cpu * occupants + thread]);
    const last = Math.ceil((counts.pop() ?? 0) / 32);
    const asleep = threads.map((_, thread) => (running.includes(thread) ? 1 : control[others + thread]));
    used += [...counts, ...asleep, control[others + threads.length]].reduce((product, count) => product * count, last);
  }
  return used;
}
