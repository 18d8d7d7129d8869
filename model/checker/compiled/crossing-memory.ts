/**
 * The memory of crossing steps (step-memory.ts): a table with open addressing, by what such a step depends on. To be
 * used under the lock of the memory; kernel code reads it without.
 */
import type { Footprint } from './code/interaction';
import { numberAt, type Slot, type Slots } from './components';
import { type Learnable, Unfit } from './lesson';
import { hashOf } from './place-index';
import { CROSSINGS, crossingStride, type StepMemory } from './step-memory';

/** Part of the table that may be in use. */
const CROWDED = 0.7;

const { store } = Atomics;

/** The place where the search for a key begins; the kernel generates the same. */
function keyHash(key: Int32Array, instance: number): number {
  return hashOf(key, 0, key.length, instance) >>> 0;
}

export class CrossingMemory {
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly keyMasks: readonly Int32Array[];
  private readonly key: Int32Array;

  constructor(from: Learnable, memory: StepMemory) {
    const { slots, footprints } = from;
    this.from = from;
    this.memory = memory;
    this.keyMasks = footprints.map((footprint) => keyMask(slots, footprint));
    this.key = new Int32Array(slots.words);
  }

  /**
   * Where to remember what the instance does in a state; -1 if that is known. `remember` is to follow, with no other
   * place reserved in between.
   */
  reserve(instance: number, state: Int32Array): number {
    const { control, crossings } = this.memory;
    const at = this.look(instance, state);
    if (crossings[at] !== 0) return -1;
    const entries = crossings.length / crossingStride(this.key.length);
    if (++control[CROSSINGS] > entries * CROWDED) throw new Unfit({ kind: 'full', what: 'crossings' });
    return at;
  }

  /** Where is remembered what the instance does in a state; -1 if that is not known. */
  find(instance: number, state: Int32Array): number {
    const at = this.look(instance, state);
    return this.memory.crossings[at] === 0 ? -1 : at;
  }

  /** What a remembered step changes; undefined if it is not enabled. */
  changeAt(at: number): Int32Array | undefined {
    const { crossings } = this.memory;
    const words = this.key.length;
    return crossings[at + words + 1] === 0 ? undefined : crossings.slice(at + words + 2, at + 2 * words + 2);
  }

  /** The place of a key, or the free one where it would be put. */
  private look(instance: number, state: Int32Array): number {
    const { crossings } = this.memory;
    const { key } = this;
    const stride = crossingStride(key.length);
    const entries = crossings.length / stride;
    this.makeKey(instance, state);
    let entry = keyHash(key, instance) & (entries - 1);
    while (crossings[entry * stride] !== 0 && !this.isKey(entry * stride, instance))
      entry = (entry + 1) & (entries - 1);
    return entry * stride;
  }

  /** Remembers at the reserved place what the step changes, or that it is not enabled. */
  remember(at: number, instance: number, change: Int32Array | undefined): void {
    const { crossings } = this.memory;
    const { key } = this;
    const words = key.length;
    for (let w = 1; w < words; w++) crossings[at + w] = key[w];
    crossings[at + words] = instance + 1;
    crossings[at + words + 1] = change === undefined ? 0 : 1;
    if (change !== undefined) crossings.set(change, at + words + 2);
    // Whoever finds the first word finds the others.
    store(crossings, at, key[0]);
  }

  private isKey(at: number, instance: number): boolean {
    const { key } = this;
    const { crossings } = this.memory;
    for (let w = 0; w < key.length; w++) if (crossings[at + w] !== key[w]) return false;
    return crossings[at + key.length] === instance + 1;
  }

  /** Leaves in `key` what the crossing step is remembered by. */
  private makeKey(instance: number, state: Int32Array): void {
    const { key } = this;
    const { cpus } = this.from.slots;
    const { cpu } = this.from.footprints[instance];
    const mask = this.keyMasks[instance];
    for (let w = 0; w < key.length; w++) key[w] = state[w] & mask[w];
    for (let other = 0; other < cpus.length; other++)
      if (other !== cpu) key[cpus[other].word] |= this.memory.views[other][numberAt(state, 0, cpus[other])];
  }
}

/** The bits of a state that stay in the key of a crossing step; in the places of the other CPUs their views are put. */
export function keyMask(slots: Slots, footprint: Footprint): Int32Array {
  return footprintBits(slots, footprint).map((word) => word | 1);
}

/** The bits of a collapsed state that belong to the components that a footprint names. */
export function footprintBits(slots: Slots, { cpu, threads, globals }: Footprint): Int32Array {
  if (cpu < 0) return bitsOf(slots, []);
  const named = [slots.cpus[cpu], ...threads.map((thread) => slots.threads[thread])];
  return bitsOf(slots, globals ? [...named, slots.globals] : named);
}

export function bitsOf({ words }: Slots, slots: readonly Slot[]): Int32Array {
  const mask = new Int32Array(words);
  for (const { word, shift, bits } of slots) mask[word] |= ((1 << bits) - 1) << shift;
  return mask;
}
