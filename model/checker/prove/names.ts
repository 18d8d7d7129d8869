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

const NONE = -1;

/** The names that things of one sort have got, by their old ones. */
class Given {
  count = 0;
  private images = new Int8Array(0);

  clear(): void {
    this.images.fill(NONE);
    this.count = 0;
  }

  /** -1 for none. */
  get(value: number): number {
    return value < this.images.length ? this.images[value] : NONE;
  }

  set(value: number, image: number): void {
    if (value >= this.images.length) {
      const images = new Int8Array(2 * (value + 1)).fill(NONE);
      images.set(this.images);
      this.images = images;
    }
    this.images[value] = image;
    this.count++;
  }

  /** The name that it has, or else the first one that none has. Throws TooFewNames where there are only `room`. */
  next(value: number, room: number): number {
    const known = this.get(value);
    if (known >= 0) return known;
    if (this.count >= room) throw new TooFewNames(`a component mentions more than ${room} CPUs or address spaces`);
    const image = this.count;
    this.set(value, image);
    return image;
  }
}

/** Gives names of a system of the size `to` to what bears names of systems of other sizes. */
export class NameGiver {
  private readonly to: Sizes;
  private from: Sizes;
  private readonly keepsMms: boolean;
  private readonly cpus = new Given();
  private readonly mms = new Given();
  private readonly tasks = new Given();
  /** By the new name of the address space, how many of its tasks have new names. */
  private readonly perMm: number[] = [];
  private mostCpus = 0;
  private mostMms = 0;
  private mostTasks = 0;

  /** `keepsMms`: address spaces keep their names, where they have different numbers of tasks. */
  constructor(to: Sizes, keepsMms: boolean) {
    this.to = to;
    this.from = to;
    this.keepsMms = keepsMms;
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
    const image = this.cpus.next(value, this.to.cpus);
    this.mostCpus = Math.max(this.mostCpus, this.cpus.count);
    return image;
  }

  private mm(value: number): number {
    if (this.keepsMms) return value;
    const image = this.mms.next(value, Math.max(1, this.to.mms));
    this.mostMms = Math.max(this.mostMms, this.mms.count);
    return image;
  }

  /** A model without address spaces has its tasks in one. */
  private task(value: number): number {
    const known = this.tasks.get(value);
    if (known >= 0) return known;
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
