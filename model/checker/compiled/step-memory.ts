/**
 * What a search has learnt of its model's steps, in shared memory, so that the threads of a search learn together.
 * Readers take no lock: an entry is written before the word that leads to it.
 *
 *   local[c][P << bits of G | g]   -> a record of `records`, or 0: not known yet
 *   record: | steps | crossings | 1 if the CPU is private | change of each word, move (a step each) ...
 *           | number of the crossing instance ... |
 *
 *   crossings, open addressing: | key words, the first one last to be written | instance + 1 | enabled (1 or 0)
 *                               | change of each word |
 *   key: the state with the components that the instance does not touch taken out, and of every other CPU only what
 *        it shows (`views`)
 */
import { type Capacities, numbersOf, type Slots } from './components';
import { BLOCK_BITS, BLOCK_WORDS, regionLength } from './state-set';

/** The words of a record in front of its steps. */
export const RECORD_HEAD = 3;

/**
 * The words of one step of a record: what changes in the state, and where the step goes in the set of states
 * (moveOf()).
 */
export function stepStride(words: number): number {
  return words + 1;
}

/**
 * With symmetry, for each renaming and each component a row by the number of its value: `images` has the number after
 * the renaming, in the place of the component that it becomes (-1: not known yet), and `ranks` a hash of that value,
 * which does not depend on the order in which numbers were given.
 */
export interface Images {
  readonly images: Int32Array;
  readonly ranks: Int32Array;
}

/**
 * What `blocks` says about 32 neighbouring values of the last CPU and a value of the globals, one bit for each value: |
 * is its record known | has it none but plain steps, and fewer than 2^COUNT_BITS | has it steps | bit 0 of the number
 * of its steps | bit 1 | ...
 */
export const COUNT_BITS = 2;
export const BLOCK_RECORD = 3 + COUNT_BITS;

export interface StepMemory extends Images {
  readonly control: Int32Array;
  readonly local: readonly Int32Array[];
  readonly views: readonly Int32Array[];
  readonly blocks: Int32Array;
  readonly records: Int32Array;
  readonly crossings: Int32Array;
  /** The regions of the set of states (state-set.ts). */
  readonly regions: Int32Array;
  /** For each component (CPUs, threads, globals) the words of its values. */
  readonly values: readonly Int32Array[];
}

/** Places in `control`. */
export const LOCK = 0;
export const RECORDS_END = 1;
export const CROSSINGS = 2;
/** End of the last region. */
export const REGIONS_END = 3;
/** Where they have to end; 0 where the set of states is a hash table (block-table.ts), which has none. */
export const REGIONS_LIMIT = 4;
/** How many values have been given numbers: of each CPU with each thread, of each thread, of the globals. */
export const COUNTS = 16;

/**
 * Where the values of a component are counted, from COUNTS on. `thread`: that it is about; 0 where it is about none.
 */
export function counterOf({ cpus, threads }: Slots, component: number, thread: number): number {
  const occupants = Math.max(1, threads.length);
  const running = cpus.length * occupants;
  return component < cpus.length ? component * occupants + thread : running + component - cpus.length;
}

export function crossingStride(words: number): number {
  return 2 * words + 2;
}

interface MemorySizes {
  readonly slots: Slots;
  /** Words of a state that is not collapsed. */
  readonly wideWords: number;
  readonly capacities: Capacities;
  /** How many ways there are to rename; 0 without symmetry. */
  readonly renamings: number;
  /** Words for the set of states; 0 where it has no regions. */
  readonly regionWords: number;
}

/** Where the row of a component begins within the rows of a renaming, and at the end the size of all. */
export function rowsOf(slots: Slots): number[] {
  const rows = [0];
  for (const size of numbersOf(slots)) rows.push(rows[rows.length - 1] + size);
  return rows;
}

const array = (length: number) => new Int32Array(new SharedArrayBuffer(length * 4));

/** Reserved; the system provides a page when it is first written. */
export function makeStepMemory(sizes: MemorySizes): StepMemory {
  const { slots, wideWords, capacities, renamings, regionWords } = sizes;
  const { cpus, threads, globals, words } = slots;
  const rows = rowsOf(slots);
  const allRows = renamings * rows[rows.length - 1];
  const occupants = Math.max(1, threads.length);
  const control = array(COUNTS + cpus.length * occupants + threads.length + 1);
  // Record 0 is "not known yet", and so is a region that begins at 0.
  control[RECORDS_END] = 1;
  control[REGIONS_END] = BLOCK_WORDS;
  control[REGIONS_LIMIT] = regionWords;
  return {
    control,
    local: cpus.map(({ bits }) => array(2 ** (bits + globals.bits))),
    views: cpus.map(({ bits }) => array(2 ** bits)),
    blocks: array(2 ** (Math.max(0, cpus[cpus.length - 1].bits - BLOCK_BITS) + globals.bits) * BLOCK_RECORD),
    records: array(capacities.records),
    crossings: array(capacities.crossings * crossingStride(words)),
    regions: array(occupants ** cpus.length * regionLength(cpus.length, threads.length)),
    values: numbersOf(slots).map((count) => array(count * wideWords)),
    images: array(allRows).fill(-1),
    ranks: array(allRows),
  };
}

const arraysOf = (memory: StepMemory): Int32Array[] => [
  memory.control,
  ...memory.local,
  ...memory.views,
  memory.blocks,
  memory.records,
  memory.crossings,
  memory.regions,
  ...memory.values,
  memory.images,
  memory.ranks,
];

function trimmed(words: Int32Array): Int32Array {
  let end = words.length;
  while (end > 0 && words[end - 1] === 0) end--;
  return words.subarray(0, end);
}

/** How much has been learnt: it only grows. */
export function amountLearnt({ control }: StepMemory): number {
  return trimmed(control).reduce(
    (sum, word, place) => (place === RECORDS_END || place === CROSSINGS ? sum + word : sum),
    0,
  );
}

/** The memory as words: the lengths of its arrays without the zeros at their ends, then these arrays. */
export function dump(memory: StepMemory): Int32Array {
  const arrays = arraysOf(memory).map(trimmed);
  const words = new Int32Array(arrays.length + arrays.reduce((sum, each) => sum + each.length, 0));
  words.set(arrays.map(({ length }) => length));
  let at = arrays.length;
  for (const each of arrays) {
    words.set(each, at);
    at += each.length;
  }
  return words;
}

/**
 * Fills an empty memory of the same sizes with what was dumped, if the set of states has room for its regions or needs
 * none.
 */
export function restore(memory: StepMemory, words: Int32Array): void {
  const arrays = arraysOf(memory);
  const limit = memory.control[REGIONS_LIMIT];
  const parts: Int32Array[] = [];
  let at = arrays.length;
  for (let i = 0; i < arrays.length; i++) {
    parts.push(words.subarray(at, at + words[i]));
    at += words[i];
  }
  if (limit > 0 && parts[0][REGIONS_END] > limit) return;
  for (const [i, part] of parts.entries()) arrays[i].set(part);
  memory.control[LOCK] = 0;
  memory.control[REGIONS_LIMIT] = limit;
  if (limit === 0) memory.regions.fill(0);
}
