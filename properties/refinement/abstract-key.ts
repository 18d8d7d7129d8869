/**
 * The abstract state as a key of few words, for comparing, hashing and remembering: what the abstraction computes, and
 * what a rule's result is compared with. It holds every field of the state but the counters of events left, and it is
 * shorter than a packed state because of a context stack only what is open is read. Closed contexts are all zero, on
 * both sides (`close` of the model's contexts and of the ghost).
 *
 *   CPU c, 6 halves:    | flags, stack | mm | running | current | top | sp0 |
 *   thread t, 1 + nesting halves, rounded up to whole words:
 *                       | depth, saved stack | context 0 | context 1 | ... |
 */

import type { Bounds } from '../../model/checker/language/schema-types';
import type { State } from '../../model/schema';

const CPU_HALVES = 6;
const CPU_WORDS = CPU_HALVES / 2;
const MM = 1;
const RUNNING = 2;
const CURRENT = 3;
const TOP = 4;
const SP0 = 5;

/** Bits of a stack kind. */
const STACK_MASK = 7;
/** Bits of a context's kind, and of the stack kinds behind it. */
const KIND_MASK = 7;

export class AbstractKey {
  /** For comparing and hashing: equal states have equal words. */
  readonly words: Uint32Array;
  private readonly halves: Uint16Array;
  private readonly cpus: number;
  private readonly threads: number;
  private readonly threadHalves: number;

  constructor({ cpus, tasks, nesting }: Pick<Bounds, 'cpus' | 'tasks' | 'nesting'>) {
    this.cpus = cpus;
    this.threads = tasks + cpus;
    this.threadHalves = (nesting + 2) & ~1;
    this.halves = new Uint16Array(cpus * CPU_HALVES + this.threads * this.threadHalves);
    this.words = new Uint32Array(this.halves.buffer);
  }

  /** Writes CPU `c`. `flags`: see `cpuFlags`. */
  setCpu(c: number, flags: number, mm: number, running: number, current: number, top: number, sp0: number): void {
    const halves = this.halves;
    const at = c * CPU_HALVES;
    halves[at] = flags;
    halves[at + MM] = mm;
    halves[at + RUNNING] = running;
    halves[at + CURRENT] = current;
    halves[at + TOP] = top;
    halves[at + SP0] = sp0;
  }

  /** Writes what the registers of CPU `c` and its ghosts say, and leaves what its pointers name. */
  setEnvironment(c: number, flags: number, mm: number, running: number): void {
    const halves = this.halves;
    const at = c * CPU_HALVES;
    halves[at] = flags;
    halves[at + MM] = mm;
    halves[at + RUNNING] = running;
  }

  /** Writes depth and saved stack of thread `t`, and clears the contexts that it has no more. */
  setThread(t: number, depth: number, savedStack: number): void {
    const halves = this.halves;
    const at = this.thread(t);
    const before = halves[at] >> 3;
    halves[at] = savedStack | (depth << 3);
    for (let k = depth; k < before; k++) halves[at + 1 + k] = 0;
  }

  /** Writes an open context. `word`: see `contextWord`. */
  setContext(t: number, k: number, word: number): void {
    this.halves[this.thread(t) + 1 + k] = word;
  }

  /** Writes the key of a state. */
  setState(s: State): void {
    for (let c = 0; c < this.cpus; c++)
      this.setCpu(c, flagsOf(s, c), s.mm[c], s.running[c], s.current[c], s.top[c], s.sp0[c]);
    for (let t = 0; t < this.threads; t++) {
      const depth = s.depth[t];
      this.setThread(t, depth, s.savedStack[t]);
      for (let k = 0; k < depth; k++) this.setContext(t, k, contextOf(s, t, k));
    }
  }

  /** CPU `c` of the state is that of the key. */
  holdsCpu(s: State, c: number): boolean {
    const halves = this.halves;
    const at = c * CPU_HALVES;
    return (
      halves[at] === flagsOf(s, c) &&
      halves[at + MM] === s.mm[c] &&
      halves[at + RUNNING] === s.running[c] &&
      halves[at + CURRENT] === s.current[c] &&
      halves[at + TOP] === s.top[c] &&
      halves[at + SP0] === s.sp0[c]
    );
  }

  /** Thread `t` of the state is that of the key. */
  holdsThread(s: State, t: number): boolean {
    const at = this.thread(t);
    if (this.halves[at] !== (s.savedStack[t] | (s.depth[t] << 3))) return false;
    for (let k = 0; k < s.depth[t]; k++) if (this.halves[at + 1 + k] !== contextOf(s, t, k)) return false;
    return true;
  }

  /** Reads the key into a state, whose closed contexts are zero as in every state of the model. */
  read(s: State): void {
    for (let c = 0; c < this.cpus; c++) this.readCpu(c, s);
    for (let t = 0; t < this.threads; t++) this.readThread(t, s);
  }

  /** Thread that CPU `c` runs. */
  running(c: number): number {
    return this.halves[c * CPU_HALVES + RUNNING];
  }

  /** The most words that `local` copies. */
  get localWords(): number {
    return CPU_WORDS + this.cpus + this.threadHalves;
  }

  /**
   * Copies CPU `c`, what each CPU runs, and the two threads `t` and `u`, which may be the same, into `into` from `at`
   * on; answers where the copy ends. A thread ends with its last open context. How many words there are follows from
   * the words, so of two different copies none is the beginning of the other.
   */
  local(c: number, t: number, u: number, into: Uint32Array, at: number): number {
    const { words } = this;
    const own = c * CPU_WORDS;
    let end = at;
    for (let i = 0; i < CPU_WORDS; i++) into[end++] = words[own + i];
    for (let k = 0; k < this.cpus; k++) into[end++] = this.running(k);
    end = this.localThread(t, into, end);
    return t === u ? end : this.localThread(u, into, end);
  }

  private localThread(t: number, into: Uint32Array, at: number): number {
    const first = this.thread(t);
    // The head and the open contexts are halves, and two of them are a word.
    const count = 1 + (this.halves[first] >> 4);
    for (let i = 0; i < count; i++) into[at + i] = this.words[(first >> 1) + i];
    return at + count;
  }

  /** All CPUs but `c` and all threads but `t` and `u` are the same. */
  agreesBeyond(other: AbstractKey, c: number, t: number, u: number): boolean {
    for (let k = 0; k < this.cpus; k++) if (k !== c && this.differs(other, k * CPU_HALVES, CPU_HALVES)) return false;
    for (let k = 0; k < this.threads; k++)
      if (k !== t && k !== u && this.differs(other, this.thread(k), this.threadHalves)) return false;
    return true;
  }

  equals(other: AbstractKey): boolean {
    const a = this.words;
    const b = other.words;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  private thread(t: number): number {
    return this.cpus * CPU_HALVES + t * this.threadHalves;
  }

  private differs(other: AbstractKey, halfAt: number, halves: number): boolean {
    const end = (halfAt + halves) >> 1;
    for (let w = halfAt >> 1; w < end; w++) if (this.words[w] !== other.words[w]) return true;
    return false;
  }

  /** Reads CPU `c` into a state. */
  readCpu(c: number, s: State): void {
    const halves = this.halves;
    const at = c * CPU_HALVES;
    const flags = halves[at];
    s.stack[c] = flags & STACK_MASK;
    s.user[c] = (flags >> 3) & 1;
    s.userHalf[c] = (flags >> 4) & 1;
    s.userGs[c] = (flags >> 5) & 1;
    s.interrupts[c] = (flags >> 6) & 1;
    s.nmiBlocked[c] = (flags >> 7) & 1;
    s.nmiPending[c] = (flags >> 8) & 1;
    s.nmiAgain[c] = (flags >> 9) & 1;
    s.nmiRepeat[c] = (flags >> 10) & 1;
    s.mm[c] = halves[at + MM];
    s.running[c] = halves[at + RUNNING];
    s.current[c] = halves[at + CURRENT];
    s.top[c] = halves[at + TOP];
    s.sp0[c] = halves[at + SP0];
  }

  /** Reads thread `t` into a state. */
  readThread(t: number, s: State): void {
    const at = this.thread(t);
    const head = this.halves[at];
    const depth = head >> 3;
    const before = s.depth[t];
    s.savedStack[t] = head & STACK_MASK;
    s.depth[t] = depth;
    for (let k = depth < before ? before - 1 : depth - 1; k >= 0; k--) {
      const word = this.halves[at + 1 + k];
      s.kind[t][k] = word & KIND_MASK;
      s.fromStack[t][k] = (word >> 3) & STACK_MASK;
      s.frame[t][k] = (word >> 6) & STACK_MASK;
      s.body[t][k] = (word >> 9) & 1;
      s.fromUser[t][k] = (word >> 10) & 1;
      s.fromUserHalf[t][k] = (word >> 11) & 1;
      s.fromUserGs[t][k] = (word >> 12) & 1;
      s.fromInterrupts[t][k] = (word >> 13) & 1;
    }
  }
}

function flagsOf(s: State, c: number): number {
  return cpuFlags(
    s.user[c],
    s.userHalf[c],
    s.userGs[c],
    s.interrupts[c],
    s.nmiBlocked[c],
    s.nmiPending[c],
    s.nmiAgain[c],
    s.nmiRepeat[c],
    s.stack[c],
  );
}

function contextOf(s: State, t: number, k: number): number {
  return contextWord(
    s.kind[t][k],
    s.body[t][k],
    s.fromUser[t][k],
    s.fromUserHalf[t][k],
    s.fromUserGs[t][k],
    s.fromInterrupts[t][k],
    s.fromStack[t][k],
    s.frame[t][k],
  );
}

/** Everything of a CPU that has few values, in one number of 11 bits. */
export function cpuFlags(
  user: number,
  userHalf: number,
  userGs: number,
  interrupts: number,
  nmiBlocked: number,
  nmiPending: number,
  nmiAgain: number,
  nmiRepeat: number,
  stack: number,
): number {
  return (
    stack |
    (user << 3) |
    (userHalf << 4) |
    (userGs << 5) |
    (interrupts << 6) |
    (nmiBlocked << 7) |
    (nmiPending << 8) |
    (nmiAgain << 9) |
    (nmiRepeat << 10)
  );
}

/** A context in one number of 14 bits. */
export function contextWord(
  kind: number,
  body: number,
  fromUser: number,
  fromUserHalf: number,
  fromUserGs: number,
  fromInterrupts: number,
  fromStack: number,
  frame: number,
): number {
  return (
    kind |
    (fromStack << 3) |
    (frame << 6) |
    (body << 9) |
    (fromUser << 10) |
    (fromUserHalf << 11) |
    (fromUserGs << 12) |
    (fromInterrupts << 13)
  );
}
