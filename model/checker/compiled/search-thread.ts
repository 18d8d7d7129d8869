/**
 * One thread of a search. There is no exchange of states and no owner of a state: all threads mark states in one set. A
 * level ends at a barrier.
 *
 *   pull 64 entries (own list first) -> expand into the batch -> [learn?] -> mark
 *
 * What is new goes to the own list of the next level.
 */
import { Barrier } from './barrier';
import { BlockTable } from './block-table';
import { CAPACITIES } from './components';
import {
  batchStride,
  entryStride,
  isReduced,
  type Kernel,
  R_LENGTH,
  R_PAGES,
  R_POSITION,
  R_REASON,
  R_STATES,
  R_STOPPED,
  R_TRANSITIONS,
  REASON_DEAD,
  REASON_NO_IMAGE,
  REASON_UNKNOWN,
  tables,
} from './kernel';
import { kernelShape, kernelSource } from './kernel-source';
import { Learner, MOST_STEPS } from './learner';
import { LEARNT, type Lesson } from './lesson';
import type { Shared } from './shared-search';
import * as place from './shared-search';
import { BLOCK_STATES } from './state-set';

/** In entries. */
const CHUNK = 64;
const BATCH = 512;
const POLL_EVERY = 32;
/**
 * Hints are 32-bit integers, and 0 is none. All threads begin at the same one, so that what a hint of another thread
 * leads to is an entry, too.
 */
const FIRST_BASE = 1;
const MOST_BASE = 2 ** 30;

const { add, store, compareExchange } = Atomics;

export class SearchThread {
  private readonly shared: Shared;
  private readonly barrier: Barrier;
  /** 0 is the first thread; the others get their numbers when they join. */
  private me = 0;
  private readonly kernel: Kernel;
  private readonly mark: Kernel['mark'];
  private readonly table: BlockTable | undefined;
  private readonly learner: Learner;
  private readonly known: readonly Int32Array[];
  private readonly poll: () => boolean;
  private readonly out: Int32Array;
  /** Words of an entry. */
  private readonly stride: number;
  /** Room for one state. */
  private readonly state: Int32Array;
  private readonly result = new Int32Array(R_LENGTH);
  private parity = 0;
  private end = 0;
  /**
   * Words of this thread's lists of all levels before: hints to them (state-set.ts) are smaller. Where it begins anew,
   * what a hint leads to tells.
   */
  private base = FIRST_BASE;
  private transitions = 0;
  private polls = 0;

  /** `poll` is asked between batches now and then whether to stop. */
  constructor(shared: Shared, poll: () => boolean) {
    const { words, learnable, steps, threads } = shared;
    this.shared = shared;
    this.barrier = new Barrier(shared.control, () => this.heedPoll());
    this.poll = poll;
    const { slots } = learnable;
    const shape = kernelShape(learnable);
    this.kernel = new Function(kernelSource(shape))() as Kernel;
    this.mark = threads === 1 ? this.kernel.mark : this.kernel.markShared;
    this.learner = new Learner(learnable, steps);
    this.known = tables(steps);
    this.stride = entryStride(words);
    const most = BATCH + MOST_STEPS * slots.cpus.length * BLOCK_STATES;
    this.out = new Int32Array(most * batchStride(words));
    this.table = shared.hashes ? new BlockTable(words, !isReduced(shape), most) : undefined;
    this.state = new Int32Array(words);
  }

  /** Makes the initial state the first level, unless it violates a property. For the first thread, before it runs. */
  begin(initial: Int32Array): void {
    const { control, stopAtDepth, lists } = this.shared;
    if (this.learner.violates(initial)) return this.stop(place.BAD);
    if (!this.heed(this.learner.collapse(initial, this.out))) return;
    if (!this.kernel.canonical(this.out, 0, this.known)) {
      if (!this.heed(this.learner.learnImages(this.out, 0))) return;
      this.kernel.canonical(this.out, 0, this.known);
    }
    this.kernel.enter(this.out, 0, this.known);
    this.insert(batchStride(this.shared.words), lists[0][0]);
    control[place.endOf(0, 0)] = this.end;
    control[place.UP_TO_LEVEL] = 1;
    if (stopAtDepth === 0) this.stop(place.TOO_DEEP);
  }

  /** Waits to be let in, which happens between two levels. */
  join(): void {
    this.me = this.barrier.join();
    this.parity = this.shared.control[place.DEPTH] & 1;
  }

  /** Until somebody says stop. */
  run(): void {
    while (!this.barrier.isStopped) {
      this.level();
      this.barrier.arrive(() => this.nextLevel());
      this.parity ^= 1;
    }
  }

  stop(reason: number): void {
    this.barrier.stop(reason);
  }

  private level(): void {
    const { threads, lists, control } = this.shared;
    const chunk = CHUNK * this.stride;
    let n = 0;
    this.base = this.base + this.end > MOST_BASE ? FIRST_BASE : this.base + this.end;
    this.end = 0;
    for (let k = 0; k < threads; k++) {
      const owner = (this.me + k) % threads;
      const end = control[place.endOf(owner, this.parity)];
      for (;;) {
        const from = add(control, place.cursorOf(owner), chunk);
        if (from >= end) break;
        n = this.expand(lists[owner][this.parity], from, Math.min(from + chunk, end), n);
        if (n < 0) return;
      }
    }
    this.flush(n);
    control[place.endOf(this.me, this.parity ^ 1)] = this.end;
  }

  /**
   * Expands the words from..to-1 of a list into the batch, which holds n words. Answers the new n, or -1 if the search
   * is over.
   */
  private expand(list: Int32Array, from: number, to: number, held: number): number {
    const { kernel, out, result, known } = this;
    const { reportsDeadlock } = this.shared;
    const limit = BATCH * batchStride(this.shared.words);
    let n = held;
    for (let i = from; i < to; ) {
      n = kernel.expand(list, i, to, out, n, limit, result, reportsDeadlock, known);
      i = result[R_POSITION];
      this.transitions += result[R_TRANSITIONS];
      if (!this.heed(this.lesson(list, i))) return -1;
      if (n < limit) continue;
      if (!this.flush(n)) return -1;
      n = 0;
    }
    return n;
  }

  /** Learns what the kernel has stopped for at an entry, if it has. */
  private lesson(list: Int32Array, entry: number): Lesson {
    const { result, learner, out } = this;
    switch (result[R_REASON]) {
      case REASON_DEAD:
        return { kind: 'bad' };
      case REASON_UNKNOWN:
        return learner.learn(this.stateOf(list, entry, result[R_STOPPED]), 0);
      case REASON_NO_IMAGE:
        return learner.learnImages(out, result[R_STOPPED]);
      default:
        return LEARNT;
    }
  }

  /** One state of the block of an entry. */
  private stateOf(list: Int32Array, entry: number, number: number): Int32Array {
    const { state } = this;
    const { cpus } = this.shared.learnable.slots;
    const { word, shift } = cpus[cpus.length - 1];
    state.set(list.subarray(entry, entry + state.length));
    state[word] |= number << shift;
    return state;
  }

  /** Answers whether the search goes on. */
  private heed(lesson: Lesson): boolean {
    const { control } = this.shared;
    if (lesson.kind === 'learnt') return true;
    if (lesson.kind === 'bad') this.stop(place.BAD);
    else if (lesson.kind === 'reserve') this.stop(place.NO_REGION);
    else if (compareExchange(control, place.FOUND, 0, 1) === 0) {
      const isFull = lesson.kind === 'full';
      control[place.FOUND + 1] = isFull ? CAPACITIES.indexOf(lesson.what) : lesson.instance;
      if (!isFull) control.set(lesson.before, place.FOUND + 2);
      this.stop(isFull ? place.NEEDS_ROOM : place.NEEDS_CODE);
    }
    return false;
  }

  /** Marks the batch of n words; answers whether the search goes on. */
  private flush(n: number): boolean {
    const { lists } = this.shared;
    if (this.barrier.isStopped) return false;
    const list = lists[this.me][this.parity ^ 1];
    // A successor makes one entry at most.
    if (this.end + (n / batchStride(this.shared.words)) * this.stride > list.length || !this.hasRoom(n)) {
      this.stop(place.NO_MEMORY);
      return false;
    }
    this.insert(n, list);
    if (this.polls++ % POLL_EVERY === 0) {
      if (place.bytesOf(this.shared) > this.shared.memoryBytes) this.stop(place.NO_MEMORY);
      if (this.poll()) this.stop(place.INTERRUPTED);
    }
    return true;
  }

  /** Has the hash table, if there is one, room for the batch of n words beside the lists? */
  private hasRoom(n: number): boolean {
    if (this.table === undefined) return true;
    const lists = place.bytesOf(this.shared) - this.table.bytes;
    return this.table.reserve(n / batchStride(this.shared.words), this.shared.memoryBytes - lists);
  }

  private insert(n: number, list: Int32Array): void {
    const { states, pages, control } = this.shared;
    const { kernel, out, result, table } = this;
    if (table === undefined) {
      kernel.touch(states, out, n);
      this.end = this.mark(states, pages, out, n, list, this.end, this.base, result);
    } else this.end = table.mark(out, n, list, this.end, this.base, result);
    // The list counts as memory while it grows.
    control[place.endOf(this.me, this.parity ^ 1)] = this.end;
    control[place.statesOf(this.me)] += result[R_STATES];
    control[place.pagesOf(this.me)] += result[R_PAGES];
    control[place.transitionsOf(this.me)] = this.transitions % 2 ** 30;
    control[place.transitionsOf(this.me) + 1] = Math.floor(this.transitions / 2 ** 30);
  }

  private heedPoll(): void {
    if (this.polls++ % POLL_EVERY === 0 && this.poll()) this.stop(place.INTERRUPTED);
  }

  /** For the last thread that arrives at the end of a level. */
  private nextLevel(): void {
    const { control, threads, stopAtDepth } = this.shared;
    let states = 0;
    const units = Math.ceil(place.bytesOf(this.shared) / place.PEAK_UNIT);
    control[place.PEAK] = Math.max(control[place.PEAK], units);
    for (let t = 0; t < threads; t++) {
      states += control[place.statesOf(t)];
      store(control, place.cursorOf(t), 0);
    }
    control[place.LEVEL] = states - control[place.UP_TO_LEVEL];
    control[place.UP_TO_LEVEL] = states;
    if (control[place.LEVEL] === 0) return this.stop(place.DONE);
    control[place.DEPTH]++;
    if (control[place.DEPTH] === stopAtDepth) this.stop(place.TOO_DEEP);
  }
}
