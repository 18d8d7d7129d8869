/**
 * Ghost state: what the checker has to remember and the machine does not: open contexts with what they interrupted, the
 * thread that runs, the provenance of rsp. It is updated by hardware events, register loads and manifest addresses,
 * never by labels inside entry code, so code that nobody here has seen can be checked. All of it lies in one Int32Array
 * that the machine saves and restores with its own marks.
 *
 *   [ per CPU: CPU_WORDS ] * cpus   [ per thread: THREAD_WORDS ] * (tasks + cpus)
 *   thread: depth, rsp saved, user GS base, then MAX_CONTEXTS contexts of CTX_WORDS
 */

import { GS } from '../../emulator/registers';

/** One more than L3 allows, and one for the delivery that violates it. */
const MAX_CONTEXTS = 8;

// Words of a CPU.
/** Thread whose threadsp rsp was last loaded from. */
export const RUNNING = 0;
/** An NMI arrived while an NMI context was open, and the handler has not begun since. */
export const NMI_AGAIN = 1;
/**
 * An NMI was delivered while an NMI context on the IST stack was open, and that one has neither repeated nor returned
 * since.
 */
export const NMI_REPEAT = 16;
/** rsp holds a value read from CR3. */
export const CR3_IN_RSP = 2;
/**
 * What the environment was after the last instruction: CPL0 with user half, CPL0 with a GS base other than the
 * kernel's, IF.
 */
export const USER_HALF = 3;
export const USER_GS = 4;
export const INTERRUPTS = 5;
export const STACK = 6;
/** The innermost context is on its way to its body. */
export const ENTERING = 7;
/** The NMI handler of the manifest runs: its return address slot, as the rsp after its return; 0 if it does not run. */
export const HANDLER_RSP_LO = 8;
export const HANDLER_RSP_HI = 9;
/**
 * The count of retired instructions (modulo 2^32) at the last event, return to user mode, context switch or choice
 * (L1).
 */
export const PROGRESS_AT = 10;
/** Retired instructions with an NMI pending that no context explains (L2). */
export const SINCE_PENDING = 11;
/** rsp is the user's, whatever region its value lies in: since SYSCALL, or loaded back on the way out. */
export const USER_RSP = 18;
/**
 * Bounds within which the implicit stack accesses of this CPU are known to be legal: high word, low word of the start,
 * sizes. 0 size: unknown.
 */
export const LEGAL_HI = 12;
export const LEGAL_LO = 13;
export const LEGAL_POP_BYTES = 14;
export const LEGAL_PUSH_BYTES = 15;
/** The innermost context has ended by a bad IRET, and the next delivery takes over its frame. */
export const HANDS_OVER = 17;
/** All of the environment in one word: the abstract state may have changed when it has. */
export const ENVIRONMENT = 19;
/** An NMI was delivered while no NMI context was open, and the handler has not begun since. */
export const NMI_OWED = 20;
export const CPU_WORDS = 21;

// Words of a thread.
export const DEPTH = 0;
/** rsp has been stored to the threadsp of this thread since it began to run. */
export const RSP_SAVED = 1;
export const USER_GS_LO = 2;
export const USER_GS_HI = 3;
const CONTEXTS = 4;

// Words of a context.
export const CTX_KIND = 0;
export const CTX_BODY = 1;
export const CTX_FROM_USER = 2;
export const CTX_FROM_USER_HALF = 3;
export const CTX_FROM_USER_GS = 4;
export const CTX_FROM_INTERRUPTS = 5;
export const CTX_FROM_STACK = 6;
/** Stack kind of the live hardware frame, 0 if none; its lowest address and length in bytes. */
export const CTX_FRAME = 7;
export const CTX_FRAME_LO = 8;
export const CTX_FRAME_HI = 9;
export const CTX_FRAME_BYTES = 10;
export const CTX_VECTOR = 11;
export const CTX_SP2_LO = 12;
export const CTX_SP2_HI = 13;
export const CTX_CPU = 14;
export const CTX_RFLAGS = 15;
/** Error code that was pushed (-1: none) and CR2 after the delivery. */
export const CTX_ERROR = 16;
export const CTX_CR2_LO = 17;
export const CTX_CR2_HI = 18;
/** The fault that opened the context, as its vector + 1; 0 where something else did. */
export const CTX_FAULT = 19;
/** The registers at the interrupted point, to the last selector: the first SNAPSHOT_WORDS words of `cpu.r`. */
export const CTX_REGISTERS = 20;
export const SNAPSHOT_WORDS = GS + 1;
export const CTX_WORDS = CTX_REGISTERS + SNAPSHOT_WORDS;
const THREAD_WORDS = CONTEXTS + MAX_CONTEXTS * CTX_WORDS;

/** Word offsets into the ghost array. */
export class Ghost {
  readonly words: Int32Array;
  readonly cpus: number;
  readonly threads: number;

  constructor(cpus: number, tasks: number) {
    this.cpus = cpus;
    this.threads = tasks + cpus;
    this.words = new Int32Array(cpus * CPU_WORDS + this.threads * THREAD_WORDS);
  }

  /** First word of CPU c. */
  cpu(c: number): number {
    return c * CPU_WORDS;
  }

  /** First word of thread t. */
  thread(t: number): number {
    return this.cpus * CPU_WORDS + t * THREAD_WORDS;
  }

  /** First word of context k of thread t. */
  context(t: number, k: number): number {
    return this.thread(t) + CONTEXTS + k * CTX_WORDS;
  }

  running(c: number): number {
    return this.words[c * CPU_WORDS + RUNNING];
  }

  depth(t: number): number {
    return this.words[this.thread(t) + DEPTH];
  }

  /** First word of the innermost context of thread t, or -1. */
  innermost(t: number): number {
    const depth = this.depth(t);
    return depth === 0 ? -1 : this.context(t, depth - 1);
  }

  /** Opens a context and answers its first word. The caller fills it; all its words are 0. */
  open(t: number): number {
    const at = this.context(t, this.depth(t));
    this.words[this.thread(t) + DEPTH]++;
    return at;
  }

  /** Closes the innermost context. */
  close(t: number): void {
    const at = this.innermost(t);
    this.words.fill(0, at, at + CTX_WORDS);
    this.words[this.thread(t) + DEPTH]--;
  }
}
