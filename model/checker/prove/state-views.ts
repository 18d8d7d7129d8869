/**
 * The views and sleepers of whole states, of systems of any size.
 */
import type { Layout } from '../compiled/code/layout';
import type { Bounds, Transient } from '../language/schema-types';
import type { Sleeper } from './element';
import type { Values, ViewForm } from './views';

/** Fields of a state, by name. */
type Fields = Readonly<Record<string, number | readonly (number | readonly number[])[]>>;

export class StateReader {
  private readonly form: ViewForm;
  private readonly layout: Layout;
  private readonly running: string | undefined;

  constructor(layout: Layout, form: ViewForm, running: string | undefined) {
    this.form = form;
    this.layout = layout;
    this.running = running;
  }

  /** The thread that the CPU runs; -1 in a model without threads. */
  runs(state: Transient, cpu: number): number {
    return this.running === undefined ? -1 : (fieldsOf(state)[this.running] as readonly number[])[cpu];
  }

  /** The view of these CPUs in a state of a system of this size. Throws TooFewNames. */
  view(state: Transient, bounds: Bounds, cpus: readonly number[]): Values {
    const { form } = this;
    const values = cpus.flatMap((cpu) => [
      ...this.read(state, form.cpuCells(0), cpu),
      ...(this.running === undefined ? [] : this.read(state, form.threadCells(0), this.runs(state, cpu))),
    ]);
    return form.named(values, bounds, cpus);
  }

  /** A thread that no CPU runs. */
  sleeper(state: Transient, { tasks }: Bounds, thread: number): Sleeper {
    const values = Uint8Array.from(this.read(state, this.form.threadCells(0), thread));
    return { values, kind: thread < tasks ? 'task' : 'idle' };
  }

  /** The threads that no CPU runs. */
  sleeping(state: Transient, { cpus, tasks }: Bounds): number[] {
    if (this.running === undefined) return [];
    const runs = new Set(Array.from({ length: cpus }, (_, cpu) => this.runs(state, cpu)));
    return Array.from({ length: tasks + cpus }, (_, thread) => thread).filter((thread) => !runs.has(thread));
  }

  /** The views of all CPUs, and of all pairs in each order. Throws TooFewNames. */
  views(state: Transient, bounds: Bounds): Values[] {
    const cpus = Array.from({ length: bounds.cpus }, (_, cpu) => cpu);
    if (this.form.tracked === 1) return cpus.map((cpu) => this.view(state, bounds, [cpu]));
    return cpus.flatMap((a) => cpus.filter((b) => b !== a).map((b) => this.view(state, bounds, [a, b])));
  }

  sleepers(state: Transient, bounds: Bounds): Sleeper[] {
    return this.sleeping(state, bounds).map((thread) => this.sleeper(state, bounds, thread));
  }

  /** What the cells of index 0 hold at this index; 0 for a context that the state has no room for. */
  private read(state: Transient, cells: readonly number[], at: number): number[] {
    const fields = fieldsOf(state);
    return cells.map((number) => {
      const { field, index } = this.layout.cells[number];
      const row = (fields[field] as readonly (number | readonly number[])[])[at];
      return typeof row === 'number' ? row : (row[index[1]] ?? 0);
    });
  }
}

const fieldsOf = (state: Transient) => state as unknown as Fields;
