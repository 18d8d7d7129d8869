/**
 * What the threads of one search share: the table, two lists of states for each thread (parity of the level: one is read, one is written, by its owner
 * only), and a page of counters. Plain memory, so that it can be handed to a worker.
 */

/** Places in `control`. Those of one thread lie THREAD apart, each in a cache line of its own. */
export const ARRIVED = 0;
export const GENERATION = 16;
export const GROWING = 32;
export const GROW_ARRIVED = 48;
export const GROW_GENERATION = 64;
export const GROW_CURSOR = 80;
export const STOP = 96;
export const SLOTS_LOG = 112;
export const DEPTH = 128;
/** Threads that have started besides the first one, and threads that take part. */
export const READY = 144;
export const ACTIVE = 160;
/** What the thread that stopped the search has found: instance, then the words of the state. */
export const FOUND = 176;
const FIRST_THREAD = 256;
const THREAD = 64;

/** Places of thread t: the cursor of its list (in words), the ends of its two lists, its counts. */
export const cursorOf = (t: number) => FIRST_THREAD + t * THREAD;
export const endOf = (t: number, parity: number) => FIRST_THREAD + t * THREAD + 16 + parity;
export const statesOf = (t: number) => FIRST_THREAD + t * THREAD + 32;
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
export const CRASHED = 7;

export interface Shared {
  readonly threads: number;
  readonly words: number;
  readonly kernelSource: string;
  readonly table: Int32Array;
  readonly lists: readonly (readonly [Int32Array, Int32Array])[];
  readonly control: Int32Array;
  readonly maxSlotsLog: number;
  readonly stopAtDepth: number;
  readonly reportsDeadlock: boolean;
}

/** Slots behind the last home: entries that are displaced there. */
export const GUARD = 1 << 12;
export const FIRST_SLOTS_LOG = 16;

export interface SharedOptions extends Pick<Shared, 'threads' | 'words' | 'kernelSource' | 'reportsDeadlock'> {
  readonly memoryBytes: number;
  readonly stopAtDepth?: number | undefined;
}

/** Reserves the memory; the system provides a page when it is first written. */
export function makeShared(options: SharedOptions): Shared {
  const { threads, words, memoryBytes } = options;
  const slotBytes = words * 4;
  let maxSlotsLog = 12;
  while (
    (2 ** (maxSlotsLog + 1) + GUARD) * slotBytes <= memoryBytes * 0.75 &&
    2 ** (maxSlotsLog + 1) * words <= 2 ** 30
  )
    maxSlotsLog++;
  const listWords = Math.max(1 << 16, Math.floor(memoryBytes / 8 / threads)) + (1 << 16);
  const array = (length: number) => new Int32Array(new SharedArrayBuffer(length * 4));
  const control = array(FIRST_THREAD + threads * THREAD);
  control[ACTIVE] = 1;
  control[SLOTS_LOG] = Math.min(FIRST_SLOTS_LOG, maxSlotsLog);
  return {
    threads,
    words,
    kernelSource: options.kernelSource,
    table: array((2 ** maxSlotsLog + GUARD) * words),
    lists: Array.from({ length: threads }, () => [array(listWords), array(listWords)] as const),
    control,
    maxSlotsLog,
    stopAtDepth: options.stopAtDepth ?? -1,
    reportsDeadlock: options.reportsDeadlock,
  };
}

/** A view of more than 4 GiB arrives in a worker with its length cut to 32 bits (Node 20), but its buffer arrives whole: so buffers are sent. */
export interface Sent extends Omit<Shared, 'table' | 'lists' | 'control'> {
  readonly table: ArrayBufferLike;
  readonly lists: readonly (readonly [ArrayBufferLike, ArrayBufferLike])[];
  readonly control: ArrayBufferLike;
}

export function send(shared: Shared): Sent {
  const { table, lists, control } = shared;
  return {
    ...shared,
    table: table.buffer,
    lists: lists.map(([a, b]) => [a.buffer, b.buffer] as const),
    control: control.buffer,
  };
}

export function receive(sent: Sent): Shared {
  const view = (buffer: ArrayBufferLike) => new Int32Array(buffer);
  return {
    ...sent,
    table: view(sent.table),
    lists: sent.lists.map(([a, b]) => [view(a), view(b)] as const),
    control: view(sent.control),
  };
}
