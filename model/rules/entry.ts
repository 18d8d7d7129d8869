/**
 * Entry steps: from the delivery of an event to the first instruction of its body. The order of GS, CR3 and stack is
 * what the designs differ in. Each rule is one instruction: `swapgs`, a write of CR3, a write of rsp, or the first
 * fetch of instrumentable code.
 */

import { requires } from '../checker/language/requires';
import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { CR3_WINDOW, ENTRY, FOREIGN, IRQ_STACK, KERNEL, NMI, NMI_STACK, PTI, USER } from '../kinds';
import { S1, S4, S5, S8 } from '../property-names';
import type { Cpu, State } from '../schema';
import { entering, executes, istNmiOpenBelow, kernelEnvironment, last, nmiOpenBelow } from './predicates';

/** `swapgs`, where the design has it on the way in. An NMI from the kernel looks at the sign of GS base first. */
export function swapgsToKernel(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || istNmiOpenBelow(b, s, t)) return false;
  if (
    d.swapgsToKernelAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0
  )
    return false;
  s.userGs[c] = 0;
}

/** `mov %cr3, %rsp`: SYSCALL has no other register to spare. An NMI here sees a CR3 value in rsp. */
export function readCr3IntoRsp(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (
    d.readCr3IntoRspAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0
  )
    return false;
  s.stack[c] = CR3_WINDOW;
}

/** CR3 := kernel half, on the way in. */
export function loadKernelCr3(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t) || istNmiOpenBelow(b, s, t)) return false;
  if (d.loadKernelCr3At[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0)
    return false;
  s.userHalf[c] = 0;
}

/**
 * rsp := the stack on which events from user mode arrive, read from a per-CPU word: of the deferred designs, still on
 * the user half.
 */
export function loadEntryStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (
    d.loadEntryStackAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0
  )
    return false;
  requires(s, S4, s.userGs[c] === 0);
  s.stack[c] = d.perTaskEntry === 1 ? (s.top[c] === t ? PTI : FOREIGN) : ENTRY;
  s.frame[t][last(s, t)] = USER;
  requires(s, S8, s.stack[c] !== FOREIGN);
}

/**
 * rsp := top of the kernel stack. A frame that was copied from a per-CPU stack ends with this step; one on the PTI
 * stack stays where it is.
 */
export function loadKernelStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (
    d.loadKernelStackAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0
  )
    return false;
  requires(s, S1, s.userHalf[c] === 0);
  requires(s, S4, s.userGs[c] === 0);
  requires(s, S8, s.top[c] === t);
  s.stack[c] = s.top[c] === t ? KERNEL : FOREIGN;
  if (s.frame[t][last(s, t)] !== PTI) s.frame[t][last(s, t)] = USER;
}

/** rsp := the per-CPU IRQ stack, for the handler of an external interrupt. */
export function loadIrqStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (d.loadIrqStackAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0)
    return false;
  requires(s, S1, s.userHalf[c] === 0);
  requires(s, S4, s.userGs[c] === 0);
  s.stack[c] = IRQ_STACK;
}

/**
 * First instruction of instrumentable code. An NMI inside an NMI on the IST stack never gets here: it only arms the
 * repeat.
 */
export function enterBody(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !entering(s, t)) return false;
  if (s.kind[t][last(s, t)] === NMI && istNmiOpenBelow(b, s, t)) return false;
  if (d.enterBodyAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0)
    return false;
  requires(s, S1, s.userHalf[c] === 0 || d.entryCodeInUserTable === 1);
  requires(s, S4, s.userGs[c] === 0);
  requires(s, S5, s.userHalf[c] === 0);
  requires(s, S8, s.stack[c] !== USER && s.stack[c] !== CR3_WINDOW);
  s.body[t][last(s, t)] = 1;
  if (s.kind[t][last(s, t)] === NMI) {
    s.nmiAgain[c] = 0;
    s.frame[t][last(s, t)] = USER;
  }
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
