/**
 * What a CPU shows to the crossing steps of others: the bits of its component that such steps look at. Values that show
 * the same have the same view, and what is remembered of a crossing step holds for all of them.
 */
import type { Learnable } from './lesson';
import { PlaceIndex } from './place-index';
import type { StepMemory } from './step-memory';

export class Views {
  private readonly from: Learnable;
  private readonly memory: StepMemory;
  /** For each CPU the words of each view, and where they stand. */
  private readonly shown: readonly Int32Array[];
  private readonly byContent: readonly PlaceIndex[];
  private readonly view: Int32Array;

  constructor(from: Learnable, memory: StepMemory) {
    const { slots, masks } = from;
    this.from = from;
    this.memory = memory;
    this.shown = slots.cpus.map(({ bits }) => new Int32Array((2 ** bits + 1) * masks.words));
    this.byContent = this.shown.map((shown) => new PlaceIndex(shown));
    this.view = new Int32Array(masks.words);
  }

  /** Numbers the view of a CPU's value that has a number by now. */
  meet(cpu: number, number: number): void {
    const { view, memory } = this;
    const { shared } = this.from.masks;
    const { shift } = this.from.slots.cpus[cpu];
    const from = number * view.length;
    for (let w = 0; w < view.length; w++) view[w] = memory.values[cpu][from + w] & shared[w];
    // Whoever gave the value its number has numbered its view, too.
    const given = memory.views[cpu][number] >>> shift;
    memory.views[cpu][number] = this.numberOf(cpu, given) << shift;
  }

  /**
   * The number of what stands in `view`: the one that it has, or the one that another thread has given, or the next
   * one.
   */
  private numberOf(cpu: number, given: number): number {
    const { view } = this;
    const index = this.byContent[cpu];
    const known = index.find(view, view.length);
    if (known >= 0) return known / view.length;
    const number = given > 0 ? given : index.size + 1;
    this.shown[cpu].set(view, number * view.length);
    index.add(number * view.length, view.length);
    return number;
  }
}
