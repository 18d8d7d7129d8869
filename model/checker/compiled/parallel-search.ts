/**
 * A search that only counts and judges, on this thread and `threads - 1` workers. The call blocks until the search is
 * over; the workers need nothing from this thread's event loop. Which of several violations it meets first is chance: a
 * search in order (ordered-search.ts) tells more.
 */
import { CAPACITIES, type Capacities, type Capacity } from './components';
import type { Crew } from './crew';
import type { Learnable } from './lesson';
import type { Stop } from './ordered-search';
import type { Observed } from './progress';
import { tighten } from './region-room';
import { SearchThread } from './search-thread';
import * as place from './shared-search';
import { bytesOf, makeShared, type Shared, send } from './shared-search';
import { amountLearnt, dump, restore } from './step-memory';

interface ParallelOptions {
  readonly threads: number;
  readonly memoryBytes: number;
  /** With a hash table as the set of states, which one thread can have (block-table.ts). */
  readonly hashes: boolean;
  readonly stopAtDepth?: number | undefined;
  readonly reportsDeadlock: boolean;
  readonly poll: (search: Observed) => boolean;
}

/** Some violation or deadlock, or a reason that a search on one thread has, too. */
export type ParallelStop =
  | Extract<Stop, { kind: 'done' | 'depth' | 'memory' | 'interrupted' | 'recompile' }>
  | { readonly kind: 'bad' }
  /** The memory is not used up, but more would have to be reserved. */
  | { readonly kind: 'reserve' }
  /** More values than there is room for: to be begun anew with more. */
  | { readonly kind: 'full'; readonly what: Capacity };

export class ParallelSearch implements Observed {
  readonly sizes: number[] = [];
  private readonly shared: Shared;
  private readonly options: ParallelOptions;
  private readonly crew: Crew;
  private readonly remembered: number;
  private seenDepth = 0;

  /** `crew`: `threads - 1` workers. `steps`: what an earlier search of the same has learnt. */
  constructor(learnable: Learnable, crew: Crew, options: ParallelOptions, steps?: Int32Array) {
    this.options = options;
    this.crew = crew;
    this.shared = makeShared({ ...options, learnable });
    if (steps !== undefined) restore(this.shared.steps, steps);
    this.remembered = amountLearnt(this.shared.steps);
  }

  /**
   * What has been learnt of the model's steps, if that is more than was known before, with room for the values that
   * there are. To be asked when the search is over.
   */
  learnt(): { readonly capacities: Capacities; readonly steps: Int32Array } | undefined {
    const { steps, learnable } = this.shared;
    if (amountLearnt(steps) <= this.remembered) return undefined;
    return { capacities: tighten(learnable, steps), steps: dump(steps) };
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

  /** Roughly: lists are of blocks, with more or fewer states each. */
  get open(): number {
    const { control } = this.shared;
    const parity = this.depth & 1;
    const entries = this.sum((t) => control[place.endOf(t, parity)]);
    const left = this.sum((t) => Math.max(0, control[place.endOf(t, parity)] - control[place.cursorOf(t)]));
    return entries === 0 ? 0 : Math.round((control[place.LEVEL] * left) / entries);
  }

  /** Threads that have taken part so far: a worker is let in when it has loaded. */
  get joined(): number {
    return this.shared.control[place.ACTIVE];
  }

  get bytes(): number {
    return bytesOf(this.shared);
  }

  /** The most bytes that a level took, the one at which the search has stopped among them. */
  get peakBytes(): number {
    return Math.max(this.shared.control[place.PEAK] * place.PEAK_UNIT, this.bytes);
  }

  private sum(of: (thread: number) => number): number {
    let total = 0;
    for (let t = 0; t < this.shared.threads; t++) total += of(t);
    return total;
  }

  /** The sizes of complete levels, as far as this thread comes to see them. */
  private watch(): void {
    if (this.depth === this.seenDepth) return;
    this.seenDepth = this.depth;
    this.sizes.push(this.shared.control[place.LEVEL]);
  }

  run(initial: Int32Array): ParallelStop {
    const { shared, options } = this;
    if (!options.hashes) this.crew.takePart({ kind: 'blocks', shared: send(shared) });
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
      case place.NO_REGION:
        return { kind: 'reserve' };
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
