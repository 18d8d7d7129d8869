/**
 * What the rules ask of a state. Every helper is one expression: the rule language has no loops, and a translator
 * inlines them.
 */

import { exists } from '../checker/language/quantifiers';
import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { ENTRY, NMI, NMI_STACK } from '../kinds';
import type { Cpu, Mm, State, Thread } from '../schema';

/** Address space of a user task (the tasks take the address spaces in turn). */
export function mmOf(b: Bounds, t: Thread): Mm {
  return t % b.mms;
}

export function isTask(b: Bounds, t: Thread): boolean {
  return t < b.tasks;
}

/**
 * An NMI is pending and not blocked: it is the next thing to happen on this CPU, before an IRQ, and before the next
 * instruction is fetched or can fault (SDM vol. 3, 6.9). An IRET that unblocks leads here, and nothing but
 * `latched-nmi` leads on.
 */
export function nmiDue(s: State, c: Cpu): boolean {
  return s.nmiPending[c] === 1 && s.nmiBlocked[c] === 0;
}

/** In the kernel, and the next thing to happen on this CPU is an instruction. */
export function executes(s: State, c: Cpu): boolean {
  return s.user[c] === 0 && !nmiDue(s, c);
}

/** The same in user mode. */
export function executesUser(s: State, c: Cpu): boolean {
  return s.user[c] === 1 && !nmiDue(s, c);
}

/** The innermost open context of thread t; only where depth[t] > 0. */
export function last(s: State, t: Thread): number {
  return s.depth[t] - 1;
}

/** The innermost context is open and is still on its way to its body. */
export function entering(s: State, t: Thread): boolean {
  return s.depth[t] > 0 && s.body[t][last(s, t)] === 0;
}

/** The innermost context has reached its body, and has not returned. */
export function inBody(s: State, t: Thread): boolean {
  return s.depth[t] > 0 && s.body[t][last(s, t)] === 1;
}

export function nmiOpen(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => s.kind[t][k] === NMI);
}

/** An NMI context of thread t runs on the IST stack. */
export function istNmiOpen(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => s.kind[t][k] === NMI && s.fromUser[t][k] === 0);
}

/** An NMI context is open below the innermost one. */
export function nmiOpenBelow(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => k < s.depth[t] - 1 && s.kind[t][k] === NMI);
}

/**
 * An NMI context below the innermost one runs on the IST stack: the assembly of the inner one takes the nested path.
 */
export function istNmiOpenBelow(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => k < s.depth[t] - 1 && s.kind[t][k] === NMI && s.fromUser[t][k] === 0);
}

/** An NMI context that came from user mode is open below the innermost one. */
export function userNmiOpenBelow(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => k < s.depth[t] - 1 && s.kind[t][k] === NMI && s.fromUser[t][k] === 1);
}

/** A live hardware frame of thread t lies on a per-CPU stack. */
export function frameOnPerCpuStack(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.nesting, (k) => s.frame[t][k] === ENTRY || s.frame[t][k] === NMI_STACK);
}

export function runsSomewhere(b: Bounds, s: State, t: Thread): boolean {
  return exists(b.cpus, (k) => s.running[k] === t);
}

/** switch_to is complete: running thread, `current`, top_of_stack and, where it is per task, sp0 agree. */
export function threadsAgree(d: DesignConfig, s: State, c: Cpu): boolean {
  return s.current[c] === s.running[c] && topFits(d, s, c) && sp0Fits(d, s, c);
}

/**
 * The whole context switch is complete, or has not begun: CR3 too belongs to the running task. An idle thread borrows
 * what is there.
 */
export function switchComplete(d: DesignConfig, b: Bounds, s: State, c: Cpu): boolean {
  return threadsAgree(d, s, c) && (!isTask(b, s.running[c]) || s.mm[c] === mmOf(b, s.running[c]));
}

/** top_of_stack is the running thread's. */
export function topFits(d: DesignConfig, s: State, c: Cpu): boolean {
  return d.setsTop === 0 || s.top[c] === s.running[c];
}

/** sp0 names the running thread's stack. */
function sp0Fits(d: DesignConfig, s: State, c: Cpu): boolean {
  return d.setsSp0 === 0 || s.sp0[c] === s.running[c];
}

/** On the kernel half with kernel GS. Whether interrupts are off is another question. */
export function kernelEnvironment(s: State, c: Cpu): boolean {
  return s.userHalf[c] === 0 && s.userGs[c] === 0;
}
