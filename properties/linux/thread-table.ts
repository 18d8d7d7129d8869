/**
 * The threads of a kernel that have run since the checker began to look, by small numbers. A thread that has died gives
 * its number back; where there are more threads than numbers, the one that has not run for longest is forgotten, and is
 * a new one when it runs again.
 *
 * What is remembered of each lies in one array, which a mark saves and a rollback restores; everything else is derived
 * from it.
 *
 *   [ version | clock ]  [ task low | high | stack low | high | last left, 0: free ] * MOST_THREADS
 */
import { toVa, vaHi, vaLo } from '../../emulator/words';
import { KERNEL } from '../../model/kinds';
import type { StackRegion } from '../guest/regions';
import type { KernelMemory } from './kernel-memory';
import type { TaskLayout } from './task-layout';

/** Threads that are known at a time. */
export const MOST_THREADS = 64;

type Layout = Pick<TaskLayout, 'stackOf' | 'stackBytes' | 'threadSp'>;

const VERSION = 0,
  CLOCK = 1,
  FIRST = 2;
const TASK = 0,
  STACK = 2,
  USED = 4,
  SLOT_WORDS = 5;
/** In the place of an address of a number that no thread has. */
const NONE = -1;

export class ThreadTable {
  readonly state = new Int32Array(FIRST + MOST_THREADS * SLOT_WORDS);
  /** By thread: its task structure and the words in it that are asked for. */
  readonly task: number[] = new Array<number>(MOST_THREADS).fill(NONE);
  readonly threadspVa: number[] = new Array<number>(MOST_THREADS).fill(NONE);
  readonly threadspPa: number[] = new Array<number>(MOST_THREADS).fill(NONE);
  /** The stack of each. */
  regions: readonly StackRegion[] = [];
  private readonly memory: Pick<KernelMemory, 'near'>;
  private readonly layout: Layout;
  /** The version that everything is derived from. */
  private derived = 0;
  private readonly stacks: (StackRegion | undefined)[] = new Array<undefined>(MOST_THREADS).fill(undefined);
  private readonly byEnd = new Map<number, StackRegion>();
  /** Versions are never used twice, so that one of before a rollback is not taken for one of afterwards. */
  private serial = 0;

  constructor(memory: Pick<KernelMemory, 'near'>, layout: Layout) {
    this.memory = memory;
    this.layout = layout;
  }

  /** The state is another one than what is derived from it: derives it anew. */
  rolledBack(): boolean {
    if (this.state[VERSION] === this.derived) return false;
    this.derive();
    return true;
  }

  find(task: number): number {
    return this.task.indexOf(task);
  }

  /** A thread becomes known; `isBusy` says which numbers belong to threads that run. */
  add(task: number, isBusy: (t: number) => boolean): number {
    const t = this.free(isBusy);
    const at = FIRST + t * SLOT_WORDS;
    const stack = this.layout.stackOf(task);
    const { state } = this;
    state[at + TASK] = vaLo(task);
    state[at + TASK + 1] = vaHi(task);
    state[at + STACK] = vaLo(stack);
    state[at + STACK + 1] = vaHi(stack);
    this.left(t);
    this.changed();
    return t;
  }

  /** A CPU has left the thread. */
  left(t: number): void {
    this.state[CLOCK]++;
    this.state[FIRST + t * SLOT_WORDS + USED] = this.state[CLOCK];
  }

  remove(t: number): void {
    this.state.fill(0, FIRST + t * SLOT_WORDS, FIRST + (t + 1) * SLOT_WORDS);
    this.changed();
  }

  /** The stack of a thread that a stack pointer is in. */
  regionOf(rsp: number): StackRegion | undefined {
    return this.byEnd.get(Math.ceil(rsp / this.layout.stackBytes));
  }

  stackOf(t: number): StackRegion | undefined {
    return this.stacks[t];
  }

  private free(isBusy: (t: number) => boolean): number {
    let oldest = -1;
    let when = Number.POSITIVE_INFINITY;
    for (let t = 0; t < MOST_THREADS; t++) {
      const used = this.state[FIRST + t * SLOT_WORDS + USED];
      if (used === 0) return t;
      if (used >= when || isBusy(t)) continue;
      oldest = t;
      when = used;
    }
    return oldest;
  }

  private changed(): void {
    this.state[VERSION] = ++this.serial;
    this.derive();
  }

  private derive(): void {
    const { state, layout } = this;
    this.derived = state[VERSION];
    this.byEnd.clear();
    for (let t = 0; t < MOST_THREADS; t++) {
      const at = FIRST + t * SLOT_WORDS;
      const known = state[at + USED] !== 0;
      const task = known ? toVa(state[at + TASK], state[at + TASK + 1]) : NONE;
      const start = toVa(state[at + STACK], state[at + STACK + 1]);
      if (this.task[t] !== task || this.stacks[t]?.start !== start) this.stacks[t] = this.stackAt(t, start, known);
      this.task[t] = task;
      this.threadspVa[t] = known ? task + layout.threadSp : NONE;
      this.threadspPa[t] = known ? this.memory.near(task) + layout.threadSp : NONE;
      const region = this.stacks[t];
      if (region !== undefined) this.byEnd.set(region.end / layout.stackBytes, region);
    }
    this.regions = this.stacks.filter((region) => region !== undefined);
  }

  private stackAt(t: number, start: number, known: boolean): StackRegion | undefined {
    if (!known) return undefined;
    return { kind: KERNEL, thread: t, cpu: -1, start, end: start + this.layout.stackBytes, name: `kernel(t${t})` };
  }
}
