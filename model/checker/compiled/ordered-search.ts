/**
 * Breadth-first search on packed states, one thread, in the order of explore(), to the state. States lie in the table,
 * and once more in a list in the order of their discovery, from which a trace can be rebuilt (trace.ts).
 */
import type { Transient } from '../language/schema-types';
import { markedInstance, markedProperty, NO_CELL, NO_CODE } from './code/marker';
import type { CompiledModel } from './compiled-model';
import {
  CROWDED,
  MARKED,
  MAX_SUCCESSOR_WORDS,
  type OrderedKernel,
  R_DEAD,
  R_POSITION,
  R_STOPPED,
  R_VERDICT,
} from './ordered-kernel';

/** How a search ended, or why it has to begin anew (`recompile`). */
export type Stop =
  | { readonly kind: 'done' }
  | { readonly kind: 'depth' | 'memory' | 'interrupted' }
  | { readonly kind: 'deadlock'; readonly state: Int32Array }
  /** The step from a state of the current level violates a property, as far as the compiled code can tell. */
  | { readonly kind: 'failed-step'; readonly before: Int32Array; readonly instance: number; readonly property: number }
  | { readonly kind: 'bad-state'; readonly state: Int32Array; readonly property: number }
  | { readonly kind: 'recompile'; readonly before: Int32Array; readonly instance: number };

interface OrderedOptions {
  readonly memoryBytes: number;
  readonly stopAtDepth?: number | undefined;
  readonly reportsDeadlock: boolean;
  /**
   * Asked about each violating step or new violating state; answers whether the search is over. A violation that is
   * passed is not followed.
   */
  readonly isEnd: (stop: Stop) => boolean;
  /** Called between batches now and then; answers whether to stop. */
  readonly poll: () => boolean;
}

const FIRST_SLOTS = 1 << 16;
const GUARD = 1 << 12;
const BATCH = 1024;
const GROW_AT = 0.75;
const FULL_AT = 0.9;
const POLL_EVERY = 64;

/** The largest table (a power of two of slots) within three quarters of the memory. */
function mostSlots(words: number, bytes: number): number {
  let slots = 1 << 10;
  while ((slots * 2 + GUARD) * words * 4 <= bytes * 0.75 && slots < 2 ** 30 / words) slots *= 2;
  return slots;
}

export class OrderedSearch<S extends Transient, D> {
  states = 0;
  transitions = 0;
  depth = 0;
  /** Beginning of each level in the list, in words. */
  readonly levels: number[] = [];
  /** Sizes of the levels that are complete. */
  readonly sizes: number[] = [];
  /** End of the list, in words. */
  end = 0;
  private readonly words: number;
  private readonly kernel: OrderedKernel;
  private readonly options: OrderedOptions;
  private readonly table: Int32Array;
  private readonly met: Int32Array;
  private readonly maxSlots: number;
  private slots: number;
  private shift: number;
  private readonly out: Int32Array;
  private readonly homes = new Int32Array(BATCH + MAX_SUCCESSOR_WORDS);
  private readonly result = new Int32Array(4);
  private readonly stride: number;
  private polls = 0;
  private frontier = 0;

  constructor(compiled: CompiledModel<S, D>, options: OrderedOptions) {
    const { words } = compiled;
    this.words = words;
    this.options = options;
    this.kernel = compiled.kernel();
    this.stride = words + 1;
    this.maxSlots = mostSlots(words, options.memoryBytes);
    this.slots = Math.min(FIRST_SLOTS, this.maxSlots);
    this.shift = 32 - Math.log2(this.slots);
    // Reserved, not yet used: the system provides pages when they are written.
    this.table = new Int32Array(new SharedArrayBuffer((this.maxSlots + GUARD) * words * 4));
    const listWords = Math.max(1 << 16, Math.floor(options.memoryBytes / 8));
    this.met = new Int32Array(new SharedArrayBuffer(listWords * 4));
    this.out = new Int32Array(BATCH * this.stride + MAX_SUCCESSOR_WORDS);
  }

  get bytes(): number {
    return (this.slots + GUARD) * this.words * 4 + this.end * 4;
  }

  get open(): number {
    return this.frontier;
  }

  /** Every state, in the order of discovery. */
  list(): Int32Array {
    return this.met;
  }

  run(initial: Int32Array): Stop {
    this.out.set(initial);
    const first = this.insert(1, 0);
    this.transitions = 0;
    if (typeof first !== 'number') return first;
    if (first === 0) return { kind: 'done' };
    let from = 0;
    let to = first;
    while (from < to) {
      this.levels.push(from);
      this.sizes.push((to - from) / this.words);
      if (this.depth === this.options.stopAtDepth) return { kind: 'depth' };
      const end = this.level(from, to);
      if (typeof end !== 'number') return end;
      from = to;
      to = end;
      if (from < to) this.depth++;
    }
    return { kind: 'done' };
  }

  /** Expands the states of the list from `from` up to its end `to`, and appends what is new. Answers the new end. */
  private level(from: number, to: number): Stop | number {
    const { met, out, result, kernel, words } = this;
    const { reportsDeadlock, poll } = this.options;
    let end = to;
    for (let i = from; i < to; ) {
      result[R_DEAD] = 0;
      const n = kernel.expand(met, i, to, out, 0, BATCH * this.stride, result, reportsDeadlock);
      i = result[R_POSITION];
      const inserted = this.insert(n / this.stride, end);
      if (typeof inserted !== 'number') return inserted;
      end = inserted;
      this.end = end;
      if (result[R_DEAD] === 1) return { kind: 'deadlock', state: met.slice(i, i + words) };
      this.frontier = (end - i) / words;
      if (this.polls++ % POLL_EVERY === 0 && poll()) return { kind: 'interrupted' };
    }
    return end;
  }

  /** Inserts the m entries of the batch. */
  private insert(m: number, from: number): Stop | number {
    const { met, out, homes, result, kernel, words } = this;
    if (from + m * words > met.length || !this.room(m)) return { kind: 'memory' };
    kernel.prepare(this.table, out, m, homes, this.shift);
    let at = from;
    let counted = 0;
    for (let j = 0; j < m; ) {
      const before = at;
      at = kernel.insert(this.table, out, j, m, homes, met, at, (this.slots + GUARD - 1) * words, result);
      this.states += (at - before) / words;
      const stopped = result[R_STOPPED];
      this.transitions += stopped - counted;
      counted = stopped;
      if (stopped === m) break;
      const verdict = result[R_VERDICT];
      if (verdict === CROWDED) {
        if (!this.double()) return { kind: 'memory' };
        kernel.prepare(this.table, out, m, homes, this.shift);
        j = stopped;
        continue;
      }
      this.transitions++;
      const stop = this.bad(stopped * this.stride, verdict);
      if (stop.kind === 'recompile' || this.options.isEnd(stop)) {
        // explore() counts the state with which it ends.
        if (stop.kind === 'bad-state') this.states++;
        return stop;
      }
      j = stopped + (verdict === MARKED ? 2 : 1);
      counted = j;
    }
    return at;
  }

  private bad(at: number, verdict: number): Stop {
    const { out, words, stride } = this;
    if (verdict !== MARKED) return { kind: 'bad-state', state: out.slice(at, at + words), property: verdict };
    const property = markedProperty(out[at]);
    const instance = markedInstance(out[at]);
    const before = out.slice(at + stride, at + stride + words);
    if (property === NO_CELL)
      throw new RangeError(`rule instance ${instance} uses an index out of range: guardedModel() shows where`);
    return property === NO_CODE
      ? { kind: 'recompile', before, instance }
      : { kind: 'failed-step', before, instance, property };
  }

  /** Makes room for m more states. */
  private room(m: number): boolean {
    while (this.states + m > this.slots * GROW_AT) if (!this.double()) return this.states + m <= this.slots * FULL_AT;
    return true;
  }

  private double(): boolean {
    if (this.slots * 2 > this.maxSlots) return false;
    this.kernel.grow(this.table, this.slots, GUARD, this.shift);
    this.slots *= 2;
    this.shift--;
    return true;
  }
}
