/**
 * What the proof keeps of a state: *views*, each the values of one CPU with the thread that it runs (or of two, where
 * one is not enough), and *sleepers*, each the values of a thread that no CPU runs. Values stand in the order of the
 * schema, under their first names (names.ts).
 */
import { Buffer } from 'node:buffer';
import { runningCell } from '../compiled/code/interaction';
import type { Layout, PlacedCell } from '../compiled/code/layout';
import type { Bounds, IndexSort, Sort } from '../language/schema-types';
import { type NameCounts, NameGiver } from './names';

/** The values of a view or a sleeper, one a cell. */
export type Values = Uint8Array;

/** User tasks, and the idle threads of CPUs: threads of one kind are alike. */
export type ThreadKind = 'task' | 'idle';
export const THREAD_KINDS: readonly ThreadKind[] = ['task', 'idle'];

const isName = (sort: Sort['kind']): sort is IndexSort => sort !== 'bool' && sort !== 'range';

/** The cells of one index of a sort, with what has to be renamed among their values. */
interface Group {
  readonly cells: readonly (readonly number[])[];
  readonly names: readonly (IndexSort | undefined)[];
}

function groupOf(layout: Layout, over: 'cpu' | 'thread', extent: number): Group {
  const of = (index: number) =>
    layout.cells.filter((cell) => layout.fields.get(cell.field)?.over[0] === over && cell.index[0] === index);
  const names = (extent === 0 ? [] : of(0)).map((cell) => {
    const sort = layout.fields.get(cell.field)?.sort;
    return sort !== undefined && isName(sort) ? sort : undefined;
  });
  return { cells: Array.from({ length: extent }, (_, index) => of(index).map(({ number }) => number)), names };
}

/** What a cell is part of: a CPU, a thread, or nothing of either. */
export interface Owner {
  readonly over: 'cpu' | 'thread' | 'global';
  readonly index: number;
}

function ownerOf(layout: Layout, cell: PlacedCell): Owner {
  const over = layout.fields.get(cell.field)?.over[0] ?? 'global';
  if (over !== 'cpu' && over !== 'thread' && over !== 'global')
    throw new RangeError(`field ${cell.field} belongs to no CPU, no thread and not to all: a proof has no view of it`);
  return { over, index: cell.index[0] ?? 0 };
}

/** The form that views and sleepers have in a system of given size. */
export class ViewForm {
  readonly owners: readonly Owner[];
  /** By CPU, the cell that names the thread that it runs; none in a model without threads. */
  readonly running: readonly number[];
  readonly bounds: Bounds;
  /** CPUs of a view. */
  readonly tracked: number;
  private readonly cpus: Group;
  private readonly threads: Group;
  private readonly nameGiver: NameGiver;
  private readonly cells = new Map<string, readonly number[]>();

  constructor(layout: Layout, bounds: Bounds, running: string | undefined, tracked: number, keepsMms = false) {
    this.bounds = bounds;
    this.tracked = tracked;
    this.owners = layout.cells.map((cell) => ownerOf(layout, cell));
    const cell = Array.from({ length: bounds.cpus }, (_, cpu) => runningCell(layout, cpu, running));
    this.running = cell.flatMap((each) => (each === undefined ? [] : [each.number]));
    this.cpus = groupOf(layout, 'cpu', bounds.cpus);
    this.threads = groupOf(layout, 'thread', running === undefined ? 0 : bounds.tasks + bounds.cpus);
    this.nameGiver = new NameGiver(bounds, keepsMms);
    if (this.threads.names.some((name) => name !== undefined))
      throw new RangeError('a thread has fields with names of CPUs, threads or address spaces: a proof compares none');
  }

  /** By field of a CPU, in the order of `cpuCells`, what its values name. */
  get names(): readonly (IndexSort | undefined)[] {
    return this.cpus.names;
  }

  /** Most names that a view has needed so far. */
  mostNames(): NameCounts {
    return this.nameGiver.most();
  }

  kindOf(thread: number): ThreadKind {
    return thread < this.bounds.tasks ? 'task' : 'idle';
  }

  /** Is it a cell of this thread? */
  isOf(cell: number, thread: number): boolean {
    const { over, index } = this.owners[cell];
    return over === 'thread' && index === thread;
  }

  cpuCells(cpu: number): readonly number[] {
    return this.cpus.cells[cpu];
  }

  threadCells(thread: number): readonly number[] {
    return this.threads.cells[thread] ?? [];
  }

  /** The cells whose values a view has, where its CPUs run these threads. */
  cellsOf(runs: readonly number[]): readonly number[] {
    const key = runs.join();
    const known = this.cells.get(key);
    if (known !== undefined) return known;
    const cells = Array.from({ length: this.tracked }, (_, cpu) => cpu).flatMap((cpu) => [
      ...this.cpuCells(cpu),
      ...(runs.length === 0 ? [] : this.threadCells(runs[cpu])),
    ]);
    this.cells.set(key, cells);
    return cells;
  }

  /** The threads that the CPUs of a view run; empty in a model without threads. */
  runsOf(view: Values): number[] {
    if (this.running.length === 0) return [];
    const width = view.length / this.tracked;
    const at = this.cpuCells(0).indexOf(this.running[0]);
    return Array.from({ length: this.tracked }, (_, cpu) => view[cpu * width + at]);
  }

  /** `named` with the CPUs in each order: a view of two is kept twice, and the first CPU takes the steps of both. */
  orders(values: Values, from: Bounds, cpus: readonly number[]): Values[] {
    const first = this.named(values, from, cpus);
    if (this.tracked === 1) return [first];
    const width = values.length / 2;
    return [first, this.named([...values.subarray(width), ...values.subarray(0, width)], from, [...cpus].reverse())];
  }

  /**
   * The view under its first names, from values in the order of `cellsOf` whose CPUs have these names in a system of
   * the size `from`. Throws TooFewNames.
   */
  named(values: ArrayLike<number>, from: Bounds, cpus: readonly number[]): Values {
    const { nameGiver } = this;
    const view = new Uint8Array(values);
    const width = view.length / this.tracked;
    nameGiver.begin(from, cpus);
    if (this.running.length > 0) {
      const at = this.cpuCells(0).indexOf(this.running[0]);
      for (let cpu = 0; cpu < this.tracked; cpu++) nameGiver.renamed('thread', view[cpu * width + at]);
    }
    const { names } = this.cpus;
    for (let start = 0; start < view.length; start += width)
      for (let i = 0; i < names.length; i++) {
        const sort = names[i];
        if (sort !== undefined) view[start + i] = nameGiver.renamed(sort, view[start + i]);
      }
    return view;
  }
}

/** The values as text: a key for look-ups. */
export function keyOf(values: Values): string {
  return Buffer.from(values.buffer, values.byteOffset, values.length).toString('latin1');
}
