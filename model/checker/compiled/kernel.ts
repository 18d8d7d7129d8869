/**
 * The inner loops of the compiled search, generated for a given form of collapsed states (kernel-source.ts). Steps come
 * out of the memory of steps (step-memory.ts) and change states by exclusive or. What is handled is not a state but up
 * to 32 of them, those of one block of the set of states (state-set.ts) that belong to the same level:
 *
 *   entry: | words of the state, with 0 in the low bits of the last CPU's number | which states of the block
 *          | which of these are awake |
 *
 * States that are asleep do not take every step (expand-source.ts). Some hundred successors go through these passes,
 * because what costs is waiting for memory:
 *
 *   expand    the successors of entries, until one is met of which something is not known yet
 *   touch     one read of each block; these reads do not depend on each other, so their cache misses overlap
 *   mark      marks what is new, and adds it to the block's entry of the next level
 */
import type { Footprint } from './code/interaction';
import type { Slots } from './components';
import type { StepMemory } from './step-memory';

/** Where the kernel leaves what it cannot return: places in the array `results`. */
export const R_POSITION = 0;
/** Why `expand` stopped at R_POSITION before its end, if it did. */
export const R_REASON = 1;
/** For REASON_UNKNOWN the number of the state in its block, for REASON_NO_IMAGE the place in the batch. */
export const R_STOPPED = 2;
/** Transitions of what has been expanded. */
export const R_TRANSITIONS = 3;
/** States that `mark` has found to be new. */
export const R_STATES = 4;
/** Pages of the set that `mark` was the first to write. */
export const R_PAGES = 5;
export const R_LENGTH = 6;

export const REASON_NONE = 0;
export const REASON_DEAD = 1;
/** Of a state of the entry at R_POSITION. */
export const REASON_UNKNOWN = 2;
/** Of a successor that stands in the batch as a whole state. */
export const REASON_NO_IMAGE = 3;

export interface KernelShape {
  readonly slots: Slots;
  readonly footprints: readonly Footprint[];
  /** Slots of the memory of crossings, a power of two. */
  readonly crossingSlots: number;
  /** With partial-order reduction: where a CPU is private, its steps stand for all. */
  readonly por: boolean;
  /** With symmetry: for each renaming, the component that each component becomes. */
  readonly renamings: readonly (readonly number[])[];
  /**
   * Where the row of each component begins within the rows of a renaming, and at the end their size (step-memory.ts).
   */
  readonly rows: readonly number[];
}

/** A reduced search takes all steps (expand-source.ts): nothing is asleep, and the set has no hints. */
export function isReduced({
  por,
  renamings,
}: {
  readonly por: boolean;
  readonly renamings: readonly unknown[];
}): boolean {
  return por || renamings.length > 0;
}

/** Positions are indices into arrays of words, not numbers of entries. */
export interface Kernel {
  /**
   * Appends the successors of frontier[entry..to) to batch[filled..limit); stops at results[R_POSITION]. Returns how
   * far the batch is filled. `memory` is what tables() makes of a memory of steps.
   */
  expand(
    frontier: Int32Array,
    entry: number,
    to: number,
    batch: Int32Array,
    filled: number,
    limit: number,
    results: Int32Array,
    reportsDead: boolean,
    memory: readonly Int32Array[],
  ): number;
  /** Replaces the state in the batch by the one that stands for all its renamings; answers whether these are known. */
  canonical(batch: Int32Array, position: number, memory: readonly Int32Array[]): boolean;
  /** Makes a successor that is awake of the state in the batch. */
  enter(batch: Int32Array, position: number, memory: readonly Int32Array[]): void;
  touch(set: Int32Array, batch: Int32Array, filled: number): number;
  /**
   * Marks the successors batch[0..filled) in the set. What is new goes to the entry of its block in next[..at), or to a
   * new one. Returns the new `at`. `written`: 0 for each page of the set that has not been written. `base`: what a hint
   * of this level is counted from.
   */
  mark(
    set: Int32Array,
    written: Int32Array,
    batch: Int32Array,
    filled: number,
    next: Int32Array,
    at: number,
    base: number,
    results: Int32Array,
  ): number;
  /** The same for a set that several threads use. */
  markShared: Kernel['mark'];
}

/** The words of an entry of a level, for states of so many words. */
export function entryStride(words: number): number {
  return words + 2;
}

/**
 * The words of a successor in the batch: | words | place, + 1 if the states are awake (not in a reduced search) | which
 * states |.
 */
export function batchStride(words: number): number {
  return words + 2;
}

/** The order of the arrays that the kernel takes. */
export function tables({ local, views, records, crossings, images, ranks, regions, blocks }: StepMemory): Int32Array[] {
  return [records, crossings, images, ranks, regions, blocks, ...local, ...views];
}
