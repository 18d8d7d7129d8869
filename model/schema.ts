/**
 * The state of the abstract machine, one literal: each field with its sort. Packing, symmetry, the exported types and
 * the abstraction function of the refinement read it. It has no program counter: a state is what a design can be judged
 * by, and is exactly the range of the abstraction function.
 *
 * A *thread* is a user task (0 .. tasks-1) or the idle thread of a CPU (tasks + cpu). Open contexts belong to the
 * thread that runs them, so a context switch moves none of them. The values of a context from user mode are fixed (user
 * half, user GS, IF=1, user stack); `from*` records what a context interrupted in the kernel.
 */

import {
  bool,
  global,
  mm,
  perContext,
  perCpu,
  perThread,
  range,
  type State as StateOf,
  thread,
  UNLIMITED,
} from './checker/language/schema-types';
import { KINDS, STACKS } from './kinds';

/** Values of a counter of events that has this bound. One of a single value takes no bit of a state. */
export function eventCounts(bound: number): number {
  return bound === UNLIMITED ? 1 : bound + 1;
}

export const schema = {
  /** CPL is 3. */
  user: perCpu(bool),
  /** CR3 is on the user half of the page-table pair (never in a design with one table). */
  userHalf: perCpu(bool),
  /** Address space that CR3 belongs to. */
  mm: perCpu(mm),
  /** GS base is the user's. */
  userGs: perCpu(bool),
  /** RFLAGS.IF. The STI and MOV SS shadows only delay a delivery, which is a stutter. */
  interrupts: perCpu(bool),
  nmiBlocked: perCpu(bool),
  nmiPending: perCpu(bool),
  /** An NMI was delivered while an NMI context was open, and the NMI handler has not begun since (ghost). */
  nmiAgain: perCpu(bool),
  /** An NMI was delivered while an NMI context on the IST stack was open: its IRETQ may lead to the repeat (ghost). */
  nmiRepeat: perCpu(bool),
  /** Region that rsp is in. */
  stack: perCpu(range(STACKS)),
  /** Thread whose threadsp rsp was last loaded from (ghost). */
  running: perCpu(thread),
  /** Per-CPU `current`. */
  current: perCpu(thread),
  /** Per-CPU top_of_stack, as the thread that it belongs to. */
  top: perCpu(thread),
  /**
   * Thread whose PTI stack (an idle thread: whose only stack) TSS.sp0 points to. In designs with a per-CPU entry stack
   * sp0 never changes and is the CPU's own: its idle thread stands for that.
   */
  sp0: perCpu(thread),
  /** Number of open contexts. */
  depth: perThread(range((b) => b.nesting + 1)),
  /** Stack that threadsp of a thread points into; 0 while the thread runs. */
  savedStack: perThread(range(STACKS)),
  kind: perThread(perContext(range(KINDS))),
  /** The context has reached its body: instrumentable code (ghost). */
  body: perThread(perContext(bool)),
  fromUser: perThread(perContext(bool)),
  fromUserHalf: perThread(perContext(bool)),
  fromUserGs: perThread(perContext(bool)),
  fromInterrupts: perThread(perContext(bool)),
  fromStack: perThread(perContext(range(STACKS))),
  /** Stack that holds the live hardware frame of the context; 0 if it has none (any more). */
  frame: perThread(perContext(range(STACKS))),
  /** Events that the search may still raise; not part of the abstraction. Unlimited ones are not counted: always 0. */
  irqsLeft: global(range((b) => eventCounts(b.irqs))),
  nmisLeft: global(range((b) => eventCounts(b.nmis))),
} as const;

export type State = StateOf<typeof schema>;
export type { Cpu, Mm, Thread } from './checker/language/schema-types';
