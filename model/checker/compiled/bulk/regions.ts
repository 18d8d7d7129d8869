/**
 * The regions of a bulk search and the crossing steps between them. A region is the set of states in which the same
 * threads run and the sleeping ones have the same values; within it a state is a value for each CPU. Which values a CPU
 * may have with a thread is found first, as if it had nothing to do with other CPUs and with other threads (a
 * superset): from then on all sizes are known, and nothing grows in the search.
 */
import { Unfit } from '../lesson';
import { type ComponentSteps, UNSUITABLE } from './component-steps';

/** A crossing step of a CPU: what its value becomes in which region (by its number). The values of others stay. */
export interface Edge {
  readonly to: number;
  readonly value: number;
}

export interface Region {
  readonly running: readonly number[];
  /** A state of the region. */
  readonly words: Int32Array;
  /** For each CPU, then for each of the crossing values of its thread (component-steps.ts): its crossing steps. */
  readonly edges: readonly (readonly Edge[])[][];
}

/** Finds all regions that are reached from a state. Throws Unfit, also where only the superset violates a property. */
export function findRegions(steps: ComponentSteps, initial: Int32Array): Region[] {
  return new Finder(steps).find(initial);
}

class Finder {
  private readonly steps: ComponentSteps;
  private readonly cpus: number;
  private readonly numbers = new Map<string, number>();
  private readonly regions: Region[] = [];

  constructor(steps: ComponentSteps) {
    this.steps = steps;
    this.cpus = steps.values.length;
  }

  find(initial: Int32Array): Region[] {
    this.regionOf(initial);
    for (let cpu = 0; cpu < this.cpus; cpu++) this.steps.reach(cpu, initial);
    for (let more = true; more; ) {
      more = false;
      for (const region of this.regions) more = this.cross(region) || more;
    }
    return this.regions;
  }

  private regionOf(words: Int32Array): number {
    const { steps, cpus } = this;
    const running = Array.from({ length: cpus }, (_, cpu) => steps.threadOf(words, cpu));
    const key = words.slice();
    for (let cpu = 0; cpu < cpus; cpu++) steps.put(key, cpu, running[cpu], 0);
    const name = key.join();
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.regions.length;
    this.regions.push({ running, words: words.slice(), edges: Array.from({ length: cpus }, () => []) });
    this.numbers.set(name, number);
    return number;
  }

  /** Takes the crossing steps in a region that have not been taken; answers whether there were any values with some. */
  private cross(region: Region): boolean {
    let any = false;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const { crossing } = this.steps.values[cpu][region.running[cpu]];
      const edges = region.edges[cpu];
      for (; edges.length < crossing.length; any = true) edges.push(this.edgesOf(region, cpu, edges.length));
    }
    return any;
  }

  /** The crossing steps of a CPU with one of the crossing values of its thread. */
  private edgesOf(region: Region, cpu: number, index: number): Edge[] {
    const { steps } = this;
    const thread = region.running[cpu];
    const { crossing, candidates } = steps.values[cpu][thread];
    const state = region.words.slice();
    steps.put(state, cpu, thread, crossing[index]);
    const edges: Edge[] = [];
    for (const instance of candidates[index]) {
      const change = steps.cross(instance, state);
      if (change === undefined) continue;
      const after = state.map((word, w) => word ^ change[w]);
      for (let other = 0; other < this.cpus; other++)
        if (other !== cpu && steps.threadOf(after, other) !== region.running[other]) throw new Unfit(UNSUITABLE);
      steps.reach(cpu, after);
      edges.push({ to: this.regionOf(after), value: steps.valueOf(after, cpu) });
    }
    return edges;
  }
}
