/**
 * Between states as the generated code has them (wide) and collapsed ones (components.ts): takes a collapsed state
 * apart, says what a step changes in it, and makes the regions of the set of states that successors lie in. To be used
 * under the lock of the memory.
 */
import { ComponentValues } from './component-values';
import { cellValue, numberAt, type Slot } from './components';
import type { Learnable } from './lesson';
import { makeRegion } from './region-room';
import { REGIONS_LIMIT, type StepMemory } from './step-memory';

type Renamer = (words: Int32Array) => number[];

/** What a lesson works on is allocated once: to make a typed array takes longer than most of what is done with it. */
export class Collapser {
  /**
   * The state that a lesson is about: collapsed, not collapsed, and the threads that its CPUs run (-1 in a model
   * without threads).
   */
  readonly state: Int32Array;
  readonly wide: Int32Array;
  readonly running: number[];
  /** Of the components: CPUs, threads, globals. */
  readonly slots: readonly Slot[];
  /** With symmetry: in the order of the renamings of `Learnable`. */
  readonly renamers: readonly Renamer[];
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly values: ComponentValues;
  /** The bits of a CPU that runs a thread: by the CPU, then by the thread + 1. */
  private readonly own: readonly (readonly Int32Array[])[];
  /** The threads that the CPUs run in a successor. */
  private readonly runningAfter: number[];

  constructor(from: Learnable, memory: StepMemory) {
    const { slots, masks } = from;
    this.from = from;
    this.memory = memory;
    this.values = new ComponentValues(from, memory);
    this.own = masks.cpus.map((mask) => [mask, ...masks.threads.map((thread) => or(mask, thread))]);
    this.renamers = (from.renamings ?? []).map(({ words }) => new Function(`return ${words};`)() as Renamer);
    this.slots = [...slots.cpus, ...slots.threads, slots.globals];
    this.state = new Int32Array(slots.words);
    this.wide = new Int32Array(masks.words);
    this.running = slots.cpus.map(() => -1);
    this.runningAfter = slots.cpus.map(() => -1);
  }

  /** Learns the numbers that other threads have given. */
  catchUp(): void {
    this.values.catchUp();
  }

  /** Makes the collapsed state at words[at..] the one that the lesson is about. */
  decode(words: Int32Array, at: number): void {
    const { state, wide, slots } = this;
    const { values } = this.memory;
    for (let w = 0; w < state.length; w++) state[w] = words[at + w];
    for (let w = 0; w < wide.length; w++) wide[w] = 1;
    for (let component = 0; component < slots.length; component++) {
      const from = numberAt(state, 0, slots[component]) * wide.length;
      for (let w = 0; w < wide.length; w++) wide[w] |= values[component][from + w];
    }
    this.findRunning(wide, this.running);
  }

  /** Writes the collapsed form of a state into `words`. */
  encode(wide: Int32Array, words: Int32Array): void {
    const { slots, runningAfter } = this;
    this.findRunning(wide, runningAfter);
    for (let w = 0; w < this.state.length; w++) words[w] = 1;
    for (let component = 0; component < slots.length; component++) {
      const { word, shift } = slots[component];
      words[word] |= this.numberIn(wide, component, runningAfter) << shift;
    }
  }

  /**
   * Puts at to[at..] what to change in `state` to get the collapsed form of `out`. Hardly any step changes more than
   * two components.
   */
  putChange(out: Int32Array, to: Int32Array, at: number): void {
    const { state, wide, slots, running, runningAfter } = this;
    this.findRunning(out, runningAfter);
    for (let w = 0; w < state.length; w++) to[at + w] = 0;
    for (let component = 0; component < slots.length; component++) {
      const mask = this.maskOf(component, runningAfter);
      if (mask === this.maskOf(component, running) && (mask === undefined || isSame(wide, out, mask))) continue;
      const slot = slots[component];
      to[at + slot.word] |= (this.numberIn(out, component, runningAfter) ^ numberAt(state, 0, slot)) << slot.shift;
    }
  }

  /** Makes the region of a state, and with symmetry those of its renamings. */
  makeRegions(wide: Int32Array): void {
    this.makeRegionOf(wide);
    for (const renamer of this.renamers) this.makeRegionOf(Int32Array.from(renamer(wide)));
  }

  private makeRegionOf(wide: Int32Array): void {
    this.findRunning(wide, this.runningAfter);
    if (this.memory.control[REGIONS_LIMIT] > 0) makeRegion(this.from, this.memory, this.runningAfter);
  }

  /** Leaves in `running` the threads that the CPUs run. */
  private findRunning(wide: Int32Array, running: number[]): void {
    const cells = this.from.masks.running;
    for (let cpu = 0; cpu < running.length; cpu++) {
      const cell = cells[cpu];
      const thread = cell === undefined ? -1 : cellValue(wide, cell);
      running[cpu] = thread;
      if (thread >= 0 && running.indexOf(thread) !== cpu)
        throw new RangeError(`two CPUs run thread ${thread}, and no invariant of the model forbids it`);
    }
  }

  /** The bits that belong to a component; undefined for a thread that a CPU runs. */
  private maskOf(component: number, running: readonly number[]): Int32Array | undefined {
    const { masks } = this.from;
    const cpus = running.length;
    if (component < cpus) return this.own[component][running[component] + 1];
    if (component === cpus + masks.threads.length) return masks.globals;
    return running.includes(component - cpus) ? undefined : masks.threads[component - cpus];
  }

  /** The number of a component's value in a state whose CPUs run these threads. */
  private numberIn(wide: Int32Array, component: number, running: readonly number[]): number {
    const mask = this.maskOf(component, running);
    return mask === undefined ? 0 : this.values.numberOf(component, this.threadOf(component, running), wide, mask);
  }

  /** The thread that a component is about; 0 for the globals, and in a model without threads. */
  private threadOf(component: number, running: readonly number[]): number {
    const cpus = running.length;
    if (component < cpus) return Math.max(0, running[component]);
    return component < cpus + this.from.slots.threads.length ? component - cpus : 0;
  }
}

function or(words: Int32Array, mask: Int32Array): Int32Array {
  return words.map((word, i) => word | mask[i]);
}

function isSame(a: Int32Array, b: Int32Array, mask: Int32Array): boolean {
  for (let i = 0; i < mask.length; i++) if (((a[i] ^ b[i]) & mask[i]) !== 0) return false;
  return true;
}
