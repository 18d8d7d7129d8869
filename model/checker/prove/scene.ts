/**
 * What is known of a state while a step of a view is tried: for each cell the values that it may have. A view, and the
 * threads that a step is about, are put into it; whatever else the state has may be anything, but for one thing: a
 * thread is in one place, so no other CPU runs a thread that is known to be elsewhere.
 */
import type { ValueSet } from '../compiled/code/layout';
import type { ValueSets } from './grown-tree';
import type { Values, ViewForm } from './views';

export class Scene {
  readonly sets: ValueSets;
  /** Threads that the CPUs of the view run. */
  runs: readonly number[] = [];
  /** Threads that sleep, with the values of a sleeper. */
  readonly asleep: number[] = [];
  private readonly form: ViewForm;
  /** What has been put: cell, what it was. */
  private readonly log: number[] = [];

  constructor(form: ViewForm, anything: ValueSets) {
    this.form = form;
    this.sets = anything;
  }

  put(cell: number, values: ValueSet): void {
    this.log.push(cell, this.sets[cell]);
    this.sets[cell] = values;
  }

  /** What `rollback` takes to come back here. */
  mark(): number {
    return this.log.length;
  }

  rollback(mark: number): void {
    const { log, sets } = this;
    while (log.length > mark) {
      const values = log.pop() as number;
      sets[log.pop() as number] = values;
    }
  }

  /** Begins with this view; what was there before is forgotten. */
  begin(view: Values): void {
    this.rollback(0);
    this.asleep.length = 0;
    this.runs = this.form.runsOf(view);
    const cells = this.form.cellsOf(this.runs);
    for (let i = 0; i < cells.length; i++) this.put(cells[i], 1 << view[i]);
    for (const thread of this.runs) this.awayFromOthers(thread);
  }

  /** The thread sleeps, with these values. */
  putAsleep(thread: number, values: Values): void {
    const cells = this.form.threadCells(thread);
    for (let i = 0; i < cells.length; i++) this.put(cells[i], 1 << values[i]);
    this.awayFromOthers(thread);
  }

  /** Another CPU runs the thread. */
  putOn(cpu: number, thread: number): void {
    this.awayFromOthers(thread);
    this.put(this.form.running[cpu], 1 << thread);
  }

  private awayFromOthers(thread: number): void {
    const { running, tracked } = this.form;
    for (let cpu = tracked; cpu < running.length; cpu++)
      this.put(running[cpu], this.sets[running[cpu]] & ~(1 << thread));
  }
}
