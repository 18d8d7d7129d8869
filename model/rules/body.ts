/**
 * The body: where interrupts are enabled, the scheduler runs and the task may be switched out. What the designs differ
 * in is the stack on which this may happen; whether that was wise is judged by `requires`.
 */

import { exists } from '../checker/language/quantifiers';
import { requires } from '../checker/language/requires';
import type { Bounds } from '../checker/language/schema-types';
import type { DesignConfig } from '../design-config';
import { IRQ, IRQ_STACK, KERNEL, NMI, PTI, USER } from '../kinds';
import { S8, S9 } from '../property-names';
import type { Cpu, Mm, State, Thread } from '../schema';
import {
  executes,
  frameOnPerCpuStack,
  inBody,
  isTask,
  kernelEnvironment,
  last,
  mmOf,
  nmiOpen,
  runsSomewhere,
  switchComplete,
  threadsAgree,
  topFits,
} from './predicates';

/**
 * The body or the exit work of the innermost context runs on a stack where it may sleep. An idle thread without
 * contexts may, too.
 */
function mayRunKernel(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): boolean {
  return (
    executes(s, c) &&
    kernelEnvironment(s, c) &&
    !nmiOpen(b, s, t) &&
    (s.depth[t] === 0 || (inBody(s, t) && s.stack[c] !== IRQ_STACK && onSleepingStack(d, s, c, t)))
  );
}

/** An event from the kernel may sleep only if it hit where interrupts were on. */
function onSleepingStack(d: DesignConfig, s: State, c: Cpu, t: Thread): boolean {
  return s.fromUser[t][last(s, t)] === 1
    ? s.stack[c] === d.bodyStack[s.kind[t][last(s, t)]] || s.stack[c] === KERNEL || s.stack[c] === PTI
    : s.stack[c] === s.fromStack[t][last(s, t)] && s.fromInterrupts[t][last(s, t)] === 1;
}

/** rsp leaves the IRQ stack for the stack that the interrupt arrived on or was taken to. */
export function leaveIrqStack(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !inBody(s, t) || s.kind[t][last(s, t)] !== IRQ || s.stack[c] !== IRQ_STACK) return false;
  if (d.leavesIrqStack[s.fromUser[t][last(s, t)]] === 0) return false;
  s.stack[c] = s.fromUser[t][last(s, t)] === 0 ? s.fromStack[t][last(s, t)] : d.bodyStack[IRQ];
}

/**
 * rsp returns from the kernel stack to the PTI stack, where the exit work of the RFC runs (still on the kernel half).
 */
export function returnToPtiStack(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (!executes(s, c) || !inBody(s, t) || s.interrupts[c] === 1) return false;
  if (s.fromUser[t][last(s, t)] === 0 || !isTask(b, t) || !switchComplete(d, b, s, c)) return false;
  if (d.returnToPtiStackAt[s.kind[t][last(s, t)]][1][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 0) return false;
  s.stack[c] = PTI;
}

/** `sti` */
export function sti(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (s.interrupts[c] === 1 || !executes(s, c)) return false;
  if (stiOnTrampoline(d, s, c, t)) {
    s.interrupts[c] = 1;
  } else {
    if (!mayRunKernel(d, b, s, c, t) || !switchComplete(d, b, s, c)) return false;
    if (s.depth[t] > 0 && s.kind[t][last(s, t)] === IRQ && s.fromUser[t][last(s, t)] === 0) return false;
    s.interrupts[c] = 1;
  }
}

/** Interrupts on outside the body, where the table says so: the planted bug of S19. */
export function stiOnTrampoline(d: DesignConfig, s: State, c: Cpu, t: Thread): boolean {
  return (
    s.depth[t] > 0 &&
    d.stiAt[s.kind[t][last(s, t)]][s.fromUser[t][last(s, t)]][s.userHalf[c]][s.userGs[c]][s.stack[c]] === 1
  );
}

/** `cli` */
export function cli(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.user[c] === 1 || s.interrupts[c] === 0 || !executes(s, c)) return false;
  s.interrupts[c] = 0;
}

/** The scheduler may switch here: interrupts off, and the last switch is complete. */
export function maySchedule(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): boolean {
  return (
    s.interrupts[c] === 0 && mayRunKernel(d, b, s, c, t) && threadsAgree(d, s, c) && (isTask(b, t) || s.depth[t] === 0)
  );
}

/** switch_mm: CR3 := kernel half of the next task's address space. */
export function switchMm(d: DesignConfig, b: Bounds, s: State, c: Cpu, m: Mm): false | void {
  if (s.mm[c] === m || !maySchedule(d, b, s, c, s.running[c]) || !switchComplete(d, b, s, c)) return false;
  if (!exists(b.tasks, (k) => mmOf(b, k) === m && !runsSomewhere(b, s, k))) return false;
  s.mm[c] = m;
}

/**
 * __switch_to_asm: threadsp of the previous thread is stored and rsp loaded from the next one's. This is the moment of
 * the headline property: the stored stack pointer has to lie in a stack of the thread itself, and nothing of the thread
 * may stay behind on a per-CPU stack.
 */
export function switchTo(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  const prev = s.running[c];
  if (t === prev || !maySchedule(d, b, s, c, prev)) return false;
  if (!isTask(b, t) && t !== b.tasks + c) return false;
  if (runsSomewhere(b, s, t) && !releasedEarly(d, b, s, t)) return false;
  if (isTask(b, t) && s.mm[c] !== mmOf(b, t)) return false;
  if (!isTask(b, t) && !switchComplete(d, b, s, c)) return false;
  requires(s, S8, !runsSomewhere(b, s, t));
  requires(s, S9, (s.stack[c] === KERNEL || s.stack[c] === PTI) && !frameOnPerCpuStack(b, s, prev));
  s.savedStack[prev] = s.stack[c];
  s.running[c] = t;
  s.stack[c] = s.savedStack[t];
  s.savedStack[t] = USER;
}

/**
 * The planted bug of S8: a thread counts as off its CPU once threadsp is stored, while its CPU still runs on its stack.
 */
function releasedEarly(d: DesignConfig, b: Bounds, s: State, t: Thread): boolean {
  return (
    d.releasesCpuEarly === 1 && exists(b.cpus, (k) => s.running[k] === t && isTask(b, t) && maySchedule(d, b, s, k, t))
  );
}

/** `current` := the thread that runs. */
export function setCurrent(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (!executes(s, c) || s.current[c] === s.running[c] || switchNmi(s, c)) return false;
  s.current[c] = s.running[c];
}

/** top_of_stack := the running thread's. */
export function setTop(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (!executes(s, c) || s.current[c] !== s.running[c] || s.top[c] === s.running[c] || switchNmi(s, c)) return false;
  if (d.setsTop === 0) return false;
  s.top[c] = s.running[c];
}

/** TSS.sp0 := the PTI stack of the running task (of an idle thread: its only stack, which nothing will use). */
export function setSp0(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (!executes(s, c) || s.current[c] !== s.running[c] || !topFits(d, s, c) || s.sp0[c] === s.running[c]) return false;
  if (switchNmi(s, c)) return false;
  if (d.setsSp0 === 0) return false;
  s.sp0[c] = s.running[c];
}

/** An NMI has interrupted switch_to: nothing of the switch goes on before it returns. */
function switchNmi(s: State, c: Cpu): boolean {
  return s.depth[s.running[c]] > 0 && s.kind[s.running[c]][last(s, s.running[c])] === NMI;
}
