/**
 * Entry steps: from the delivery of an event to the first instruction of its body. The order of GS, CR3 and stack is
 * what the designs differ in. Each rule is one instruction: `swapgs`, a write of CR3, a write of rsp, or the first
 * fetch of instrumentable code.
 */
import type { DesignConfig } from '../design-config';
import {
  CR3_WINDOW,
  ENTRY,
  FOREIGN,
  GP,
  IRQ,
  IRQ_STACK,
  KERNEL,
  NMI,
  NMI_STACK,
  PF,
  PTI,
  SYSCALL,
  USER,
} from '../kinds';
import { S1, S4, S5, S8 } from '../property-names';
import type { Cpu, State, Thread } from '../schema';
import type { Bounds } from '../schema-types';
import { requires } from './contexts';
import {
  bodyStack,
  entering,
  entryStack,
  executes,
  istNmiOpenBelow,
  kernelEnvironment,
  last,
  nmiOpenBelow,
} from './predicates';

/**
 * `swapgs` on the way in. From user mode it is the first step; an NMI from the kernel looks at the sign of GS base,
 * after or before CR3.
 */
export function swapgsToKernel(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || s.userGs[c] === 0 || istNmiOpenBelow(b, s, t)) return false;
  if (s.fromUser[t][last(s, t)] === 1 && s.userHalf[c] !== d.pti) return false;
  if (s.fromUser[t][last(s, t)] === 0 && s.kind[t][last(s, t)] !== NMI) return false;
  if (
    s.fromUser[t][last(s, t)] === 0 &&
    d.nmiGsBeforeCr3 === 0 &&
    s.userHalf[c] === 1 &&
    d.mutantNoCr3SwitchOnNmiEntry === 0
  )
    return false;
  if (s.kind[t][last(s, t)] === GP && d.mutantNoSwapgsAtBadIret === 1) return false;
  s.userGs[c] = 0;
}

/** `mov %cr3, %rsp`: SYSCALL has no other register to spare. An NMI here sees a CR3 value in rsp. */
export function readCr3IntoRsp(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || d.cr3Window === 0) return false;
  if (s.kind[t][last(s, t)] !== SYSCALL || s.stack[c] !== USER || s.userGs[c] === 1) return false;
  s.stack[c] = CR3_WINDOW;
}

/** The stack on which an entering context loads the kernel half. */
function stackAtKernelCr3(d: DesignConfig, s: State, t: Thread): number {
  return s.kind[t][last(s, t)] === NMI
    ? s.fromUser[t][last(s, t)] === 1 && d.nmiStackBeforeCr3 === 1
      ? entryStack(d)
      : NMI_STACK
    : s.kind[t][last(s, t)] === SYSCALL && d.cr3Window === 1
      ? CR3_WINDOW
      : entryStack(d);
}

/** CR3 := kernel half, on the way in. */
export function loadKernelCr3(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || s.userHalf[c] === 0 || istNmiOpenBelow(b, s, t)) return false;
  if (s.stack[c] !== stackAtKernelCr3(d, s, t)) return false;
  if (s.userGs[c] === 1 && !kernelCr3BeforeGs(d, s, t)) return false;
  if (s.kind[t][last(s, t)] === NMI && s.fromUser[t][last(s, t)] === 0 && d.mutantNoCr3SwitchOnNmiEntry === 1)
    return false;
  s.userHalf[c] = 0;
}

/** paranoid_entry loads the kernel half first, because the per-CPU offset that GS needs is mapped only there. */
function kernelCr3BeforeGs(d: DesignConfig, s: State, t: Thread): boolean {
  return (
    (s.kind[t][last(s, t)] === NMI && s.fromUser[t][last(s, t)] === 0 && d.nmiGsBeforeCr3 === 0) ||
    (s.kind[t][last(s, t)] === GP && d.mutantNoSwapgsAtBadIret === 1)
  );
}

/**
 * rsp := the stack that TSS.sp0 names, still on the user half (SYSCALL, and NMI from user mode, of the deferred
 * designs).
 */
export function loadEntryStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || s.userGs[c] === 1 || s.userHalf[c] !== d.pti) return false;
  if (s.fromUser[t][last(s, t)] === 0) return false;
  if (s.kind[t][last(s, t)] === SYSCALL) {
    if (d.syscallOnEntryStack === 0 || s.stack[c] !== USER) return false;
  } else if (s.kind[t][last(s, t)] !== NMI || d.nmiStackBeforeCr3 === 0 || s.stack[c] !== NMI_STACK) return false;
  s.stack[c] = d.perTaskEntry === 1 ? (s.top[c] === t ? PTI : FOREIGN) : ENTRY;
  s.frame[t][last(s, t)] = USER;
  requires(s, S8, s.stack[c] !== FOREIGN);
}

/** The stack that an entering context from user mode leaves for the kernel stack. */
function stackBeforeKernelStack(d: DesignConfig, s: State, t: Thread): number {
  return s.kind[t][last(s, t)] === SYSCALL && d.syscallOnEntryStack === 0
    ? d.cr3Window === 1
      ? CR3_WINDOW
      : USER
    : s.kind[t][last(s, t)] === NMI && d.nmiStackBeforeCr3 === 0
      ? NMI_STACK
      : entryStack(d);
}

/**
 * rsp := top of the kernel stack. A frame that was copied from a per-CPU stack ends with this step; one on the PTI
 * stack stays where it is.
 */
export function loadKernelStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || s.userHalf[c] === 1) return false;
  if (bodyStack(d, s.kind[t][last(s, t)]) !== KERNEL) return false;
  if (s.fromUser[t][last(s, t)] === 0 || s.stack[c] !== stackBeforeKernelStack(d, s, t)) return false;
  if (s.kind[t][last(s, t)] === IRQ && d.perTaskEntry === 1) return false;
  if (s.userGs[c] === 1 && !(s.kind[t][last(s, t)] === GP && d.mutantNoSwapgsAtBadIret === 1)) return false;
  requires(s, S4, s.userGs[c] === 0);
  requires(s, S8, s.top[c] === t);
  s.stack[c] = s.top[c] === t ? KERNEL : FOREIGN;
  if (s.frame[t][last(s, t)] !== PTI) s.frame[t][last(s, t)] = USER;
}

/** rsp := the per-CPU IRQ stack, for the handler of an external interrupt. */
export function loadIrqStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || s.kind[t][last(s, t)] !== IRQ) return false;
  if (!kernelEnvironment(s, c) || s.stack[c] === IRQ_STACK) return false;
  if (s.fromUser[t][last(s, t)] === 1 && s.stack[c] !== (d.perTaskEntry === 1 ? PTI : bodyStack(d, IRQ))) return false;
  s.stack[c] = IRQ_STACK;
}

/** The stack on which the body of the innermost context begins. */
function stackAtBody(d: DesignConfig, s: State, t: Thread): number {
  return s.kind[t][last(s, t)] === IRQ
    ? IRQ_STACK
    : s.fromUser[t][last(s, t)] === 1
      ? bodyStack(d, s.kind[t][last(s, t)])
      : s.kind[t][last(s, t)] === NMI
        ? NMI_STACK
        : s.fromStack[t][last(s, t)];
}

/**
 * First instruction of instrumentable code. An NMI inside an NMI on the IST stack never gets here: it only arms the
 * repeat.
 */
export function enterBody(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (s.kind[t][last(s, t)] === NMI && istNmiOpenBelow(b, s, t)) return false;
  if (s.kind[t][last(s, t)] !== IRQ && s.kind[t][last(s, t)] !== NMI && s.kind[t][last(s, t)] !== PF) {
    if (s.fromUser[t][last(s, t)] === 0) return false;
  }
  if (s.stack[c] !== stackAtBody(d, s, t) && !bodyBeforeCr3(d, s, c, t)) return false;
  if (s.userGs[c] === 1) return false;
  if (s.userHalf[c] === 1 && d.mutantNoCr3SwitchOnNmiEntry === 0 && !bodyBeforeCr3(d, s, c, t)) return false;
  requires(s, S1, s.userHalf[c] === 0 || codeIsMapped(d));
  requires(s, S5, s.userHalf[c] === 0);
  s.body[t][last(s, t)] = 1;
  if (s.kind[t][last(s, t)] === NMI) {
    s.nmiAgain[c] = 0;
    s.frame[t][last(s, t)] = USER;
  }
}

/**
 * The C entry code in front of the body is mapped in the user half: of the deferred designs, and of the mutant that
 * calls .text too early.
 */
function codeIsMapped(d: DesignConfig): boolean {
  return d.syscallOnEntryStack === 1 || d.mutantBodyBeforeCr3 === 1;
}

/** The planted bug of S5: instrumentable code is called on the entry stack before CR3 is switched. */
function bodyBeforeCr3(d: DesignConfig, s: State, c: Cpu, t: Thread): boolean {
  return (
    d.mutantBodyBeforeCr3 === 1 &&
    s.fromUser[t][last(s, t)] === 1 &&
    s.userHalf[c] === 1 &&
    s.stack[c] === entryStack(d)
  );
}

/** The NMI handler runs once more because an NMI was latched in software meanwhile (nmi_state). */
export function restartNmiHandler(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || s.depth[t] === 0 || s.body[t][last(s, t)] === 0) return false;
  if (s.kind[t][last(s, t)] !== NMI || s.nmiAgain[c] === 0 || s.stack[c] === NMI_STACK) return false;
  if (s.stack[c] === ENTRY && s.userHalf[c] === 1) return false;
  if (!kernelEnvironment(s, c) || nmiOpenBelow(b, s, t)) return false;
  s.nmiAgain[c] = 0;
}
