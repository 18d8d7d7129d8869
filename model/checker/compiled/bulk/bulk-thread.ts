/**
 * One thread of a bulk search. In a phase CPUs step in one layout of the states; then what has changed is brought to
 * the other layout, and the phase ends at a barrier. The work of a phase is cut in units, which threads take one after
 * the other: the regions in which the inner CPU, which does not step, runs the same thread, and one stripe of their
 * rows. Steps do not lead out of a unit, and turning it writes only rows of its own values.
 */
import { Barrier } from '../barrier';
import { BAD, DONE, INTERRUPTED } from '../shared-search';
import { type BulkPlan, CURSOR, type LocalSteps, PHASE, statesOf, WIDE, WORKED } from './bulk-plan';
import type { RegionStates, Side } from './region-states';

/**
 * Phases: steps in the main layout, in the turned one, and so on until nothing is new. In the beginning the last CPU is
 * kept to its skeleton; when nothing is new any more it is let out once (WIDEN), and all goes on. Then the states are
 * counted.
 */
const MAIN = 0;
const TURNED = 1;
const WIDEN = 2;
const COUNT = 3;

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
    else if (phase !== MAIN) control[PHASE] = MAIN;
    else if (control[WORKED] !== 0) control[PHASE] = TURNED;
    else control[PHASE] = control[WIDE] === 0 ? WIDEN : COUNT;
    if (control[PHASE] === WIDEN) control[WIDE] = 1;
    control[WORKED] = 0;
    control[CURSOR] = 0;
  }

  private heedPoll(): void {
    if (this.poll()) this.stop(INTERRUPTED);
  }

  private step(phase: number): void {
    const { control } = this.plan;
    const side = phase === MAIN ? 'main' : 'turned';
    const units = this.units[side];
    for (;;) {
      const next = Atomics.add(control, CURSOR, 1);
      if (next >= units.length || this.barrier.isStopped) return;
      if (phase === WIDEN) for (const region of units[next].regions) this.states[region].reopen(units[next].stripe);
      this.close(side, units[next]);
    }
  }

  /** Takes the steps of a unit until there are no more, and brings the other layout up to date. */
  private close(side: Side, { regions, stripe }: Unit): void {
    this.open = [];
    this.isTouched.fill(0);
    for (const region of regions) if (this.states[region].isDirty(side, stripe)) this.reopen(region);
    for (let next = 0; next < this.open.length; next++) {
      const region = this.open[next];
      this.isOpen[region] = 0;
      if (this.states[region].isFull(side, stripe)) this.leave(region, side, stripe);
      for (let more = true; more; ) {
        more = false;
        for (const cpu of this.steppers[side]) more = this.sweep(region, cpu, stripe) || more;
      }
      this.heedPoll();
      if (this.barrier.isStopped) return;
    }
    if (this.open.length > 0) Atomics.store(this.plan.control, WORKED, 1);
    for (const region of regions) if (this.isTouched[region] === 1) this.states[region].turn(side, stripe);
  }

  private reopen(region: number): void {
    if (this.isOpen[region] === 1) return;
    this.isOpen[region] = 1;
    this.isTouched[region] = 1;
    this.open.push(region);
  }

  /** Takes all steps of a CPU in a region, as long as there are any; answers whether there were. */
  private sweep(number: number, cpu: number, stripe: number): boolean {
    const region = this.plan.regions[number];
    const states = this.states[number];
    const { order, starts, targets, crossing } = this.stepsOf(cpu, region.running[cpu]);
    const edges = region.edges[cpu];
    let any = false;
    for (let more = true; more; any ||= more) {
      more = false;
      for (let i = 0; i < order.length; i++) {
        const value = order[i];
        if (!states.clean(cpu, stripe, value)) continue;
        more = true;
        for (let k = starts[value]; k < starts[value + 1]; k++) states.step(cpu, stripe, value, states, targets[k]);
        if (crossing[value] < 0) continue;
        for (const { to, value: other } of edges[crossing[value]])
          if (states.step(cpu, stripe, value, this.states[to], other)) this.reopen(to);
      }
    }
    return any;
  }

  /** Takes the steps of a region with all states: those that lead to other ones. */
  private leave(number: number, side: Side, stripe: number): void {
    const region = this.plan.regions[number];
    const states = this.states[number];
    states.cleanAll(side, stripe);
    for (const cpu of this.steppers[side]) {
      const { leaving } = this.plan.steps[cpu][region.running[cpu]];
      for (const [index, edges] of region.edges[cpu].entries())
        for (const { to, value } of edges)
          if (states.step(cpu, stripe, leaving[index], this.states[to], value)) this.reopen(to);
    }
  }

  private stepsOf(cpu: number, thread: number): LocalSteps {
    const { steps, narrow, control } = this.plan;
    return cpu < steps.length - 1 || control[WIDE] === 1 ? steps[cpu][thread] : narrow[thread];
  }

  /** Counts what has been met, and looks for a state without a successor. */
  private count(): void {
    const { control, regions, tallies, reportsDeadlock } = this.plan;
    for (;;) {
      const from = Atomics.add(control, CURSOR, CHUNK);
      if (from >= regions.length) return;
      for (let region = from; region < Math.min(from + CHUNK, regions.length); region++) {
        // Not at once in shared memory: the numbers of the threads lie together there.
        const counted = { states: 0, transitions: 0 };
        const idle = regions[region].counts.map((_, cpu) => this.countSteps(region, cpu, counted));
        tallies[2 * this.me] += counted.states;
        tallies[2 * this.me + 1] += counted.transitions;
        if (reportsDeadlock && hasAny(this.states[region], idle, [])) this.stop(BAD);
        this.heedPoll();
        if (this.barrier.isStopped) return;
      }
    }
  }

  /** Counts the steps of a CPU in a region, and with those of CPU 0 the states. Answers the values without a step. */
  private countSteps(number: number, cpu: number, counted: { states: number; transitions: number }): number[] {
    const { running, counts, edges } = this.plan.regions[number];
    const { starts, crossing } = this.plan.steps[cpu][running[cpu]];
    const idle: number[] = [];
    for (let value = 0; value < counts[cpu]; value++) {
      const crossings = crossing[value] < 0 ? 0 : edges[cpu][crossing[value]].length;
      const ways = starts[value + 1] - starts[value] + crossings;
      if (ways === 0) idle.push(value);
      if (ways === 0 && cpu > 0) continue;
      const met = this.states[number].count(cpu, value);
      if (cpu === 0) counted.states += met;
      counted.transitions += met * ways;
    }
    return idle;
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
