/**
 * One thread of a bulk search. In a phase CPUs step in one layout of the states; then what has changed is brought to
 * the other layout, and the phase ends at a barrier. The work of a phase is cut in units, which threads take one after
 * the other: the regions in which the inner CPU, which does not step, runs the same thread, and one stripe of their
 * rows. Steps do not lead out of a unit, and turning it writes only rows of its own values.
 */
import { Barrier } from '../barrier';
import { BAD, DONE, INTERRUPTED } from '../shared-search';
import { type BulkPlan, CURSOR, PHASE, statesOf, WORKED } from './bulk-plan';
import type { RegionStates, Side } from './region-states';

/** Phases: steps in the main layout, in the turned one, and so on until nothing is new; then the states are counted. */
const MAIN = 0;
const TURNED = 1;
const COUNT = 2;

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
    this.units = { main: unitsOf(plan, last), turned: unitsOf(plan, 0) };
    this.steppers = { main: cpus.slice(0, last), turned: [last] };
    this.isOpen = new Uint8Array(plan.regions.length);
    this.isTouched = new Uint8Array(plan.regions.length);
  }

  /** Makes a state of the first region the initial one. For the first thread, before it runs. */
  begin(values: readonly number[]): void {
    this.states[0].add(values);
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
      else this.step(phase === MAIN ? 'main' : 'turned');
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
    if (control[PHASE] === COUNT) this.stop(DONE);
    else if (control[PHASE] === TURNED) control[PHASE] = MAIN;
    else control[PHASE] = control[WORKED] === 0 ? COUNT : TURNED;
    control[WORKED] = 0;
    control[CURSOR] = 0;
  }

  private heedPoll(): void {
    if (this.poll()) this.stop(INTERRUPTED);
  }

  private step(side: Side): void {
    const { control } = this.plan;
    const units = this.units[side];
    for (;;) {
      const next = Atomics.add(control, CURSOR, 1);
      if (next >= units.length || this.barrier.isStopped) return;
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
    const { order, starts, targets, crossing } = this.plan.steps[cpu][region.running[cpu]];
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

  /** Counts what has been met, and looks for a state without a successor. */
  private count(): void {
    const { control, regions, tallies, reportsDeadlock } = this.plan;
    for (;;) {
      const from = Atomics.add(control, CURSOR, CHUNK);
      if (from >= regions.length) return;
      for (let region = from; region < Math.min(from + CHUNK, regions.length); region++) {
        const idle = regions[region].counts.map((_, cpu) => this.countSteps(region, cpu, tallies));
        if (reportsDeadlock && hasAny(this.states[region], idle, [])) this.stop(BAD);
        this.heedPoll();
        if (this.barrier.isStopped) return;
      }
    }
  }

  /** Counts the steps of a CPU in a region, and with those of CPU 0 the states. Answers the values without a step. */
  private countSteps(number: number, cpu: number, tallies: Float64Array): number[] {
    const { running, counts, edges } = this.plan.regions[number];
    const { starts, crossing } = this.plan.steps[cpu][running[cpu]];
    const idle: number[] = [];
    for (let value = 0; value < counts[cpu]; value++) {
      const crossings = crossing[value] < 0 ? 0 : edges[cpu][crossing[value]].length;
      const ways = starts[value + 1] - starts[value] + crossings;
      if (ways === 0) idle.push(value);
      if (ways === 0 && cpu > 0) continue;
      const met = this.states[number].count(cpu, value);
      if (cpu === 0) tallies[2 * this.me] += met;
      tallies[2 * this.me + 1] += met * ways;
    }
    return idle;
  }
}

/** The units of the layout in which this CPU is the inner one; the largest first, so that threads end together. */
function unitsOf({ regions, stripes }: BulkPlan, inner: number): Unit[] {
  const byThread = new Map<number, number[]>();
  for (const [number, { running }] of regions.entries()) {
    const same = byThread.get(running[inner]);
    if (same === undefined) byThread.set(running[inner], [number]);
    else same.push(number);
  }
  const sizeOf = (numbers: readonly number[]) =>
    numbers.reduce((sum, number) => sum + regions[number].counts.reduce((product, count) => product * count), 0);
  return [...byThread.values()]
    .sort((a, b) => sizeOf(b) - sizeOf(a))
    .flatMap((numbers) => Array.from({ length: stripes }, (_, stripe) => ({ regions: numbers, stripe })));
}

/** Is there a state in which each CPU has one of these values? */
function hasAny(states: RegionStates, values: readonly (readonly number[])[], chosen: readonly number[]): boolean {
  if (chosen.length === values.length) return states.has(chosen);
  return values[chosen.length].some((value) => hasAny(states, values, [...chosen, value]));
}
