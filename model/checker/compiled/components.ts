/**
 * Collapse compression (Holzmann, "State Compression in SPIN: Recursive Indexing and Compression Training Runs", 1997):
 * a state is stored as the numbers of its components, each of which is a value met before. The components are those of
 * interaction.ts: a CPU with the thread that it runs, a thread that no CPU runs, the globals.
 *
 *   word 0: | cpu 1 | cpu 0 | globals | 1 |    word 1: | ... | thread 1 | thread 0 | 1 |
 *   cpu:    | thread that it runs | number among the values with this thread |
 *
 * Bit 0 of every word is 1, bit 31 is 0. In the place of a thread that some CPU runs stands 0: its values are part of
 * that CPU's component.
 */
import { runningCell } from './code/interaction';
import type { Layout, PlacedCell } from './code/layout';

/** Where the number of a component lies in a collapsed state. */
export interface Slot {
  readonly word: number;
  readonly shift: number;
  readonly bits: number;
}

/** Threads of one kind are alike in number: user tasks, and the idle threads of CPUs. */
export const KINDS = ['task', 'idle'] as const;
export type Kind = (typeof KINDS)[number];

/** How many values of a component there is room for. A search that needs more begins anew with more. */
export interface Capacities {
  /** Of a CPU that runs a thread of this kind. */
  readonly runningTask: number;
  readonly runningIdle: number;
  /** Of a thread of this kind that no CPU runs. */
  readonly asleepTask: number;
  readonly asleepIdle: number;
  readonly globals: number;
  /** Entries of the memory of crossing steps (a power of two), and words of the memory of local ones. */
  readonly crossings: number;
  readonly records: number;
}

export const FIRST_CAPACITIES: Capacities = {
  runningTask: 768,
  runningIdle: 256,
  asleepTask: 15,
  asleepIdle: 1,
  globals: 12,
  crossings: 2 ** 16,
  records: 2 ** 20,
};

/** What a search can run out of. */
export type Capacity = keyof Capacities;
export const CAPACITIES = Object.keys(FIRST_CAPACITIES) as readonly Capacity[];

/** More of one thing. */
export function roomier(capacities: Capacities, what: Capacity): Capacities {
  const { crossings } = capacities;
  return { ...capacities, [what]: what === 'crossings' ? 2 * crossings : Math.ceil(capacities[what] * 1.5) };
}

/** Bits for the numbers 0..count-1. */
export function bitsFor(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

export interface Slots {
  readonly words: number;
  readonly cpus: readonly Slot[];
  /** The low bits of a CPU's slot: the number among the values with one thread. */
  readonly localBits: number;
  readonly threads: readonly Slot[];
  readonly globals: Slot;
}

const FIRST_BIT = 1;
const END_BIT = 31;

/** First fit, in the order in which a search reads them. */
export function makeSlots(cpus: number, threads: number, capacities: Capacities): Slots {
  const used: number[] = [];
  const slot = (bits: number): Slot => {
    const fit = used.findIndex((end) => end + bits <= END_BIT);
    const word = fit >= 0 ? fit : used.push(FIRST_BIT) - 1;
    used[word] += bits;
    return { word, shift: used[word] - bits, bits };
  };
  const { runningTask, runningIdle, asleepTask, asleepIdle } = capacities;
  const localBits = bitsFor(Math.max(runningTask, runningIdle));
  const globals = slot(bitsFor(capacities.globals));
  return {
    globals,
    localBits,
    cpus: Array.from({ length: cpus }, () => slot(localBits + bitsFor(threads))),
    // One number more: 0 for a thread that runs.
    threads: Array.from({ length: threads }, () => slot(bitsFor(Math.max(asleepTask, asleepIdle) + 1))),
    words: used.length,
  };
}

/** Which bits of an uncollapsed state belong to which component. */
export interface Masks {
  readonly words: number;
  readonly cpus: readonly Int32Array[];
  readonly threads: readonly Int32Array[];
  readonly globals: Int32Array;
  /** The bits of others that crossing steps look at. */
  readonly shared: Int32Array;
  /** What names the thread that a CPU runs; absent in a model without threads. */
  readonly running: readonly (PlacedCell | undefined)[];
}

export function makeMasks(
  layout: Layout,
  cpus: number,
  threads: number,
  shared: readonly number[],
  running: string | undefined,
): Masks {
  const mask = (belongs: (cell: PlacedCell) => boolean) => {
    const bits = new Int32Array(layout.words);
    for (const cell of layout.cells) if (cell.bits > 0 && belongs(cell)) bits[cell.word] |= bitsOf(cell) << cell.shift;
    return bits;
  };
  const of = (over: string | undefined, index?: number) =>
    mask((cell) => layout.fields.get(cell.field)?.over[0] === over && cell.index[0] === index);
  const isShared = new Set(shared);
  const owned = new Set(['cpu', 'thread', undefined]);
  const stray = layout.cells.find(({ field }) => !owned.has(layout.fields.get(field)?.over[0]));
  if (stray !== undefined)
    throw new RangeError(
      `field ${stray.field} belongs to no CPU, no thread and not to all: the search has no component for it`,
    );
  return {
    words: layout.words,
    cpus: Array.from({ length: cpus }, (_, c) => of('cpu', c)),
    threads: Array.from({ length: threads }, (_, t) => of('thread', t)),
    globals: of(undefined),
    shared: mask(({ number }) => isShared.has(number)),
    running: Array.from({ length: cpus }, (_, c) => runningCell(layout, c, running)),
  };
}

const bitsOf = (cell: PlacedCell) => (cell.bits === 0 ? 0 : -1 >>> (32 - cell.bits));

/** The value of a cell in packed words. */
export function cellValue(words: Int32Array, cell: PlacedCell): number {
  return cell.decoded[(words[cell.word] >>> cell.shift) & bitsOf(cell)] ?? 0;
}

/** The number of the component in a collapsed state. */
export function numberAt(words: Int32Array, at: number, { word, shift, bits }: Slot): number {
  return (words[at + word] >>> shift) & ((1 << bits) - 1);
}

/** How many numbers each component's slot holds: CPUs, threads, globals. */
export function numbersOf({ cpus, threads, globals }: Slots): number[] {
  return [...cpus, ...threads, globals].map(({ bits }) => 2 ** bits);
}
