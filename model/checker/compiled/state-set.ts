import { numberAt, type Slot, type Slots } from './components';

/**
 * The set of states that a search has met: one bit for each combination of component values. A search meets a good part
 * of all combinations, so this takes fewer bits than the words of the states in a hash table; and what one step of a
 * CPU leads to lies near by.
 *
 * 32 states that differ in the number of the last CPU only, and in nothing but the low bits of that, form a block of
 * two words: which of them have been met, and where the entry of those of the next level may be found in its list (a
 * hint: it holds if the entry there is of this block). In a reduced search it has the first word only. States with the
 * same threads on the CPUs form a region, an array with a dimension for each component:
 *
 *   | met | hint |
 *   dimensions, the innermost first: last CPU / 32, the other CPUs, globals, sleeping threads
 *
 * A region is made when the first of its states is met. What is reserved and never met costs no memory: the system
 * provides a page when it is first written.
 */
export const BLOCK_BITS = 5;
export const BLOCK_STATES = 1 << BLOCK_BITS;
export const BLOCK_WORDS = 2;
/** A reduced search has no hints: its states are few and far between. */
export const REDUCED_BLOCK_WORDS = 1;

/** The system provides pages of 4 KiB: so many words. */
export const PAGE_BITS = 10;
export const PAGE_WORDS = 1 << PAGE_BITS;
export const PAGE_BYTES = 4 * PAGE_WORDS;

/**
 * The regions by the threads that the CPUs run: for each the place of its first word, and how many words further the
 * next value of each component is.
 */
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

/**
 * The strides of a region, in the order of its entry (that of the last CPU is from block to block), and its size in
 * words. `base` belongs to value 0 of each component; sleeping threads count from 1.
 */
export function regionLayout(
  { cpus, threads, globals }: RegionSizes,
  blockWords: number,
): {
  readonly strides: readonly number[];
  readonly words: number;
  readonly offset: number;
} {
  let words = blockWords * Math.ceil(cpus[cpus.length - 1] / BLOCK_STATES);
  const dimension = (size: number) => {
    const stride = words;
    words *= size;
    return stride;
  };
  const cpuStrides = [...cpus.slice(0, -1).map(dimension), blockWords];
  const globalsStride = dimension(globals);
  const threadStrides = threads.map((size) => (size === 0 ? 0 : dimension(size)));
  const offset = threadStrides.reduce((sum, stride) => sum + stride, 0);
  return { strides: [...cpuStrides, ...threadStrides, globalsStride], words, offset };
}

/**
 * The move of a step that leads to another region, or changes a sleeping thread, or uses the globals and leaves them as
 * they are: its place is found anew.
 */
export const FAR = -(2 ** 31);
const FURTHEST = 2 ** 15;
const GLOBALS_BITS = 15;

/**
 * How far the step that changes a state by change[at..] goes within a region: | by how many values (blocks, for the
 * last CPU) of the CPU | by how many of the globals |, 16 bits each, signed; or FAR.
 */
export function moveOf(slots: Slots, cpu: number, state: Int32Array, change: Int32Array, at: number): number {
  const { cpus, threads, globals, localBits } = slots;
  const step = (slot: Slot, unit: number) => {
    const before = numberAt(state, 0, slot);
    return ((before ^ numberAt(change, at, slot)) >> unit) - (before >> unit);
  };
  if (numberAt(change, at, cpus[cpu]) >> localBits !== 0 || globals.bits > GLOBALS_BITS) return FAR;
  for (const slot of threads) if (numberAt(change, at, slot) !== 0) return FAR;
  const values = step(cpus[cpu], cpu === cpus.length - 1 ? BLOCK_BITS : 0);
  return Math.abs(values) < FURTHEST ? (values << 16) | (step(globals, 0) & 0xffff) : FAR;
}

/** Does a step with this move read and change nothing but the component of its CPU? */
export function isPlain(move: number): boolean {
  return move !== FAR && (move & 0xffff) === 0;
}
