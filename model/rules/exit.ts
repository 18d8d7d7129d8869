/**
 * Exit steps: from the end of the body to the return. To user mode the entry stack is loaded, then the user half, then
 * the user's GS; to the kernel an NMI restores CR3 and GS as it found them. `requires` judges what a return gives back
 * (S6) and whether an NMI is forgotten (S16).
 */

import { requires } from '../checker/language/requires';
import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { ENTRY, IRQ, IRQ_STACK, KERNEL, NMI, NMI_STACK, USER } from '../kinds';
import { S1, S6, S16 } from '../property-names';
import type { Cpu, State, Thread } from '../schema';
import { close } from './contexts';
import {
  executes,
  inBody,
  istNmiOpenBelow,
  last,
  nmiOpen,
  nmiOpenBelow,
  switchComplete,
  userNmiOpenBelow,
} from './predicates';

/** The innermost context came from user mode, its body is done or can be, and interrupts are off. */
function leaving(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): boolean {
  return (
    executes(s, c) &&
    inBody(s, t) &&
    s.fromUser[t][last(s, t)] === 1 &&
    s.interrupts[c] === 0 &&
    (s.kind[t][last(s, t)] !== NMI || s.nmiAgain[c] === 0 || d.ignoresNestedNmis === 1) &&
    switchComplete(d, b, s, c)
  );
}

/** rsp := the entry stack of this CPU, to which the return frame was copied. */
export function leaveToEntryStack(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.leaveToEntryStackAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  requires(s, S1, s.userHalf[c] === 0);
  s.stack[c] = ENTRY;
}

/** CR3 := user half. What comes next needs a stack that is mapped there. */
export function loadUserCr3(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.loadUserCr3At[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  requires(s, S1, s.stack[c] !== KERNEL && s.stack[c] !== IRQ_STACK);
  s.userHalf[c] = 1;
}

/** `pop %rsp`: the user's stack pointer at CPL0, on the way to SYSRET. */
export function loadUserRsp(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.loadUserRspAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  s.stack[c] = USER;
}

/** `swapgs` on the way to user mode. */
export function swapgsToUser(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.swapgsToUserAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  s.userGs[c] = 1;
}

/** SYSRETQ. S2, S3 and S10 are judged on the state that it leads to. */
export function sysret(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.sysretAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  requires(s, S6, s.stack[c] === USER);
  close(s, t);
  s.user[c] = 1;
  s.interrupts[c] = 1;
}

/** IRETQ to user mode. It ends NMI blocking. */
export function iretToUser(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!leaving(d, b, s, c, t)) return false;
  if (d.iretToUserAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  requires(s, S16, s.kind[t][last(s, t)] !== NMI || s.nmiAgain[c] === 0);
  close(s, t);
  s.user[c] = 1;
  s.interrupts[c] = 1;
  s.stack[c] = USER;
  s.nmiBlocked[c] = 0;
}

/** The handler of an NMI from the kernel is over: CR3 and GS are being restored, on the IST stack. */
function nmiRestores(b: Bounds, s: State, c: Cpu, t: Thread): boolean {
  return (
    executes(s, c) &&
    inBody(s, t) &&
    s.kind[t][last(s, t)] === NMI &&
    s.fromUser[t][last(s, t)] === 0 &&
    s.stack[c] === NMI_STACK &&
    !istNmiOpenBelow(b, s, t)
  );
}

/** RESTORE_CR3: the user half again, if the NMI interrupted it. */
export function restoreUserCr3(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!nmiRestores(b, s, c, t)) return false;
  if (d.restoreUserCr3At[s.fromUserHalf[t][last(s, t)]][s.fromUserGs[t][last(s, t)]][s.userHalf[c]][s.userGs[c]] === 0)
    return false;
  s.userHalf[c] = 1;
}

/** `swapgs` at the end of an NMI that interrupted the kernel with the user's GS. */
export function restoreUserGs(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!nmiRestores(b, s, c, t)) return false;
  if (d.restoreUserGsAt[s.fromUserHalf[t][last(s, t)]][s.fromUserGs[t][last(s, t)]][s.userHalf[c]][s.userGs[c]] === 0)
    return false;
  s.userGs[c] = 1;
}

/** IRETQ to the kernel from the handler of an IRQ or #PF: to the interrupted instruction, or to its fixup. */
export function iretToKernel(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !inBody(s, t) || s.fromUser[t][last(s, t)] === 1 || s.kind[t][last(s, t)] === NMI)
    return false;
  if ((s.stack[c] !== s.fromStack[t][last(s, t)] && !staysOnIrqStack(d, s, c, t)) || s.interrupts[c] === 1)
    return false;
  if (!switchComplete(d, b, s, c) && !nmiOpen(b, s, t)) return false;
  requires(s, S6, s.stack[c] === s.fromStack[t][last(s, t)]);
  requires(s, S6, s.userHalf[c] === s.fromUserHalf[t][last(s, t)] && s.userGs[c] === s.fromUserGs[t][last(s, t)]);
  returnToKernel(s, c, t);
}

/** A design that forgets to leave the IRQ stack: the frame of the IRETQ lies elsewhere. */
function staysOnIrqStack(d: DesignConfig, s: State, c: Cpu, t: Thread): boolean {
  return d.leavesIrqStack[0] === 0 && s.kind[t][last(s, t)] === IRQ && s.stack[c] === IRQ_STACK;
}

/** IRETQ of an NMI to the kernel: of one whose handler has run, or of a nested one, which leaves CR3 and GS alone. */
export function nmiIretToKernel(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || s.depth[t] === 0 || s.kind[t][last(s, t)] !== NMI || s.fromUser[t][last(s, t)] === 1)
    return false;
  if (s.stack[c] !== NMI_STACK) return false;
  if (s.body[t][last(s, t)] === 0 && !istNmiOpenBelow(b, s, t) && !latchesInSoftware(d, b, s, t)) return false;
  if (
    !istNmiOpenBelow(b, s, t) &&
    d.nmiIretToKernelAt[s.fromUserHalf[t][last(s, t)]][s.fromUserGs[t][last(s, t)]][s.userHalf[c]][s.userGs[c]] === 0
  )
    return false;
  if (mustRepeat(d, b, s, c, t)) return false;
  requires(s, S6, s.userHalf[c] === s.fromUserHalf[t][last(s, t)] && s.userGs[c] === s.fromUserGs[t][last(s, t)]);
  requires(s, S16, nmiOpenBelow(b, s, t) || s.nmiAgain[c] === 0);
  if (!istNmiOpenBelow(b, s, t)) s.nmiRepeat[c] = 0;
  returnToKernel(s, c, t);
}

/**
 * The IRETQ of the first NMI on the IST stack leads to its repeat and nowhere else: a nested one has come since the
 * handler last began, and has rewritten the frame (`.Lnested` in nmi.S). That holds as well where the NMI interrupted
 * one from user mode: in its exit that one asks for no more NMIs. One that came before the handler began is handled
 * by that run; it has rewritten the frame or not (`.Lnested_out`), so either return is possible.
 */
function mustRepeat(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): boolean {
  return d.ignoresNestedNmis === 0 && s.nmiRepeat[c] === 1 && s.nmiAgain[c] === 1 && !istNmiOpenBelow(b, s, t);
}

/**
 * The NMI interrupted the handler of an NMI from user mode: it leaves a note for it (nmi_state) and returns without a
 * body of its own.
 */
function latchesInSoftware(d: DesignConfig, b: Bounds, s: State, t: Thread): boolean {
  return (
    userNmiOpenBelow(b, s, t) && s.fromUserHalf[t][last(s, t)] === 0 && s.fromStack[t][last(s, t)] === d.bodyStack[NMI]
  );
}

/**
 * IRETQ of an NMI to its own repeat range, because a nested NMI has rewritten the frame: the context stays open and
 * begins again.
 */
export function repeatNmi(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!nmiRestores(b, s, c, t) || s.nmiRepeat[c] === 0 || d.ignoresNestedNmis === 1) return false;
  if (d.repeatNmiAt[s.fromUserHalf[t][last(s, t)]][s.fromUserGs[t][last(s, t)]][s.userHalf[c]][s.userGs[c]] === 0)
    return false;
  s.body[t][last(s, t)] = 0;
  s.nmiRepeat[c] = 0;
  s.nmiBlocked[c] = 0;
}

function returnToKernel(s: State, c: Cpu, t: Thread): void {
  s.interrupts[c] = s.fromInterrupts[t][last(s, t)];
  s.stack[c] = s.fromStack[t][last(s, t)];
  s.nmiBlocked[c] = 0;
  close(s, t);
}
