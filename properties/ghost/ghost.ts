/**
 * Ghost state: what the checker has to remember and the machine does not: open contexts with what they interrupted, the
 * thread that runs, the provenance of rsp. It is updated by hardware events, register loads and manifest addresses,
 * never by labels inside entry code, so code that nobody here has seen can be checked. All of it lies in one Int32Array
 * that the machine saves and restores with its own marks.
 *
 *   [ per CPU: CPU_WORDS ] * cpus   [ per thread: THREAD_WORDS ] * (tasks + cpus)
 *   thread: depth, rsp saved, user GS base, table root, then MAX_CONTEXTS contexts of CTX_WORDS
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
/** After the last instruction: CPL0 with the user half. */
export const USER_HALF = 3;
/** After the last instruction: CPL0 with a GS base other than the kernel's. */
export const USER_GS = 4;
/** After the last instruction: IF. */
export const INTERRUPTS = 5;
/** After the last instruction: the stack that rsp is in (model/kinds.ts). */
export const STACK = 6;
/** The innermost context is on its way to its body: 0 if not, and else how far it is. */
export const ENTERING = 7;
/** Of ENTERING: no branch has led out of entry text yet, or one has. */
export const BY_ENTRY_TEXT = 1,
  BEYOND_ENTRY_TEXT = 2;
/** The NMI handler of the manifest runs: its return address slot, as the rsp after its return; 0 if it does not run. */
export const HANDLER_RSP_LO = 8;
/** High word of HANDLER_RSP_LO. */
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
/** Low word of their start. */
export const LEGAL_LO = 13;
/** Bytes in which an access that is no push is legal. */
export const LEGAL_POP_BYTES = 14;
/** Bytes in which a push is legal. */
export const LEGAL_PUSH_BYTES = 15;
/** The innermost context has ended by a bad IRET, and the next delivery takes over its frame. */
export const HANDS_OVER = 17;
/** All of the environment in one word: the abstract state may have changed when it has. */
export const ENVIRONMENT = 19;
/** An NMI was delivered while no NMI context was open, and the handler has not begun since. */
export const NMI_OWED = 20;
/** The PCIDs whose user half was to be flushed at some time, and was not since, a bit each (S15). */
export const FLUSH_OWED = 21;
/** VERW was executed since the CPU last went to user mode, or to another thread (S27). */
export const BUFFERS_CLEARED = 22;
/** Words of each CPU. */
export const CPU_WORDS = 23;

// Words of a thread.
/** Open contexts of the thread. */
export const DEPTH = 0;
/** rsp has been stored to the threadsp of this thread since it began to run. */
export const RSP_SAVED = 1;
/** GS base of the task in user mode, low word. */
export const USER_GS_LO = 2;
/** GS base of the task in user mode, high word. */
export const USER_GS_HI = 3;
/** Root of the user table that was judged for the thread (S12), where tables are made while the machine runs. */
export const TABLE_ROOT = 4;
/** The first word of the first context. */
const CONTEXTS = 5;

// Words of a context.
/** System call, IRQ, #PF, #GP or NMI (model/kinds.ts). */
export const CTX_KIND = 0;
/** It has reached its body. */
export const CTX_BODY = 1;
/** It came from user mode. */
export const CTX_FROM_USER = 2;
/** It interrupted the kernel with the user half. */
export const CTX_FROM_USER_HALF = 3;
/** It interrupted the kernel with a GS base other than the kernel's. */
export const CTX_FROM_USER_GS = 4;
/** IF where it interrupted the kernel. */
export const CTX_FROM_INTERRUPTS = 5;
/** The stack that it interrupted (model/kinds.ts). */
export const CTX_FROM_STACK = 6;
/** Stack kind of the live hardware frame, 0 if none; its lowest address and length in bytes. */
export const CTX_FRAME = 7;
/** Lowest address of the frame, low word. */
export const CTX_FRAME_LO = 8;
/** Lowest address of the frame, high word. */
export const CTX_FRAME_HI = 9;
/** Length of the frame. */
export const CTX_FRAME_BYTES = 10;
/** The vector that was delivered; another value where nothing is to be compared with the registers kept here. */
export const CTX_VECTOR = 11;
/** The sp2 word where it interrupted, low word. */
export const CTX_SP2_LO = 12;
/** The sp2 word where it interrupted, high word. */
export const CTX_SP2_HI = 13;
/** The CPU that it was delivered on. */
export const CTX_CPU = 14;
/** RFLAGS where it interrupted. */
export const CTX_RFLAGS = 15;
/** Error code that was pushed (-1: none) and CR2 after the delivery. */
export const CTX_ERROR = 16;
/** CR2 after the delivery, low word. */
export const CTX_CR2_LO = 17;
/** CR2 after the delivery, high word. */
export const CTX_CR2_HI = 18;
/** The fault that opened the context, as its vector + 1; 0 where something else did. */
export const CTX_FAULT = 19;
/** The C function that handles it has begun (S28). */
export const CTX_HANDLED = 20;
/** The registers at the interrupted point, to the last selector: the first SNAPSHOT_WORDS words of `cpu.r`. */
export const CTX_REGISTERS = 21;
/** Registers that a context keeps, in words. */
export const SNAPSHOT_WORDS = GS + 1;
/** Words of each context. */
export const CTX_WORDS = CTX_REGISTERS + SNAPSHOT_WORDS;
/** Words of each thread. */
const THREAD_WORDS = CONTEXTS + MAX_CONTEXTS * CTX_WORDS;

/** Word offsets into the ghost array. */
export class Ghost {
  /** All of the ghost state. */
  readonly words: Int32Array;
  /** CPUs of the machine. */
  readonly cpus: number;
  /** User tasks, and the idle thread of each CPU. */
  readonly threads: number;

  /** A ghost state of zeros. */
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

  /** An implicit stack access of CPU c lies within the bounds that are known to be legal. */
  isKnownLegal(c: number, lo: number, hi: number, bytes: number, write: boolean): boolean {
    const { words } = this;
    const g = c * CPU_WORDS;
    const room = words[g + (write ? LEGAL_PUSH_BYTES : LEGAL_POP_BYTES)];
    return hi === words[g + LEGAL_HI] && ((lo - words[g + LEGAL_LO]) >>> 0) + bytes <= room;
  }

  /** The thread whose threadsp rsp of CPU c was last loaded from. */
  running(c: number): number {
    return this.words[c * CPU_WORDS + RUNNING];
  }

  /** Open contexts of thread t. */
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

  /** Forgets all of thread t, whose number another one gets. */
  clear(t: number): void {
    this.words.fill(0, this.thread(t), this.thread(t) + THREAD_WORDS);
  }

  /** Closes the innermost context. */
  close(t: number): void {
    const at = this.innermost(t);
    this.words.fill(0, at, at + CTX_WORDS);
    this.words[this.thread(t) + DEPTH]--;
  }
}
