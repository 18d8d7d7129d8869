/**
 * Where the threads of a search meet. The last one to arrive prepares what comes next, and lets in the threads that
 * have started meanwhile, so nobody waits for a thread to start.
 */
import { ACTIVE, ACTIVE_SINCE, ARRIVED, GENERATION, READY, RUNNING, STOP } from './shared-search';

/** Looks that long before it sleeps. */
const SPINS = 2000;
const NAP_MS = 2;

const { add, load, store, compareExchange, wait, notify } = Atomics;

export class Barrier {
  private readonly control: Int32Array;
  private readonly meanwhile: () => void;

  /** `meanwhile`: called again and again while the others are waited for; it may stop the search. */
  constructor(control: Int32Array, meanwhile: () => void) {
    this.control = control;
    this.meanwhile = meanwhile;
  }

  get isStopped(): boolean {
    return load(this.control, STOP) !== RUNNING;
  }

  /** The first reason counts. */
  stop(reason: number): void {
    compareExchange(this.control, STOP, RUNNING, reason);
    notify(this.control, GENERATION);
  }

  /** Waits to be let in; answers the number of this thread. */
  join(): number {
    const { control } = this;
    const me = add(control, READY, 1) + 1;
    while (load(control, ACTIVE) <= me && !this.isStopped) wait(control, ACTIVE, load(control, ACTIVE), NAP_MS);
    // What it may take part in has not begun yet, perhaps.
    while (load(control, GENERATION) < load(control, ACTIVE_SINCE) && !this.isStopped)
      wait(control, GENERATION, load(control, GENERATION), NAP_MS);
    return me;
  }

  /** Waits for the other threads, unless the search stops. `prepare`: for the last one to arrive. */
  arrive(prepare: () => void): void {
    const { control } = this;
    const generation = load(control, GENERATION);
    if (add(control, ARRIVED, 1) === load(control, ACTIVE) - 1) {
      store(control, ARRIVED, 0);
      prepare();
      if (!this.isStopped) this.letIn();
      add(control, GENERATION, 1);
      notify(control, GENERATION);
      return;
    }
    for (let spin = 0; load(control, GENERATION) === generation && !this.isStopped; spin++) {
      this.meanwhile();
      if (spin > SPINS) wait(control, GENERATION, generation, NAP_MS);
    }
  }

  private letIn(): void {
    const { control } = this;
    const active = 1 + load(control, READY);
    if (active === control[ACTIVE]) return;
    store(control, ACTIVE_SINCE, control[GENERATION] + 1);
    store(control, ACTIVE, active);
    notify(control, ACTIVE);
  }
}
