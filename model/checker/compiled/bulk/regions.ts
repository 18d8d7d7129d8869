/**
 * The regions of a bulk search and the crossing steps between them. A region is the set of states in which the same
 * threads run and the sleeping ones have the same values; within it a state is a value for each CPU. The values that a
 * CPU may have in a region are found first, as if CPUs had nothing to do with each other (a superset): from then on all
 * sizes are known, and nothing grows in the search.
 */
import { Unfit } from '../lesson';
import { BitSet } from './bit-set';
import { type ComponentSteps, UNSUITABLE } from './component-steps';

/** A crossing step of a CPU: what its value becomes in which region. The values of the other CPUs stay. */
export interface Edge {
  readonly to: Region;
  readonly value: number;
}

export interface Region {
  readonly running: readonly number[];
  /** A state of the region. */
  readonly words: Int32Array;
  /** For each CPU the values that it may have. */
  readonly possible: readonly BitSet[];
  /** For each CPU its crossing steps, by the value that it has before. */
  readonly edges: readonly Map<number, Edge[]>[];
}

interface Growing extends Region {
  /** Values whose crossing steps are in `edges`. */
  readonly done: readonly BitSet[];
  /** Regions that steps of a CPU lead to. */
  readonly successors: readonly Set<Growing>[];
  isOpen: boolean;
}

/** Finds all regions that are reached from a state. Throws Unfit, also where only the superset violates a property. */
export function findRegions(steps: ComponentSteps, initial: Int32Array): Region[] {
  return new Finder(steps).find(initial);
}

class Finder {
  private readonly steps: ComponentSteps;
  private readonly cpus: number;
  private readonly regions = new Map<string, Growing>();
  private readonly open: Growing[] = [];

  constructor(steps: ComponentSteps) {
    this.steps = steps;
    this.cpus = steps.values.length;
  }

  find(initial: Int32Array): Region[] {
    const first = this.regionOf(initial);
    for (let cpu = 0; cpu < this.cpus; cpu++) first.possible[cpu].addAll(this.steps.closure(cpu, initial));
    this.reopen(first);
    for (let region = this.open.pop(); region !== undefined; region = this.open.pop()) {
      region.isOpen = false;
      for (let cpu = 0; cpu < this.cpus; cpu++) this.cross(region, cpu);
      this.spread(region);
    }
    return [...this.regions.values()];
  }

  private regionOf(words: Int32Array): Growing {
    const { steps, cpus } = this;
    const running = Array.from({ length: cpus }, (_, cpu) => steps.threadOf(words, cpu));
    const key = words.slice();
    for (let cpu = 0; cpu < cpus; cpu++) steps.put(key, cpu, running[cpu], 0);
    const name = key.join();
    const known = this.regions.get(name);
    if (known !== undefined) return known;
    const sets = () => Array.from({ length: cpus }, () => new BitSet());
    const region: Growing = {
      running,
      words: words.slice(),
      possible: sets(),
      done: sets(),
      edges: Array.from({ length: cpus }, () => new Map()),
      successors: Array.from({ length: cpus }, () => new Set()),
      isOpen: false,
    };
    this.regions.set(name, region);
    return region;
  }

  private reopen(region: Growing): void {
    if (region.isOpen) return;
    region.isOpen = true;
    this.open.push(region);
  }

  /** The crossing steps of a CPU from values that are new in a region. */
  private cross(region: Growing, cpu: number): void {
    const { steps } = this;
    const thread = region.running[cpu];
    const { crossing, candidates } = steps.values[cpu][thread];
    const state = region.words.slice();
    for (const value of region.possible[cpu].both(crossing, region.done[cpu])) {
      region.done[cpu].add(value);
      steps.put(state, cpu, thread, value);
      const edges: Edge[] = [];
      for (const instance of candidates.get(value) ?? []) {
        const change = steps.cross(instance, state);
        if (change === undefined) continue;
        const after = state.map((word, w) => word ^ change[w]);
        edges.push({ to: this.arrive(region, cpu, after), value: steps.valueOf(after, cpu) });
      }
      if (edges.length > 0) region.edges[cpu].set(value, edges);
    }
  }

  /** The region of a successor, which a step of the CPU leads to. */
  private arrive(from: Growing, cpu: number, after: Int32Array): Growing {
    const to = this.regionOf(after);
    for (let other = 0; other < this.cpus; other++)
      if (other !== cpu && this.steps.threadOf(after, other) !== from.running[other]) throw new Unfit(UNSUITABLE);
    if (to.possible[cpu].addAll(this.steps.closure(cpu, after))) this.reopen(to);
    if (!from.successors[cpu].has(to)) {
      from.successors[cpu].add(to);
      this.reopen(from);
    }
    return to;
  }

  /** The others may have the same values as before when a CPU has taken a crossing step. */
  private spread(region: Growing): void {
    for (let cpu = 0; cpu < this.cpus; cpu++)
      for (const to of region.successors[cpu])
        for (let other = 0; other < this.cpus; other++)
          if (other !== cpu && to.possible[other].addAll(region.possible[other])) this.reopen(to);
  }
}
