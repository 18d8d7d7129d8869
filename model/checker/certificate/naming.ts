/**
 * A certificate gives its values in names of a system of its own: CPU 0 is that of the view, and so on. Here they get
 * the names of another system, in every way that keeps different names different, and tasks of one address space
 * together: task t is in address space t mod mms.
 */
import type { Certificate } from './certificate';

type Sizes = Certificate['names'];
export type NameSort = 'cpu' | 'task' | 'mm' | 'thread';

/** What the names mean so far; -1 for those that mean nothing yet. */
interface Meaning {
  readonly cpus: number[];
  readonly tasks: number[];
  readonly mms: number[];
}

export class Naming {
  private readonly from: Sizes;
  private readonly to: Sizes;
  private readonly known = new Map<string, readonly (readonly number[])[]>();

  constructor(from: Sizes, to: Sizes) {
    this.from = from;
    this.to = to;
  }

  /** All that these values may be where the first CPUs are those. */
  images(
    values: readonly number[],
    sorts: readonly NameSort[],
    cpus: readonly number[],
  ): readonly (readonly number[])[] {
    const key = `${values} ${sorts} ${cpus}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const unknown = (count: number) => Array.from({ length: count }, () => -1);
    const meaning = { cpus: unknown(this.from.cpus), tasks: unknown(this.from.tasks), mms: unknown(this.from.mms) };
    for (const [name, cpu] of cpus.entries()) meaning.cpus[name] = cpu;
    const found: number[][] = [];
    this.extend(values, sorts, [], meaning, found);
    this.known.set(key, found);
    return found;
  }

  private extend(
    values: readonly number[],
    sorts: readonly NameSort[],
    image: readonly number[],
    meaning: Meaning,
    found: number[][],
  ): void {
    if (image.length === values.length) {
      found.push([...image]);
      return;
    }
    const at = image.length;
    for (const [value, extended] of this.meanings(values[at], sorts[at], meaning))
      this.extend(values, sorts, [...image, value], extended, found);
  }

  /** What one name may mean, and what all names mean then. */
  private meanings(name: number, sort: NameSort, meaning: Meaning): (readonly [number, Meaning])[] {
    switch (sort) {
      case 'cpu':
        return given(meaning.cpus, name, this.to.cpus).map(([value, cpus]) => [value, { ...meaning, cpus }]);
      case 'mm':
        return given(meaning.mms, name, this.to.mms).map(([value, mms]) => [value, { ...meaning, mms }]);
      case 'task':
        return this.tasks(name, meaning);
      case 'thread':
        if (name < this.from.tasks) return this.tasks(name, meaning);
        return given(meaning.cpus, name - this.from.tasks, this.to.cpus).map(([value, cpus]) => [
          this.to.tasks + value,
          { ...meaning, cpus },
        ]);
    }
  }

  private tasks(name: number, meaning: Meaning): (readonly [number, Meaning])[] {
    return given(meaning.tasks, name, this.to.tasks).flatMap(([value, tasks]) => {
      if (this.from.mms === 0) return [[value, { ...meaning, tasks }] as const];
      return given(meaning.mms, name % this.from.mms, this.to.mms)
        .filter(([mm]) => mm === value % this.to.mms)
        .map(([, mms]) => [value, { ...meaning, tasks, mms }] as const);
    });
  }
}

/** What the name may mean: what it means already, or whatever no other one means. */
function given(meanings: readonly number[], name: number, count: number): (readonly [number, number[]])[] {
  const known = meanings[name];
  if (known >= 0) return [[known, [...meanings]]];
  return Array.from({ length: count }, (_, value) => value)
    .filter((value) => !meanings.includes(value))
    .map((value) => [value, meanings.map((meant, i) => (i === name ? value : meant))]);
}
