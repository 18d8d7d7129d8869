/**
 * Events: what user code does (SYSCALL, a fault), what arrives from outside (IRQ, NMI), and faults of the kernel
 * itself. Each is one atomic delivery as the SDM describes it (Vol. 3A chapter "Interrupt and Exception Handling"):
 * frame pushed, IF cleared, stack switched by sp0 or IST. CR3 and GS stay.
 */

import { requires } from '../checker/language/requires';
import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { ENTRY, FOREIGN, GP, IRQ, NMI, NMI_STACK, PF, PTI, SYSCALL, USER } from '../kinds';
import { S8 } from '../property-names';
import type { Cpu, State, Thread } from '../schema';
import { close, openFromKernel, openFromUser } from './contexts';
import {
  executes,
  executesUser,
  inBody,
  istNmiOpen,
  kernelEnvironment,
  last,
  nmiDue,
  nmiOpen,
  switchComplete,
} from './predicates';

/** Where a frame from user mode lands: the stack that sp0 names. */
function arrivalStack(d: DesignConfig, s: State, c: Cpu): number {
  return d.perTaskEntry === 0 ? ENTRY : s.sp0[c] === s.running[c] ? PTI : FOREIGN;
}

/** SYSCALL: CPL0 with the user's rsp, CR3 and GS; IF cleared by FMASK. No frame is pushed. */
export function syscall(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (!executesUser(s, c)) return false;
  openFromUser(s, c, s.running[c], SYSCALL, USER);
}

/** External interrupt (timer or reschedule IPI) where IF=1. */
export function irq(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (b.irqs >= 0 && s.irqsLeft === 0) return false;
  if (!acceptsIrq(b, s, c)) return false;
  if (b.irqs >= 0) s.irqsLeft = s.irqsLeft - 1;
  deliverIrq(d, s, c);
}

/** IF=1, no NMI comes first, and there is room for one more context. */
export function acceptsIrq(b: Bounds, s: State, c: Cpu): boolean {
  return s.interrupts[c] === 1 && s.depth[s.running[c]] < b.nesting && !nmiDue(s, c);
}

export function deliverIrq(d: DesignConfig, s: State, c: Cpu): void {
  const t = s.running[c];
  if (s.user[c] === 1) {
    openFromUser(s, c, t, IRQ, arrivalStack(d, s, c));
    s.stack[c] = arrivalStack(d, s, c);
    requires(s, S8, s.stack[c] !== FOREIGN);
  } else {
    openFromKernel(s, c, t, IRQ, s.stack[c]);
  }
}

/** #PF of user code on a page that the kernel can resolve. */
export function userPageFault(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (!executesUser(s, c)) return false;
  openFromUser(s, c, s.running[c], PF, arrivalStack(d, s, c));
  s.stack[c] = arrivalStack(d, s, c);
  requires(s, S8, s.stack[c] !== FOREIGN);
}

/** #PF of a user access by the kernel: by the body of a system call, or by the NMI handler. */
export function kernelPageFault(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !inBody(s, t) || s.depth[t] === b.nesting) return false;
  if (!kernelEnvironment(s, c)) return false;
  if (s.kind[t][last(s, t)] !== SYSCALL && s.kind[t][last(s, t)] !== NMI) return false;
  if (s.kind[t][last(s, t)] === SYSCALL && !switchComplete(d, b, s, c)) return false;
  if (s.stack[c] !== bodyStackOf(d, s, t)) return false;
  openFromKernel(s, c, t, PF, s.stack[c]);
}

/** The stack on which the body of a system call or an NMI runs. */
function bodyStackOf(d: DesignConfig, s: State, t: Thread): number {
  return s.kind[t][last(s, t)] === NMI && s.fromUser[t][last(s, t)] === 0
    ? NMI_STACK
    : d.bodyStack[s.kind[t][last(s, t)]];
}

/**
 * #GP of an IRETQ to a bad user frame: raised at CPL0 on the stack that the IRETQ stood on, with the user half and the
 * user's GS. IRETQ has ended NMI blocking before it faults. The returning context is over; its frame is handed to the
 * fault, which looks as if it came from user mode.
 */
export function badIret(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !inBody(s, t)) return false;
  if (s.kind[t][last(s, t)] !== SYSCALL) return false;
  if (d.iretToUserAt[SYSCALL][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  close(s, t);
  openFromUser(s, c, t, GP, s.stack[c]);
  s.nmiBlocked[c] = 0;
}

/** NMI: latched while blocked (one only), otherwise delivered on its IST stack, always from the top. */
export function nmi(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (b.nmis >= 0 && s.nmisLeft === 0) return false;
  if (!acceptsNmi(b, s, c)) return false;
  if (b.nmis >= 0) s.nmisLeft = s.nmisLeft - 1;
  raiseNmi(b, s, c);
}

/** No NMI is pending, and one more can be latched or has room for its context. */
export function acceptsNmi(b: Bounds, s: State, c: Cpu): boolean {
  return s.nmiPending[c] === 0 && (s.nmiBlocked[c] === 1 || s.depth[s.running[c]] < b.nesting);
}

export function raiseNmi(b: Bounds, s: State, c: Cpu): void {
  if (s.nmiBlocked[c] === 1) s.nmiPending[c] = 1;
  else deliverNmi(b, s, c);
}

/** A latched NMI is delivered at the first boundary after IRET. */
export function latchedNmi(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (!nmiDue(s, c) || s.depth[s.running[c]] === b.nesting) return false;
  s.nmiPending[c] = 0;
  deliverNmi(b, s, c);
}

function deliverNmi(b: Bounds, s: State, c: Cpu): void {
  if (nmiOpen(b, s, s.running[c])) s.nmiAgain[c] = 1;
  if (istNmiOpen(b, s, s.running[c])) s.nmiRepeat[c] = 1;
  if (s.user[c] === 1) openFromUser(s, c, s.running[c], NMI, NMI_STACK);
  else openFromKernel(s, c, s.running[c], NMI, NMI_STACK);
  s.nmiBlocked[c] = 1;
  s.stack[c] = NMI_STACK;
}
