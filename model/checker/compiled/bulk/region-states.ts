/**
 * The states of a region that have been met: one bit for each combination of values of the CPUs, in two layouts, so
 * that for each CPU the states with one value of it are whole words.
 *
 *   main   | last CPU, 32 a word | middle CPU | CPU 0 |       from the innermost dimension to the outermost
 *   turned | CPU 0, 32 a word | middle CPU | last CPU |
 *
 * A step of CPU 0 adds slabs of `main` to each other, one of the last CPU slabs of `turned`. A middle CPU there is only
 * with three; its steps add rows of `main`.
 */
import { addRow, addTransposed, countBits, wordsFor } from './bit-matrix';
import type { Region } from './regions';

/** The layout that steps of a CPU are taken in. */
interface Layout {
  readonly words: Int32Array;
  /** Words of a row: all values of the CPU whose values are bits. */
  readonly row: number;
  /** Values of the outermost CPU whose slabs have changed since the other layout was brought up to date. */
  readonly changed: Uint8Array;
  isChanged: boolean;
}

/** The words that the states of a region take in both layouts, if CPUs have so many values. */
export function wordsOf(counts: readonly number[]): number {
  const [first, last] = [counts[0], counts[counts.length - 1]];
  const middle = counts.length === 3 ? counts[1] : 1;
  return middle * (first * wordsFor(last) + last * wordsFor(first));
}

export class RegionStates {
  readonly region: Region;
  readonly counts: readonly number[];
  /** For each CPU the values whose steps have not been taken from all states. */
  readonly dirty: readonly Uint8Array[];
  /** For each CPU: is any value dirty? */
  readonly isDirty: boolean[];
  private readonly middle: number;
  private readonly main: Layout;
  private readonly turned: Layout;

  constructor(region: Region, counts: readonly number[]) {
    const [first, last] = [counts[0], counts[counts.length - 1]];
    this.region = region;
    this.counts = counts;
    this.middle = counts.length === 3 ? counts[1] : 1;
    this.dirty = counts.map((count) => new Uint8Array(count));
    this.isDirty = counts.map(() => false);
    this.main = makeLayout(first, this.middle, last);
    this.turned = makeLayout(last, this.middle, first);
  }

  get states(): number {
    return countBits(this.main.words, 0, this.main.words.length);
  }

  /** Adds the state with these values. */
  add(values: readonly number[]): void {
    const { main, middle } = this;
    const last = values[values.length - 1];
    const row = values[0] * middle + (values.length === 3 ? values[1] : 0);
    main.words[row * main.row + (last >>> 5)] |= 1 << (last & 31);
    main.changed[values[0]] = 1;
    main.isChanged = true;
    for (let cpu = 0; cpu < values.length - 1; cpu++) this.soil(cpu, values[cpu]);
  }

  /**
   * A step of the CPU: adds the states in which it has this value to those of `to`, in which it has another one.
   * Answers whether there were new ones. Regions differ in the thread of this CPU only.
   */
  step(cpu: number, value: number, to: RegionStates, other: number): boolean {
    if (cpu === this.counts.length - 1) return this.stepOuter(this.turned, value, to, to.turned, other, false);
    if (cpu === 0) return this.stepOuter(this.main, value, to, to.main, other, true);
    return this.stepMiddle(value, to, other);
  }

  /** States in which the CPU has this value. */
  count(cpu: number, value: number): number {
    const { main, turned, middle, counts } = this;
    if (cpu > 0 && cpu < counts.length - 1) {
      let sum = 0;
      for (let outer = 0; outer < counts[0]; outer++) {
        const at = (outer * middle + value) * main.row;
        sum += countBits(main.words, at, at + main.row);
      }
      return sum;
    }
    const { words, row } = cpu === 0 ? main : turned;
    return countBits(words, value * middle * row, (value + 1) * middle * row);
  }

  has(values: readonly number[]): boolean {
    const { main, middle } = this;
    const last = values[values.length - 1];
    const row = values[0] * middle + (values.length === 3 ? values[1] : 0);
    return ((main.words[row * main.row + (last >>> 5)] >>> (last & 31)) & 1) === 1;
  }

  /** Brings `turned` up to date with `main`; what is new there is dirty for the last CPU. */
  turn(): void {
    const last = this.counts.length - 1;
    if (this.transpose(this.main, this.turned, this.dirty[last])) this.isDirty[last] = true;
  }

  /** Brings `main` up to date with `turned`; what is new there is dirty for the other CPUs. */
  turnBack(): void {
    if (this.transpose(this.turned, this.main, this.dirty[0])) this.isDirty[0] = true;
  }

  private transpose(from: Layout, to: Layout, fresh: Uint8Array): boolean {
    if (!from.isChanged) return false;
    const { middle, counts } = this;
    let any = false;
    for (let m = 0; m < middle; m++) {
      const source = { words: from.words, at: m * from.row, stride: middle * from.row, count: from.changed.length };
      const target = { words: to.words, at: m * to.row, stride: middle * to.row, count: to.changed.length };
      if (!addTransposed(source, from.changed, target, fresh)) continue;
      any = true;
      if (counts.length === 3 && to === this.main) this.soil(1, m);
    }
    from.changed.fill(0);
    from.isChanged = false;
    return any;
  }

  private soil(cpu: number, value: number): void {
    this.dirty[cpu][value] = 1;
    this.isDirty[cpu] = true;
  }

  private stepOuter(
    from: Layout,
    value: number,
    target: RegionStates,
    to: Layout,
    other: number,
    soilsMiddle: boolean,
  ): boolean {
    const { middle } = this;
    const { row } = from;
    let any = false;
    if (middle === 1) any = addRow(from.words, value * row, to.words, other * row, row);
    else
      for (let m = 0; m < middle; m++) {
        if (!addRow(from.words, (value * middle + m) * row, to.words, (other * middle + m) * row, row)) continue;
        any = true;
        if (soilsMiddle) target.soil(1, m);
      }
    if (any) {
      to.changed[other] = 1;
      to.isChanged = true;
    }
    return any;
  }

  private stepMiddle(value: number, to: RegionStates, other: number): boolean {
    const { main, middle, counts } = this;
    const { row } = main;
    let any = false;
    for (let outer = 0; outer < counts[0]; outer++) {
      const at = (outer * middle + value) * row;
      if (!addRow(main.words, at, to.main.words, (outer * to.middle + other) * row, row)) continue;
      any = true;
      to.main.changed[outer] = 1;
      to.soil(0, outer);
    }
    if (any) to.main.isChanged = true;
    return any;
  }
}

function makeLayout(outer: number, middle: number, inner: number): Layout {
  const row = wordsFor(inner);
  return { words: new Int32Array(outer * middle * row), row, changed: new Uint8Array(outer), isChanged: false };
}
