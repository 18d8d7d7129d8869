/**
 * A search that only counts and judges, on this thread and `threads - 1` workers. The call blocks until the search is over; the workers need nothing
 * from this thread's event loop. Which of several violations it meets first is chance: a search in order (ordered-search.ts) tells more.
 */
import { Worker } from 'node:worker_threads';
import { CAPACITIES, type Capacity } from './components';
import type { Learnable } from './learner';
import type { Stop } from './ordered-search';
import type { Observed } from './progress';
import { SearchThread } from './search-thread';
import * as place from './shared-search';
import { bytesOf, makeShared, type Shared, send } from './shared-search';
import { amountLearnt, dump, restore } from './step-memory';

export interface ParallelOptions {
  readonly threads: number;
  readonly memoryBytes: number;
  readonly stopAtDepth?: number | undefined;
  readonly reportsDeadlock: boolean;
  readonly poll: (search: Observed) => boolean;
}

/** Some violation or deadlock, or a reason that a search on one thread has, too. */
export type ParallelStop =
  | Extract<Stop, { kind: 'done' | 'depth' | 'memory' | 'interrupted' | 'recompile' }>
  | { readonly kind: 'bad' }
  /** More values than there is room for: to be begun anew with more. */
  | { readonly kind: 'full'; readonly what: Capacity };

const WORKER = require.resolve('./parallel-worker');

/** From the TypeScript sources (tests, benchmarks) a worker has to load the compiler hook first. */
const FROM_SOURCE = `const { workerData } = require('node:worker_threads');
require(workerData.hook).register({ target: 'es2022' });
require(workerData.worker);`;

function startWorker(shared: Shared): Worker {
  const worker = WORKER.endsWith('.ts')
    ? new Worker(FROM_SOURCE, {
        eval: true,
        workerData: { ...send(shared), worker: WORKER, hook: require.resolve('esbuild-register/dist/node') },
      })
    : new Worker(WORKER, { workerData: send(shared) });
  // A worker that fails has stopped the search already, and this thread says so.
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}

export class ParallelSearch implements Observed {
  readonly sizes: number[] = [];
  private readonly shared: Shared;
  private readonly options: ParallelOptions;
  private readonly remembered: number;
  private seenDepth = 0;

  /** `steps`: what an earlier search of the same has learnt. */
  constructor(learnable: Learnable, options: ParallelOptions, steps?: Int32Array) {
    this.options = options;
    this.shared = makeShared({ ...options, learnable });
    if (steps !== undefined) restore(this.shared.steps, steps);
    this.remembered = amountLearnt(this.shared.steps);
  }

  /** What has been learnt of the model's steps, if that is more than was known before. */
  learnt(): Int32Array | undefined {
    const { steps } = this.shared;
    return amountLearnt(steps) > this.remembered ? dump(steps) : undefined;
  }

  get states(): number {
    return this.sum((t) => this.shared.control[place.statesOf(t)]);
  }

  get transitions(): number {
    return this.sum(
      (t) => this.shared.control[place.transitionsOf(t)] + this.shared.control[place.transitionsOf(t) + 1] * 2 ** 30,
    );
  }

  get depth(): number {
    return this.shared.control[place.DEPTH];
  }

  get open(): number {
    const { control, words } = this.shared;
    const parity = this.depth & 1;
    return Math.round(
      this.sum((t) => Math.max(0, control[place.endOf(t, parity)] - control[place.cursorOf(t)])) / words,
    );
  }

  get bytes(): number {
    return bytesOf(this.shared);
  }

  /** The most bytes that a level took. */
  get peakBytes(): number {
    return this.shared.control[place.PEAK] * place.PEAK_UNIT;
  }

  private sum(of: (thread: number) => number): number {
    let total = 0;
    for (let t = 0; t < this.shared.threads; t++) total += of(t);
    return total;
  }

  /** The sizes of complete levels, as far as this thread comes to see them. */
  private watch(): void {
    const { control, words } = this.shared;
    if (this.depth === this.seenDepth) return;
    this.seenDepth = this.depth;
    this.sizes.push(Math.round(this.sum((t) => control[place.endOf(t, this.depth & 1)]) / words));
  }

  run(initial: Int32Array): ParallelStop {
    const { shared, options } = this;
    for (let i = 1; i < shared.threads; i++) startWorker(shared);
    const first = new SearchThread(shared, () => {
      this.watch();
      return options.poll(this);
    });
    try {
      first.begin(initial);
      first.run();
    } catch (error) {
      // The others would wait at a barrier for ever.
      first.stop(place.CRASHED);
      throw error;
    }
    return this.ending();
  }

  private ending(): ParallelStop {
    const { control, learnable } = this.shared;
    switch (control[place.STOP]) {
      case place.DONE:
        return { kind: 'done' };
      case place.NO_MEMORY:
        return { kind: 'memory' };
      case place.TOO_DEEP:
        return { kind: 'depth' };
      case place.INTERRUPTED:
        return { kind: 'interrupted' };
      case place.NEEDS_CODE:
        return {
          kind: 'recompile',
          instance: control[place.FOUND + 1],
          before: control.slice(place.FOUND + 2, place.FOUND + 2 + learnable.masks.words),
        };
      case place.NEEDS_ROOM:
        return { kind: 'full', what: CAPACITIES[control[place.FOUND + 1]] };
      case place.CRASHED:
        throw new Error('a thread of the search failed; --threads 1 does without');
      default:
        return { kind: 'bad' };
    }
  }
}
