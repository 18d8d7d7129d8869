/**
 * Names of CPUs, threads and address spaces. Components are compared up to renaming (search/symmetry.ts has why that is
 * sound), so each is kept under the first names that there are: names are given out in the order in which the component
 * mentions them. Tasks keep to address spaces: the task t lives in t mod mms, in every system.
 */
import type { Bounds, IndexSort } from '../language/schema-types';

/** How many names something mentions. */
export interface NameCounts {
  readonly cpus: number;
  readonly mms: number;
  /** Of the address space of which it mentions most tasks. */
  readonly tasksOfOneMm: number;
}

/** There are fewer names than a component needs: the bounds of the proof are too small. */
export class TooFewNames extends Error {
  override readonly name = 'TooFewNames';
}

type Sizes = Pick<Bounds, 'cpus' | 'tasks' | 'mms'>;

/** Gives names of a system of the size `to` to what bears names of systems of other sizes. */
export class NameGiver {
  private readonly to: Sizes;
  private from: Sizes;
  private readonly cpus = new Map<number, number>();
  private readonly mms = new Map<number, number>();
  private readonly tasks = new Map<number, number>();
  /** By the new name of the address space, how many of its tasks have new names. */
  private readonly perMm: number[] = [];
  private mostCpus = 0;
  private mostMms = 0;
  private mostTasks = 0;

  constructor(to: Sizes) {
    this.to = to;
    this.from = to;
  }

  /** Forgets the names given so far; the next ones come from a system of this size, whose CPUs these are the first. */
  begin(from: Sizes, cpus: readonly number[]): void {
    this.from = from;
    this.cpus.clear();
    this.mms.clear();
    this.tasks.clear();
    this.perMm.length = 0;
    for (const cpu of cpus) this.cpu(cpu);
  }

  /** Most names that anything has needed since the beginning. */
  most(): NameCounts {
    return { cpus: this.mostCpus, mms: this.mostMms, tasksOfOneMm: this.mostTasks };
  }

  /** The new name of a value of this sort. Throws TooFewNames. */
  renamed(sort: IndexSort, value: number): number {
    switch (sort) {
      case 'cpu':
        return this.cpu(value);
      case 'mm':
        return this.mm(value);
      case 'task':
        return this.task(value);
      case 'thread':
        return value < this.from.tasks ? this.task(value) : this.to.tasks + this.cpu(value - this.from.tasks);
    }
  }

  private cpu(value: number): number {
    const image = given(this.cpus, value, this.to.cpus);
    this.mostCpus = Math.max(this.mostCpus, this.cpus.size);
    return image;
  }

  private mm(value: number): number {
    const image = given(this.mms, value, Math.max(1, this.to.mms));
    this.mostMms = Math.max(this.mostMms, this.mms.size);
    return image;
  }

  /** A model without address spaces has its tasks in one. */
  private task(value: number): number {
    const known = this.tasks.get(value);
    if (known !== undefined) return known;
    const mm = this.from.mms === 0 ? 0 : this.mm(value % this.from.mms);
    const nth = this.perMm[mm] ?? 0;
    const image = mm + nth * Math.max(1, this.to.mms);
    if (image >= this.to.tasks) throw new TooFewNames(`a component mentions more than ${this.to.tasks} tasks`);
    this.perMm[mm] = nth + 1;
    this.mostTasks = Math.max(this.mostTasks, nth + 1);
    this.tasks.set(value, image);
    return image;
  }
}

function given(names: Map<number, number>, value: number, room: number): number {
  const known = names.get(value);
  if (known !== undefined) return known;
  if (names.size >= room) throw new TooFewNames(`a component mentions more than ${room} CPUs or address spaces`);
  const image = names.size;
  names.set(value, image);
  return image;
}
