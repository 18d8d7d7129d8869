/**
 * The search of a model in which CPUs meet in the scheduler only and nothing is counted: no globals. A step a -> b of
 * one CPU is one operation for all states of the others: the states in which the CPU has value b gain those in which it
 * has value a, 32 a word, with no hash and no list of states. This is repeated until nothing is new, for one CPU after
 * the other. What each value does has been learnt by executing the rules, so a violation has been seen before this
 * begins.
 *
 * Levels are lost: the search says whether all states are fine and how many there are, not how deep they lie.
 */
import { type Learnable, type Lesson, Unfit } from '../lesson';
import type { Observed } from '../progress';
import { ComponentSteps } from './component-steps';
import { RegionStates, wordsOf } from './region-states';
import { type Edge, findRegions, type Region } from './regions';
import { stepOrder } from './step-order';

export interface BulkOptions {
  readonly memoryBytes: number;
  readonly reportsDeadlock: boolean;
  /** Called between regions now and then; answers whether to stop. */
  readonly poll: (search: Observed) => boolean;
}

type BulkStop =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  /** It would take so many bytes. */
  | { readonly kind: 'memory'; readonly neededBytes: number }
  | Exclude<Lesson, { kind: 'learnt' | 'reserve' }>;

/** A search of so many bytes takes long enough for somebody to wait, and counts its states in between. */
const LONG_BYTES = 2 ** 28;
const FEWEST_CPUS = 2;
const MOST_CPUS = 3;

/** Can the states of this model be taken together? */
export function isBulky({ slots, footprints, por, renamings = [] }: Learnable): boolean {
  const { length } = slots.cpus;
  return (
    length >= FEWEST_CPUS &&
    length <= MOST_CPUS &&
    por === undefined &&
    renamings.length === 0 &&
    !footprints.some(({ globals }) => globals)
  );
}

export class BulkSearch implements Observed {
  states = 0;
  transitions = 0;
  bytes = 0;
  open = 0;
  readonly depth = 0;
  readonly sizes: readonly number[] = [];
  private readonly steps: ComponentSteps;
  private readonly options: BulkOptions;
  private readonly cpus: number;
  private readonly regions = new Map<Region, RegionStates>();
  /** By the CPU, then by the thread: an order of the values in which most steps lead onwards. */
  private orders: readonly (readonly Int32Array[])[] = [];
  private isStopped = false;

  /** `known`: what an earlier search of the same has learnt. */
  constructor(learnable: Learnable, options: BulkOptions, known?: Int32Array) {
    this.steps = new ComponentSteps(learnable, known);
    this.options = options;
    this.cpus = learnable.slots.cpus.length;
  }

  run(wide: Int32Array): BulkStop {
    try {
      return this.search(this.steps.collapse(wide));
    } catch (error) {
      if (!(error instanceof Unfit) || error.lesson.kind === 'learnt' || error.lesson.kind === 'reserve') throw error;
      return error.lesson;
    }
  }

  /** What has been learnt of the model's steps, if that is more than was known before. */
  learnt(): Int32Array | undefined {
    return this.steps.learnt();
  }

  private search(initial: Int32Array): BulkStop {
    const { steps, cpus } = this;
    const regions = findRegions(steps, initial);
    const countsOf = ({ running }: Region) => running.map((thread, cpu) => steps.count(cpu, thread));
    this.bytes = 4 * regions.reduce((sum, region) => sum + wordsOf(countsOf(region)), 0);
    if (this.bytes > this.options.memoryBytes) return { kind: 'memory', neededBytes: this.bytes };
    for (const region of regions) this.regions.set(region, new RegionStates(region, countsOf(region)));
    this.orders = steps.values.map((threads, cpu) =>
      threads.map((values, thread) => stepOrder(values.steps, steps.count(cpu, thread))),
    );
    const first = regions[0];
    this.statesOf(first).add(first.running.map((_, cpu) => steps.valueOf(initial, cpu)));
    const last = cpus - 1;
    while (!this.isStopped && this.closeFirst()) {
      for (const states of this.regions.values()) states.turn();
      this.close(last);
      if (this.bytes > LONG_BYTES) this.states = this.statesSoFar();
      for (const states of this.regions.values()) states.turnBack();
    }
    if (this.isStopped) return { kind: 'interrupted' };
    return this.count();
  }

  private statesSoFar(): number {
    let sum = 0;
    for (const { states } of this.regions.values()) sum += states;
    return sum;
  }

  private statesOf(region: Region): RegionStates {
    const states = this.regions.get(region);
    if (states === undefined) throw new RangeError('a crossing step leads to a region that was not found');
    return states;
  }

  /** All steps of all CPUs but the last one; answers whether there were any to be taken. */
  private closeFirst(): boolean {
    let any = false;
    for (let more = true; more; any ||= more) {
      more = false;
      for (let cpu = 0; cpu < this.cpus - 1; cpu++) more = this.close(cpu) || more;
    }
    return any;
  }

  /** Takes the steps of a CPU until it has no dirty values; answers whether it had any. */
  private close(cpu: number): boolean {
    let any = false;
    for (let more = true; more && !this.isStopped; any ||= more) {
      more = false;
      for (const states of this.regions.values()) {
        if (!states.isDirty[cpu]) continue;
        more = true;
        this.sweep(states, cpu);
        if (this.options.poll(this)) this.isStopped = true;
      }
    }
    return any;
  }

  /** Takes the steps of the dirty values of a CPU in one region. */
  private sweep(states: RegionStates, cpu: number): void {
    const { region, dirty, isDirty } = states;
    const thread = region.running[cpu];
    const local = this.steps.values[cpu][thread].steps;
    const order = this.orders[cpu][thread];
    const edges = region.edges[cpu];
    const own = dirty[cpu];
    for (let more = true; more; ) {
      more = false;
      for (let i = 0; i < order.length; i++) {
        const value = order[i];
        if (own[value] === 0) continue;
        more = true;
        own[value] = 0;
        const steps = local[value];
        for (let k = 0; k < steps.length; k++) if (states.step(cpu, value, states, steps[k])) own[steps[k]] = 1;
        const crossing = edges.get(value);
        if (crossing !== undefined) this.leave(states, cpu, value, crossing);
      }
    }
    isDirty[cpu] = false;
  }

  private leave(states: RegionStates, cpu: number, value: number, edges: readonly Edge[]): void {
    for (const edge of edges) {
      const to = this.statesOf(edge.to);
      if (!states.step(cpu, value, to, edge.value)) continue;
      to.dirty[cpu][edge.value] = 1;
      to.isDirty[cpu] = true;
    }
  }

  /** Counts what has been met, and looks for a state without a successor. */
  private count(): BulkStop {
    this.states = 0;
    for (const states of this.regions.values()) {
      const idle: number[][] = [];
      for (let cpu = 0; cpu < this.cpus; cpu++) idle.push(this.countSteps(states, cpu));
      if (this.options.reportsDeadlock && hasAny(states, idle, [])) return { kind: 'bad' };
      if (this.options.poll(this)) return { kind: 'interrupted' };
    }
    return { kind: 'done' };
  }

  /** Counts the steps of a CPU in a region, and with those of CPU 0 the states. Answers the values without a step. */
  private countSteps(states: RegionStates, cpu: number): number[] {
    const { region, counts } = states;
    const { steps } = this.steps.values[cpu][region.running[cpu]];
    const idle: number[] = [];
    for (let value = 0; value < counts[cpu]; value++) {
      const ways = (steps[value]?.length ?? 0) + (region.edges[cpu].get(value)?.length ?? 0);
      if (ways === 0) idle.push(value);
      if (ways === 0 && cpu > 0) continue;
      const met = states.count(cpu, value);
      this.transitions += met * ways;
      if (cpu === 0) this.states += met;
    }
    return idle;
  }
}

/** Is there a state in which each CPU has one of these values? */
function hasAny(states: RegionStates, values: readonly (readonly number[])[], chosen: readonly number[]): boolean {
  if (chosen.length === values.length) return states.has(chosen);
  return values[chosen.length].some((value) => hasAny(states, values, [...chosen, value]));
}
