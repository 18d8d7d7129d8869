/**
 * One thread of a bulk search. In a phase CPUs step in one layout of the states; then what has changed is brought to
 * the other layout, and the phase ends at a barrier. The work of a phase is cut in units, which threads take one after
 * the other: the regions in which the inner CPU, which does not step, runs the same thread, and one stripe of their
 * rows. Steps do not lead out of a unit, and turning it writes only rows of its own values.
 */
import { Barrier } from '../barrier';
import { BAD, DONE, INTERRUPTED } from '../shared-search';
import {
  ALL_BUT_LAST,
  type BulkPlan,
  CURSOR,
  EVERYBODY,
  FREE,
  type LocalSteps,
  NOBODY,
  PHASE,
  statesOf,
  WORKED,
} from './bulk-plan';
import type { RegionStates, Side } from './region-states';
import { ALL_STEPS, ALONG_SKELETON } from './rows';

/**
 * Phases: steps in the main layout, in the turned one, and so on until nothing is new. In the beginning all CPUs are
 * kept to their skeletons. When nothing is new any more those that step in the main layout are let out (FREE_MAIN) and
 * all goes on, then the last one (FREE_LAST). Then the states are counted.
 */
const MAIN = 0;
const TURNED = 1;
const FREE_MAIN = 2;
const FREE_LAST = 3;
const COUNT = 4;

/** Regions that are counted together. */
const CHUNK = 16;

interface Unit {
  /** By their numbers. */
  readonly regions: readonly number[];
  readonly stripe: number;
}

export class BulkThread {
  /** 0 is the first thread; the others get their numbers when they join. */
  private me = 0;
  private readonly plan: BulkPlan;
  private readonly barrier: Barrier;
  private readonly states: readonly RegionStates[];
  private readonly units: Readonly<Record<Side, readonly Unit[]>>;
  /** The CPUs that step in a layout. */
  private readonly steppers: Readonly<Record<Side, readonly number[]>>;
  private readonly poll: () => boolean;
  /** Regions of the present unit that have work, in the order in which they got it; those before `next` are done. */
  private open: number[] = [];
  /** By region: is it in `open`, and not done? */
  private readonly isOpen: Uint8Array;
  /** By region: has it been in `open`? */
  private readonly isTouched: Uint8Array;

  /** `poll` is asked now and then whether to stop. */
  constructor(plan: BulkPlan, poll: () => boolean) {
    const cpus = plan.steps.map((_, cpu) => cpu);
    const last = cpus.length - 1;
    this.plan = plan;
    this.poll = poll;
    this.barrier = new Barrier(plan.control, () => this.heedPoll());
    this.states = statesOf(plan);
    this.units = { main: unitsOf(plan, 'main', last), turned: unitsOf(plan, 'turned', 0) };
    this.steppers = { main: cpus.slice(0, last), turned: [last] };
    this.isOpen = new Uint8Array(plan.regions.length);
    this.isTouched = new Uint8Array(plan.regions.length);
  }

  /** Makes the initial state. For the first thread, before it runs. */
  begin(): void {
    this.states[0].add(this.plan.initial);
  }

  /** Waits to be let in, which happens between two phases. */
  join(): void {
    this.me = this.barrier.join();
  }

  /** Until the search is over. */
  run(): void {
    const { control } = this.plan;
    while (!this.barrier.isStopped) {
      const phase = control[PHASE];
      if (phase === COUNT) this.count();
      else this.step(phase);
      this.barrier.arrive(() => this.nextPhase());
    }
  }

  stop(reason: number): void {
    this.barrier.stop(reason);
  }

  /** States that have been met so far. */
  countStates(): number {
    let sum = 0;
    for (const [number, { counts }] of this.plan.regions.entries())
      for (let value = 0; value < counts[0]; value++) sum += this.states[number].count(0, value);
    return sum;
  }

  private nextPhase(): void {
    const { control } = this.plan;
    const phase = control[PHASE];
    if (phase === COUNT) this.stop(DONE);
    else if (phase === TURNED || phase === FREE_LAST) control[PHASE] = MAIN;
    else if (control[WORKED] !== 0) control[PHASE] = TURNED;
    else this.free();
    control[WORKED] = 0;
    control[CURSOR] = 0;
  }

  /** Nothing is new any more with as many CPUs free as there are. */
  private free(): void {
    const { control } = this.plan;
    if (control[FREE] === EVERYBODY) {
      control[PHASE] = COUNT;
      return;
    }
    control[PHASE] = control[FREE] === NOBODY ? FREE_MAIN : FREE_LAST;
    control[FREE]++;
  }

  private heedPoll(): void {
    if (this.poll()) this.stop(INTERRUPTED);
  }

  private step(phase: number): void {
    const { control } = this.plan;
    const side = phase === MAIN || phase === FREE_MAIN ? 'main' : 'turned';
    const units = this.units[side];
    for (;;) {
      const next = Atomics.add(control, CURSOR, 1);
      if (next >= units.length || this.barrier.isStopped) return;
      if (phase === FREE_MAIN || phase === FREE_LAST)
        for (const region of units[next].regions) this.states[region].reopen(side, units[next].stripe);
      this.close(side, units[next]);
    }
  }

  /** Takes the steps of a unit until there are no more, and brings the other layout up to date. */
  private close(side: Side, { regions, stripe }: Unit): void {
    this.open = [];
    this.isTouched.fill(0);
    for (const region of regions) if (this.states[region].isDirty(side, stripe)) this.reopen(region);
    if (this.open.length === 0) return;
    Atomics.store(this.plan.control, WORKED, 1);
    if (this.isFree(side)) {
      this.advance(side, stripe, ALONG_SKELETON);
      this.open = [];
      for (const region of regions) if (this.isTouched[region] === 1) this.reopen(region);
    }
    this.advance(side, stripe, ALL_STEPS);
    if (this.barrier.isStopped) return;
    for (const region of regions) if (this.isTouched[region] === 1) this.states[region].turn(side, stripe);
  }

  /** Takes steps from the open regions, and from those that they lead to, until there are no more. */
  private advance(side: Side, stripe: number, marks: number): void {
    for (let next = 0; next < this.open.length && !this.barrier.isStopped; next++) {
      const region = this.open[next];
      this.isOpen[region] = 0;
      if (this.states[region].isFull(side, stripe)) continue;
      if (this.isFree(side) && this.complete(region, side, stripe)) continue;
      for (let more = true; more; ) {
        more = false;
        for (const cpu of this.steppers[side]) more = this.sweep(region, cpu, stripe, marks) || more;
      }
      this.heedPoll();
    }
  }

  /** May the CPUs that step in this layout leave their skeletons? */
  private isFree(side: Side): boolean {
    return this.plan.control[FREE] >= (side === 'main' ? ALL_BUT_LAST : EVERYBODY);
  }

  private reopen(region: number): void {
    if (this.isOpen[region] === 1) return;
    this.isOpen[region] = 1;
    this.isTouched[region] = 1;
    this.open.push(region);
  }

  /** Takes the steps of a CPU in a region that these marks tell of, as long as there are any; were there some? */
  private sweep(number: number, cpu: number, stripe: number, marks: number): boolean {
    const region = this.plan.regions[number];
    const states = this.states[number];
    const steps = this.stepsOf(cpu, region.running[cpu], marks);
    const { order, starts, targets, crossing } = steps;
    const edges = region.edges[cpu];
    if (marks === ALL_STEPS) states.flood(cpu, stripe, steps);
    let any = false;
    for (let more = true; more; any ||= more) {
      more = false;
      for (let i = 0; i < order.length; i++) {
        const value = order[i];
        if (!states.clean(cpu, stripe, value, marks)) continue;
        more = true;
        for (let k = starts[value]; k < starts[value + 1]; k++) states.step(cpu, stripe, value, states, targets[k]);
        if (crossing[value] < 0) continue;
        for (const { to, value: other } of edges[crossing[value]])
          if (states.step(cpu, stripe, value, this.states[to], other)) this.reopen(to);
      }
    }
    return any;
  }

  /** If the steps lead everywhere in a region, there remain those that lead to other regions. Answers whether. */
  private complete(number: number, side: Side, stripe: number): boolean {
    const region = this.plan.regions[number];
    const states = this.states[number];
    const sources = this.steppers[side].map((cpu) => this.plan.steps[cpu][region.running[cpu]].sources);
    if (!states.complete(side, stripe, sources)) return false;
    for (const cpu of this.steppers[side]) {
      const { leaving } = this.plan.steps[cpu][region.running[cpu]];
      for (const [index, edges] of region.edges[cpu].entries())
        for (const { to, value } of edges)
          if (states.step(cpu, stripe, leaving[index], this.states[to], value)) this.reopen(to);
    }
    return true;
  }

  private stepsOf(cpu: number, thread: number, marks: number): LocalSteps {
    const { steps, narrow, control } = this.plan;
    const isFree = control[FREE] >= (cpu < steps.length - 1 ? ALL_BUT_LAST : EVERYBODY);
    return isFree && marks === ALL_STEPS ? steps[cpu][thread] : narrow[cpu][thread];
  }

  /** Counts what has been met, and looks for a state without a successor. */
  private count(): void {
    const { control, regions, tallies, reportsDeadlock } = this.plan;
    for (;;) {
      const from = Atomics.add(control, CURSOR, CHUNK);
      if (from >= regions.length) return;
      for (let region = from; region < Math.min(from + CHUNK, regions.length); region++) {
        const { states, transitions } = this.countRegion(region);
        tallies[2 * this.me] += states;
        tallies[2 * this.me + 1] += transitions;
        if (reportsDeadlock && hasAny(this.states[region], this.idleIn(region), [])) this.stop(BAD);
        this.heedPoll();
        if (this.barrier.isStopped) return;
      }
    }
  }

  private countRegion(number: number): { readonly states: number; readonly transitions: number } {
    const { running, counts, edges } = this.plan.regions[number];
    const met = this.states[number];
    let states = counts.reduce((product, count) => product * count);
    let transitions = 0;
    if (met.isComplete) {
      for (const [cpu, count] of counts.entries()) {
        const crossings = edges[cpu].reduce((sum, list) => sum + list.length, 0);
        transitions += (states / count) * (this.plan.steps[cpu][running[cpu]].targets.length + crossings);
      }
      return { states, transitions };
    }
    states = 0;
    for (const [cpu, count] of counts.entries()) {
      const { starts, crossing } = this.plan.steps[cpu][running[cpu]];
      for (let value = 0; value < count; value++) {
        const crossings = crossing[value] < 0 ? 0 : edges[cpu][crossing[value]].length;
        const ways = starts[value + 1] - starts[value] + crossings;
        if (ways === 0 && cpu > 0) continue;
        const having = met.count(cpu, value);
        if (cpu === 0) states += having;
        transitions += having * ways;
      }
    }
    return { states, transitions };
  }

  /** For each CPU its values without a step in a region. */
  private idleIn(number: number): number[][] {
    const { running, edges } = this.plan.regions[number];
    return running.map((thread, cpu) => {
      const { resting, crossing } = this.plan.steps[cpu][thread];
      return Array.from(resting).filter((value) => crossing[value] < 0 || edges[cpu][crossing[value]].length === 0);
    });
  }
}

/** The units of a layout with this inner CPU; the largest first, so that threads end together. */
function unitsOf({ regions }: BulkPlan, side: Side, inner: number): Unit[] {
  const byThread = new Map<number, number[]>();
  for (const [number, { running }] of regions.entries()) {
    const same = byThread.get(running[inner]);
    if (same === undefined) byThread.set(running[inner], [number]);
    else same.push(number);
  }
  const sizeOf = (numbers: readonly number[]) =>
    numbers.reduce((sum, number) => sum + regions[number].counts.reduce((product, count) => product * count), 0);
  const stripesOf = ([first]: readonly number[]) => regions[first].starts[side].length - 1;
  return [...byThread.values()]
    .sort((a, b) => sizeOf(b) - sizeOf(a))
    .flatMap((numbers) => Array.from({ length: stripesOf(numbers) }, (_, stripe) => ({ regions: numbers, stripe })));
}

/** Is there a state in which each CPU has one of these values? */
function hasAny(states: RegionStates, values: readonly (readonly number[])[], chosen: readonly number[]): boolean {
  if (chosen.length === values.length) return states.has(chosen);
  return values[chosen.length].some((value) => hasAny(states, values, [...chosen, value]));
}
