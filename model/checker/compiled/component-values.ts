/**
 * Numbers the values of components (components.ts). The numbers are shared by the threads of a search; each thread has
 * an index of its own, by content, and catches up with what others have numbered. To be used under the lock of the
 * memory.
 */
import { type Learnable, Unfit } from './lesson';
import { PlaceIndex } from './place-index';
import { capacityOf } from './region-room';
import { COUNTS, counterOf, type StepMemory } from './step-memory';
import { Views } from './views';

export class ComponentValues {
  /** Threads that a CPU can run, at least 1. */
  readonly occupants: number;
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  private readonly views: Views;
  /** For each component where its values stand. */
  private readonly byContent: readonly PlaceIndex[];
  /** How many values of each counter of `control` this thread knows. */
  private readonly met: Int32Array;
  private readonly value: Int32Array;

  constructor(from: Learnable, memory: StepMemory) {
    this.from = from;
    this.memory = memory;
    this.views = new Views(from, memory);
    this.occupants = Math.max(1, from.slots.threads.length);
    this.byContent = memory.values.map((values) => new PlaceIndex(values));
    this.met = new Int32Array(memory.control.length - COUNTS);
    this.value = new Int32Array(from.masks.words);
  }

  /**
   * The number of the value that the component has in a state, whose bits are those of `mask`. `thread`: that it is
   * about; 0 where it is about none.
   */
  numberOf(component: number, thread: number, wide: Int32Array, mask: Int32Array): number {
    const { value } = this;
    for (let w = 0; w < value.length; w++) value[w] = wide[w] & mask[w];
    const known = this.byContent[component].find(value, value.length);
    return known < 0 ? this.give(component, thread) : known / value.length;
  }

  /** Values that others have added since. */
  catchUp(): void {
    const { met, memory } = this;
    for (let counter = 0; counter < met.length; counter++)
      if (met[counter] !== memory.control[COUNTS + counter]) return this.meetAll();
  }

  /** Gives a number to what stands in `value`. */
  private give(component: number, thread: number): number {
    const { control, values } = this.memory;
    const counter = counterOf(this.from.slots, component, thread);
    const capacity = capacityOf(this.from, component, thread);
    const count = control[COUNTS + counter];
    if (count === this.from.capacities[capacity]) throw new Unfit({ kind: 'full', what: capacity });
    const number = this.numbered(component, thread, count);
    values[component].set(this.value, number * this.value.length);
    control[COUNTS + counter] = count + 1;
    this.meet(component, thread);
    return number;
  }

  /**
   * The number of the n-th value: among those of a CPU the thread that it runs comes first; those of threads begin with
   * 1.
   */
  private numbered(component: number, thread: number, n: number): number {
    const { cpus, threads, localBits } = this.from.slots;
    if (component < cpus.length) return (thread << localBits) | n;
    return component < cpus.length + threads.length ? n + 1 : n;
  }

  private meetAll(): void {
    const { cpus, threads } = this.from.slots;
    for (let cpu = 0; cpu < cpus.length; cpu++)
      for (let thread = 0; thread < this.occupants; thread++) this.meet(cpu, thread);
    for (let i = 0; i <= threads.length; i++) this.meet(cpus.length + i, i);
  }

  /**
   * Learns the numbers of those values of a component with a thread that this thread of the search does not know yet.
   */
  private meet(component: number, thread: number): void {
    const counter = counterOf(this.from.slots, component, thread);
    for (; this.met[counter] < this.memory.control[COUNTS + counter]; this.met[counter]++)
      this.meetValue(component, this.numbered(component, thread, this.met[counter]));
  }

  private meetValue(component: number, number: number): void {
    const { masks, slots } = this.from;
    this.byContent[component].add(number * masks.words, masks.words);
    if (component < slots.cpus.length) this.views.meet(component, number);
  }
}
