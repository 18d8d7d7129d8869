/**
 * One thread of a parallel search. There is no exchange of states and no owner of a state: all threads insert into one table. A level ends at a
 * barrier; whoever waits there is asked to help when the table grows, which stops everybody.
 *
 *   pull 256 states (own list first) -> expand into the batch -> [grow?] -> insert; what is new goes to the own list of the next level
 */
import { markedInstance, markedProperty, NO_CELL, NO_CODE } from '../../translate/packed/marker';
import { CROWDED, type Kernel, MARKED, R_DEAD, R_POSITION, R_STOPPED, R_VERDICT } from './kernel';
import { MAX_SUCCESSOR_WORDS, RECENT } from './search-engine';
import * as place from './shared-search';
import { GUARD, type Shared } from './shared-search';

const CHUNK = 256;
const BATCH = 1024;
const GROW_AT = 0.75;
const FULL_AT = 0.9;
/** Slots that one thread moves at a time. */
const PART = 1 << 12;
/** Looks at a barrier that long before it sleeps. */
const SPINS = 2000;
const NAP_MS = 2;
const POLL_EVERY = 32;

const { add, load, store, compareExchange, wait, notify } = Atomics;

export class SearchThread {
  private readonly shared: Shared;
  /** 0 is the first thread; the others get their numbers when they join. */
  private me = 0;
  private readonly kernel: Kernel;
  private readonly poll: () => boolean;
  private readonly out: Int32Array;
  private readonly homes: Int32Array;
  private readonly result = new Int32Array(4);
  private readonly recent: Int32Array;
  private parity = 0;
  private end = 0;
  private transitions = 0;
  private polls = 0;

  /** `poll` is asked between batches now and then whether to stop. */
  constructor(shared: Shared, poll: () => boolean) {
    this.shared = shared;
    this.poll = poll;
    this.kernel = new Function(shared.kernelSource)() as Kernel;
    this.recent = new Int32Array(RECENT * shared.words);
    this.out = new Int32Array(BATCH * shared.words + MAX_SUCCESSOR_WORDS);
    this.homes = new Int32Array(this.out.length / shared.words + 1);
  }

  /** Makes the initial state the first level; answers false if it violates a property. For the first thread, before it runs. */
  begin(initial: Int32Array): boolean {
    const { control, table, lists, stopAtDepth } = this.shared;
    this.out.set(initial);
    this.kernel.prepare(table, this.out, 1, this.homes, 32 - control[place.SLOTS_LOG]);
    control[place.endOf(0, 0)] = this.kernel.insertShared(
      table,
      this.out,
      0,
      1,
      this.homes,
      lists[0][0],
      0,
      table.length,
      this.result,
    );
    control[place.statesOf(0)] = 1;
    if (stopAtDepth === 0) this.stop(place.TOO_DEEP);
    if (this.result[R_STOPPED] === 1) return true;
    this.stop(place.BAD);
    return false;
  }

  /** Waits to be let in, which happens between two levels. */
  join(): void {
    const { control } = this.shared;
    this.me = add(control, place.READY, 1) + 1;
    while (load(control, place.ACTIVE) <= this.me && !this.stopped())
      wait(control, place.ACTIVE, load(control, place.ACTIVE), NAP_MS);
    this.parity = control[place.DEPTH] & 1;
  }

  /** Until somebody says stop. */
  run(): void {
    const { control } = this.shared;
    while (load(control, place.STOP) === place.RUNNING) {
      this.level();
      this.endOfLevel();
      this.parity ^= 1;
    }
  }

  stop(reason: number): void {
    const { control } = this.shared;
    compareExchange(control, place.STOP, place.RUNNING, reason);
    notify(control, place.GENERATION);
    notify(control, place.GROW_GENERATION);
  }

  private stopped(): boolean {
    return load(this.shared.control, place.STOP) !== place.RUNNING;
  }

  private level(): void {
    const { threads, words, lists, control } = this.shared;
    const { kernel, out, result, parity } = this;
    let n = 0;
    this.end = 0;
    for (let k = 0; k < threads; k++) {
      const owner = (this.me + k) % threads;
      const list = lists[owner][parity];
      const end = control[place.endOf(owner, parity)];
      for (;;) {
        const from = add(control, place.cursorOf(owner), CHUNK * words);
        if (from >= end) break;
        const to = Math.min(from + CHUNK * words, end);
        for (let i = from; i < to; ) {
          result[R_DEAD] = 0;
          n = kernel.expand(list, i, to, out, n, BATCH * words, result, this.shared.reportsDeadlock);
          i = result[R_POSITION];
          if (result[R_DEAD] === 1) return this.stop(place.BAD);
          if (n < BATCH * words) continue;
          if (!this.flush(n)) return;
          n = 0;
        }
      }
    }
    this.flush(n);
  }

  /** Inserts the batch; answers whether the search goes on. */
  private flush(n: number): boolean {
    const { words, control } = this.shared;
    const { me } = this;
    const m = n / words;
    if (load(control, place.GROWING) === 1) this.grow();
    const room = this.room(m);
    if (!room || this.stopped()) return false;
    const list = this.shared.lists[me][this.parity ^ 1];
    if (this.end + n > list.length) {
      this.stop(place.NO_MEMORY);
      return false;
    }
    const goesOn = this.insert(m, list);
    if (this.polls++ % POLL_EVERY === 0 && this.poll()) this.stop(place.INTERRUPTED);
    return goesOn;
  }

  private insert(all: number, list: Int32Array): boolean {
    const { words, table, control } = this.shared;
    const { kernel, out, homes, result } = this;
    const m = kernel.filter(out, all, this.recent);
    for (let j = 0; j < m; ) {
      const slotsLog = control[place.SLOTS_LOG];
      kernel.prepare(table, out, m, homes, 32 - slotsLog);
      const before = this.end;
      this.end = kernel.insertShared(
        table,
        out,
        j,
        m,
        homes,
        list,
        this.end,
        (2 ** slotsLog + GUARD - 1) * words,
        result,
      );
      add(control, place.statesOf(this.me), (this.end - before) / words);
      j = result[R_STOPPED];
      if (j === m) break;
      if (result[R_VERDICT] !== CROWDED) {
        this.found(j * words, result[R_VERDICT]);
        return false;
      }
      if (!this.requestGrowth()) {
        this.stop(place.NO_MEMORY);
        return false;
      }
    }
    this.transitions += all;
    control[place.transitionsOf(this.me)] = this.transitions % 2 ** 30;
    control[place.transitionsOf(this.me) + 1] = Math.floor(this.transitions / 2 ** 30);
    return true;
  }

  /** Something is wrong with a successor. A value without a code is described; anything else a search in order will find again. */
  private found(at: number, verdict: number): void {
    const { out } = this;
    const { control, words } = this.shared;
    const property = verdict === MARKED ? markedProperty(out[at]) : verdict;
    if (property !== NO_CODE && property !== NO_CELL) return this.stop(place.BAD);
    if (compareExchange(control, place.FOUND, 0, 1) !== 0) return;
    control[place.FOUND + 1] = markedInstance(out[at]);
    for (let w = 0; w < words; w++) control[place.FOUND + 2 + w] = out[at + words + w];
    this.stop(property === NO_CODE ? place.NEEDS_CODE : place.CRASHED);
  }

  private states(): number {
    let states = 0;
    for (let t = 0; t < this.shared.threads; t++) states += load(this.shared.control, place.statesOf(t));
    return states;
  }

  /** Makes room for m more states of each thread. */
  private room(m: number): boolean {
    const { control, threads } = this.shared;
    for (;;) {
      const slots = 2 ** control[place.SLOTS_LOG];
      const wanted = this.states() + m + (threads - 1) * BATCH * 2;
      if (wanted <= slots * GROW_AT) return true;
      if (this.requestGrowth()) continue;
      if (wanted <= slots * FULL_AT) return true;
      this.stop(place.NO_MEMORY);
      return false;
    }
  }

  /** Answers false if the table is as large as it may be. */
  private requestGrowth(): boolean {
    const { control, maxSlotsLog } = this.shared;
    if (this.stopped() || control[place.SLOTS_LOG] >= maxSlotsLog) return false;
    compareExchange(control, place.GROWING, 0, 1);
    notify(control, place.GENERATION);
    this.grow();
    return true;
  }

  /** The end of a level: the last thread to arrive prepares the next one. */
  private endOfLevel(): void {
    const { control } = this.shared;
    control[place.endOf(this.me, this.parity ^ 1)] = this.end;
    const generation = load(control, place.GENERATION);
    if (add(control, place.ARRIVED, 1) === load(control, place.ACTIVE) - 1) {
      store(control, place.ARRIVED, 0);
      this.nextLevel();
      add(control, place.GENERATION, 1);
      notify(control, place.GENERATION);
      return;
    }
    this.waitFor(place.GENERATION, generation, () => {
      if (load(control, place.GROWING) === 1) this.grow();
      if (this.polls++ % POLL_EVERY === 0 && this.poll()) this.stop(place.INTERRUPTED);
    });
  }

  private nextLevel(): void {
    const { control, threads, stopAtDepth } = this.shared;
    let fresh = 0;
    for (let t = 0; t < threads; t++) {
      fresh += control[place.endOf(t, this.parity ^ 1)];
      store(control, place.cursorOf(t), 0);
    }
    if (fresh === 0) return this.stop(place.DONE);
    control[place.DEPTH]++;
    if (control[place.DEPTH] === stopAtDepth) this.stop(place.TOO_DEEP);
    // Threads that are ready by now take part from here on.
    store(control, place.ACTIVE, 1 + load(control, place.READY));
    notify(control, place.ACTIVE);
  }

  /** Until the counter at `where` is no longer what it was, or the search stops. */
  private waitFor(where: number, was: number, meanwhile?: () => void): void {
    const { control } = this.shared;
    for (let spin = 0; load(control, where) === was && !this.stopped(); spin++) {
      meanwhile?.();
      if (spin > SPINS) wait(control, where, was, NAP_MS);
    }
  }

  private growBarrier(atLast?: () => void): void {
    const { control } = this.shared;
    const generation = load(control, place.GROW_GENERATION);
    if (add(control, place.GROW_ARRIVED, 1) === load(control, place.ACTIVE) - 1) {
      atLast?.();
      store(control, place.GROW_ARRIVED, 0);
      add(control, place.GROW_GENERATION, 1);
      notify(control, place.GROW_GENERATION);
    } else this.waitFor(place.GROW_GENERATION, generation);
  }

  /**
   * Doubles the table in place, all threads together: the upper half of the slots moves to the new half, then the quarter below it to where that was, and so
   * on. Each step writes where nothing is left to read, so its parts can be moved in any order. What finds no place waits until the end.
   */
  private grow(): void {
    const { table, control, words } = this.shared;
    const { kernel } = this;
    const slotsLog = control[place.SLOTS_LOG];
    const slots = 2 ** slotsLog;
    const shift = 32 - (slotsLog + 1);
    const waiting: number[] = [];
    this.growBarrier();
    if (this.me === 0) kernel.take(table, slots, slots + GUARD, waiting);
    let top = slots;
    for (; top > PART; top /= 2) {
      this.growBarrier(() => store(control, place.GROW_CURSOR, top / 2));
      for (let from = add(control, place.GROW_CURSOR, PART); from < top; from = add(control, place.GROW_CURSOR, PART))
        kernel.move(table, from, Math.min(from + PART, top), top === slots, shift, waiting);
    }
    this.growBarrier();
    if (this.me === 0) kernel.take(table, 0, top, waiting);
    this.growBarrier();
    // A search that has been stopped meanwhile leaves a table that nobody will look at.
    if (this.stopped()) return;
    kernel.putBack(table, waiting, shift, (2 * slots + GUARD - 1) * words);
    this.growBarrier(() => {
      store(control, place.SLOTS_LOG, slotsLog + 1);
      store(control, place.GROWING, 0);
    });
  }
}
