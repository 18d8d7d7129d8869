/**
 * The states of a region that have been met: one bit for each combination of values of the CPUs, in two layouts, so
 * that for each CPU the states with one value of it are whole rows.
 *
 *   main   | last CPU, as bits | middle CPU | CPU 0 |          from the innermost dimension to the outermost
 *   turned | CPU 0, as bits | middle CPU | last CPU |
 *
 * A step of CPU 0 adds rows of `main` to each other, one of the last CPU rows of `turned`. A middle CPU there is only
 * with three; its steps add rows of `main`, too.
 */
import { Layout, type Steps } from './layout';
import { ALL_STEPS, bytesOf, type Shape, type Storage, wordsOf } from './rows';

export type Side = 'main' | 'turned';

export interface Room {
  readonly words: number;
  readonly bytes: number;
}

/** For each layout, where its stripes begin. */
export type Starts = Readonly<Record<Side, readonly number[]>>;

/** A layout of the states of CPUs that have so many values. */
function shapeOf(side: Side, counts: readonly number[], starts: Starts): Shape {
  const [first, last] = [counts[0], counts[counts.length - 1]];
  const middle = counts.length === 3 ? counts[1] : 1;
  const [outer, inner] = side === 'main' ? [first, last] : [last, first];
  return { outer, middle, inner, starts: starts[side] };
}

/** What a layout takes. The middle CPU has marks of its own. */
export function roomFor(side: Side, counts: readonly number[], starts: Starts): Room {
  const shape = shapeOf(side, counts, starts);
  const middleMarks = side === 'main' ? (starts.main.length - 1) * shape.middle : 0;
  return { words: wordsOf(shape), bytes: bytesOf(shape) + middleMarks };
}

export class RegionStates {
  private readonly counts: readonly number[];
  private readonly middle: number;
  private readonly main: Layout;
  private readonly turned: Layout;
  /** By the stripe, then by the value of the middle CPU: which of its steps have to be taken (marks of a layout)? */
  private readonly middleMarks: Uint8Array;

  constructor(counts: readonly number[], starts: Starts, places: Readonly<Record<Side, Storage>>) {
    this.counts = counts;
    this.middle = counts.length === 3 ? counts[1] : 1;
    const shape = shapeOf('main', counts, starts);
    this.main = new Layout(shape, places.main);
    this.turned = new Layout(shapeOf('turned', counts, starts), places.turned);
    const marksAt = places.main.bytesAt + bytesOf(shape);
    this.middleMarks = places.main.bytes.subarray(marksAt, marksAt + (starts.main.length - 1) * this.middle);
  }

  /** Adds the state with these values. */
  add(values: readonly number[]): void {
    this.main.set(this.rowOf(values), values[values.length - 1]);
  }

  has(values: readonly number[]): boolean {
    return this.main.has(this.rowOf(values), values[values.length - 1]);
  }

  /** States in which the CPU has this value. */
  count(cpu: number, value: number): number {
    const { main, turned, middle, counts } = this;
    let sum = 0;
    if (cpu > 0 && cpu < counts.length - 1)
      for (let outer = 0; outer < counts[0]; outer++) sum += main.count(outer * middle + value);
    else {
      const layout = cpu === 0 ? main : turned;
      for (let m = 0; m < middle; m++) sum += layout.count(value * middle + m);
    }
    return sum;
  }

  /** Have CPUs to step from states of a stripe? `main`: all CPUs but the last one; `turned`: the last one. */
  isDirty(side: Side, stripe: number): boolean {
    if (!this[side].isDirty(stripe)) return false;
    // What has come from the other layout may belong to any value of the middle CPU.
    if (side === 'main') this.middleMarks.fill(ALL_STEPS, stripe * this.middle, (stripe + 1) * this.middle);
    return true;
  }

  /** CPUs have to take their steps from all states of a stripe again. */
  reopen(side: Side, stripe: number): void {
    this[side].reopen(stripe);
  }

  /** Is it known that a stripe has every state that there can be in it? */
  isFull(side: Side, stripe: number): boolean {
    return this[side].isFull(stripe);
  }

  /** Is it known that every state has been met that there can be? */
  get isComplete(): boolean {
    return this.main.isComplete;
  }

  /**
   * Gives a stripe all states, if it has all of those in which each CPU that steps in this layout has one of its values
   * `sources`, from which steps lead to all others. Answers whether it has.
   */
  complete(side: Side, stripe: number, sources: readonly Int32Array[]): boolean {
    const [outer, inMiddle] = sources;
    if (!this[side].haveAll(stripe, outer, inMiddle)) return false;
    this[side].complete(stripe);
    if (side === 'main') this.middleMarks.fill(0, stripe * this.middle, (stripe + 1) * this.middle);
    return true;
  }

  /**
   * Takes the steps of a CPU within a stripe where whatever states there can be are known to be met. The marks of a
   * middle CPU know nothing of such a step of the first one, so with three that is left to step().
   */
  flood(cpu: number, stripe: number, steps: Steps): void {
    if (cpu === this.counts.length - 1) this.turned.flood(stripe, steps);
    else if (cpu === 0 && this.counts.length === 2) this.main.flood(stripe, steps);
  }

  /**
   * Takes marks (ALONG_SKELETON, ALL_STEPS) from a value of the CPU; answers whether such steps of it have to be taken.
   */
  clean(cpu: number, stripe: number, value: number, marks: number): boolean {
    if (cpu === this.counts.length - 1) return this.turned.clean(stripe, value, marks);
    if (cpu === 0) return this.main.clean(stripe, value, marks);
    const slot = stripe * this.middle + value;
    const was = this.middleMarks[slot];
    this.middleMarks[slot] = was & ~marks;
    return (was & marks) !== 0;
  }

  /**
   * A step of the CPU: adds the states of a stripe in which it has this value to those of `to`, in which it has another
   * one. Answers whether there were new ones. Regions differ in the thread of this CPU only.
   */
  step(cpu: number, stripe: number, value: number, to: RegionStates, other: number): boolean {
    if (cpu === this.counts.length - 1) return this.stepOuter('turned', stripe, value, to, other);
    if (cpu === 0) return this.stepOuter('main', stripe, value, to, other);
    return this.stepMiddle(stripe, value, to, other);
  }

  /** Brings the other layout up to date with a stripe of this one. */
  turn(side: Side, stripe: number): void {
    if (side === 'main') this.main.turnInto(this.turned, stripe);
    else this.turned.turnInto(this.main, stripe);
  }

  private rowOf(values: readonly number[]): number {
    return values[0] * this.middle + (values.length === 3 ? values[1] : 0);
  }

  private stepOuter(side: Side, stripe: number, value: number, to: RegionStates, other: number): boolean {
    const { middle, counts } = this;
    const layout = this[side];
    const target = to[side];
    const isMarking = side === 'main' && counts.length === 3;
    let any = false;
    for (let m = 0; m < middle; m++) {
      if (!layout.add(stripe, value * middle + m, target, other * middle + m)) continue;
      any = true;
      if (isMarking) to.middleMarks[stripe * middle + m] = ALL_STEPS;
    }
    if (any) target.change(stripe, other);
    return any;
  }

  private stepMiddle(stripe: number, value: number, to: RegionStates, other: number): boolean {
    const { main, middle, counts } = this;
    let any = false;
    for (let outer = 0; outer < counts[0]; outer++) {
      if (!main.add(stripe, outer * middle + value, to.main, outer * to.middle + other)) continue;
      any = true;
      to.main.change(stripe, outer);
    }
    if (any) to.middleMarks[stripe * to.middle + other] = ALL_STEPS;
    return any;
  }
}
