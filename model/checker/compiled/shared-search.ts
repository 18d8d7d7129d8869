/**
 * What the threads of one search share: the set of states, two lists of entries (kernel.ts) for each thread (parity of
 * the level: one is read, one is written, by its owner only), the memory of steps, and a page of counters. Plain
 * memory, so that it can be handed to a worker.
 */
import type { Learnable } from './lesson';
import { wordsToReserve } from './region-room';
import { PAGE_BYTES, PAGE_WORDS } from './state-set';
import { makeStepMemory, type StepMemory } from './step-memory';

/** Places in `control`. Those of one thread lie THREAD apart, each in a cache line of its own. */
export const ARRIVED = 0;
export const GENERATION = 16;
export const STOP = 96;
export const DEPTH = 128;
/** Threads that have started besides the first one, and threads that take part. */
export const READY = 144;
export const ACTIVE = 160;
/** The generation that begins the first level of the thread that was let in last. */
export const ACTIVE_SINCE = 161;
/** What the thread that stopped the search has found: a number (an instance, a capacity), then the words of a state. */
export const FOUND = 176;
/** The most bytes that a level took, in units. */
export const PEAK = 208;
export const PEAK_UNIT = 1024;
/** States of the level that is being expanded, and of all levels up to it. */
export const LEVEL = 224;
export const UP_TO_LEVEL = 225;
export const FIRST_THREAD = 256;
const THREAD = 64;

/** Places of thread t: the cursor of its list (in words), the ends of its two lists, its counts. */
export const cursorOf = (t: number) => FIRST_THREAD + t * THREAD;
export const endOf = (t: number, parity: number) => FIRST_THREAD + t * THREAD + 16 + parity;
export const statesOf = (t: number) => FIRST_THREAD + t * THREAD + 32;
/** Pages of the set of states that this thread was the first to write. */
export const pagesOf = (t: number) => FIRST_THREAD + t * THREAD + 35;
/** Two words: transitions may be more than 2^31. */
export const transitionsOf = (t: number) => FIRST_THREAD + t * THREAD + 33;

/** Values of `control[STOP]`. */
export const RUNNING = 0;
export const DONE = 1;
export const BAD = 2;
export const NO_MEMORY = 3;
export const TOO_DEEP = 4;
export const INTERRUPTED = 5;
export const NEEDS_CODE = 6;
export const NEEDS_ROOM = 7;
export const CRASHED = 8;
export const NO_REGION = 9;

export interface Shared {
  readonly threads: number;
  /** Words of a collapsed state. */
  readonly words: number;
  readonly learnable: Learnable;
  readonly steps: StepMemory;
  /** The set of states is a hash table of the only thread (block-table.ts), and `states` and `pages` are empty. */
  readonly hashes: boolean;
  /** The set of states (state-set.ts). */
  readonly states: Int32Array;
  /** For each page of the set: 0 if it has not been written. */
  readonly pages: Int32Array;
  readonly lists: readonly (readonly [Int32Array, Int32Array])[];
  readonly control: Int32Array;
  /** Of the set of states and the lists; what is reserved may be more. */
  readonly memoryBytes: number;
  readonly stopAtDepth: number;
  readonly reportsDeadlock: boolean;
}

interface SharedOptions extends Pick<Shared, 'threads' | 'learnable' | 'reportsDeadlock' | 'hashes'> {
  readonly memoryBytes: number;
  readonly stopAtDepth?: number | undefined;
}

const LEAST_LIST_WORDS = 1 << 16;
const array = (length: number) => new Int32Array(new SharedArrayBuffer(length * 4));

/** So many words, or fewer where the system does not promise them. */
function reserve(words: number): Int32Array {
  try {
    return array(words);
  } catch (error) {
    if (!(error instanceof RangeError) || words < LEAST_LIST_WORDS) throw error;
    return reserve(Math.floor(words / 2));
  }
}

/** Reserves the memory; the system provides a page when it is first written. */
export function makeShared(options: SharedOptions): Shared {
  const { threads, memoryBytes, learnable, hashes } = options;
  const { slots, masks, capacities, renamings = [] } = learnable;
  const states = hashes ? array(0) : reserve(wordsToReserve(memoryBytes));
  const regionWords = states.length;
  const listWords = Math.floor(memoryBytes / 4 / threads) + LEAST_LIST_WORDS;
  const control = array(FIRST_THREAD + threads * THREAD);
  control[ACTIVE] = 1;
  return {
    threads,
    words: slots.words,
    learnable,
    hashes,
    steps: makeStepMemory({ slots, wideWords: masks.words, capacities, renamings: renamings.length, regionWords }),
    states,
    pages: array(Math.ceil(regionWords / PAGE_WORDS)),
    lists: Array.from({ length: threads }, () => [reserve(listWords), reserve(listWords)] as const),
    control,
    memoryBytes,
    stopAtDepth: options.stopAtDepth ?? -1,
    reportsDeadlock: options.reportsDeadlock,
  };
}

/** Bytes in use: the pages of the set of states that have been written, and the lists. */
export function bytesOf({ control, threads }: Shared): number {
  let bytes = 0;
  for (let t = 0; t < threads; t++)
    bytes += control[pagesOf(t)] * PAGE_BYTES + (control[endOf(t, 0)] + control[endOf(t, 1)]) * 4;
  return bytes;
}

/**
 * A view of more than 4 GiB arrives in a worker with its length cut to 32 bits (Node 20), but its buffer arrives whole:
 * so buffers are sent.
 */
export interface Sent extends Omit<Shared, 'states' | 'lists' | 'control'> {
  readonly states: ArrayBufferLike;
  readonly lists: readonly (readonly [ArrayBufferLike, ArrayBufferLike])[];
  readonly control: ArrayBufferLike;
}

export function send(shared: Shared): Sent {
  const { states, lists, control } = shared;
  return {
    ...shared,
    states: states.buffer,
    lists: lists.map(([a, b]) => [a.buffer, b.buffer] as const),
    control: control.buffer,
  };
}

export function receive(sent: Sent): Shared {
  const view = (buffer: ArrayBufferLike) => new Int32Array(buffer);
  return {
    ...sent,
    states: view(sent.states),
    lists: sent.lists.map(([a, b]) => [view(a), view(b)] as const),
    control: view(sent.control),
  };
}
