/**
 * The abstraction function alpha: machine and ghosts -> state of the abstract machine. It reads architectural state,
 * memory words that the manifest names, and the ghost state; it knows nothing of the code. This is the only place, with
 * refinement.ts, where the two machines meet.
 */
import { CPL, CR3, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';
import { FOREIGN, KERNEL, PTI, USER } from '../../model/kinds';
import type { State } from '../../model/schema';
import {
  CTX_BODY,
  CTX_FRAME,
  CTX_FROM_INTERRUPTS,
  CTX_FROM_STACK,
  CTX_FROM_USER,
  CTX_FROM_USER_GS,
  CTX_FROM_USER_HALF,
  CTX_KIND,
  INTERRUPTS,
  NMI_AGAIN,
  NMI_REPEAT,
  RUNNING,
  STACK,
  USER_GS,
  USER_HALF,
} from '../ghost/ghost';
import { regionOf } from '../guest/regions';
import type { Monitor } from '../monitor/monitor';

/** The machine is in no state of the abstract machine: `what` says which value has no counterpart. */
export interface Unabstractable {
  readonly field: string;
  readonly what: string;
}

/** Writes the abstraction of the whole machine into `s`. Answers what has no counterpart, or undefined. */
export function abstractMachine(m: Monitor, s: State): Unabstractable | undefined {
  for (let c = 0; c < m.view.bounds.cpus; c++) {
    const wrong = abstractCpu(m, s, c);
    if (wrong !== undefined) return wrong;
  }
  for (let t = 0; t < m.view.threads; t++) abstractThread(m, s, t);
  return undefined;
}

function abstractCpu(m: Monitor, s: State, c: number): Unabstractable | undefined {
  const { r } = m.view.machine.cpus[c];
  const { words } = m.ghost;
  const g = m.ghost.cpu(c);
  const mm = m.view.mmOfRoot(r[CR3]);
  const current = m.view.currentThread(c);
  const top = m.view.topThread(c);
  const sp0 = abstractSp0(m, c);
  if (mm < 0)
    return {
      field: `mm[${c}]`,
      what: `CR3 of CPU ${c} is 0x${(r[CR3] >>> 0).toString(16)}, the root of no address space`,
    };
  if (current < 0) return { field: `current[${c}]`, what: `current of CPU ${c} names no thread` };
  if (top < 0) return { field: `top[${c}]`, what: `top_of_stack of CPU ${c} is the top of no stack of a thread` };
  if (sp0 < 0) return { field: `sp0[${c}]`, what: `sp0 of CPU ${c} is the top of no entry stack` };
  s.user[c] = r[CPL] === 3 ? 1 : 0;
  s.userHalf[c] = words[g + USER_HALF];
  s.mm[c] = mm;
  s.userGs[c] = words[g + USER_GS];
  s.interrupts[c] = words[g + INTERRUPTS];
  s.nmiBlocked[c] = r[NMI_BLOCKED];
  s.nmiPending[c] = r[NMI_PENDING];
  s.nmiAgain[c] = words[g + NMI_AGAIN];
  s.nmiRepeat[c] = words[g + NMI_REPEAT];
  s.stack[c] = words[g + STACK];
  s.running[c] = words[g + RUNNING];
  s.current[c] = current;
  s.top[c] = top;
  s.sp0[c] = sp0;
  return undefined;
}

/** The thread whose stack sp0 tops; the idle thread for the CPU's own entry stack; -1 for anything else. */
function abstractSp0(m: Monitor, c: number): number {
  const region = m.view.regionEndingAt(m.view.sp0(c));
  if (region === undefined) return -1;
  if (region.kind === PTI || region.kind === KERNEL) return region.thread;
  return region.cpu === c ? m.view.bounds.tasks + c : -1;
}

function abstractThread(m: Monitor, s: State, t: number): void {
  const { words } = m.ghost;
  const depth = m.ghost.depth(t);
  const slots = s.kind[t].length;
  s.depth[t] = depth;
  s.savedStack[t] = runs(m, t) ? USER : savedStack(m, t);
  for (let k = 0; k < slots; k++) {
    const at = m.ghost.context(t, k);
    s.kind[t][k] = words[at + CTX_KIND];
    s.body[t][k] = words[at + CTX_BODY];
    s.fromUser[t][k] = words[at + CTX_FROM_USER];
    s.fromUserHalf[t][k] = words[at + CTX_FROM_USER_HALF];
    s.fromUserGs[t][k] = words[at + CTX_FROM_USER_GS];
    s.fromInterrupts[t][k] = words[at + CTX_FROM_INTERRUPTS];
    s.fromStack[t][k] = words[at + CTX_FROM_STACK];
    s.frame[t][k] = words[at + CTX_FRAME];
  }
}

function runs(m: Monitor, t: number): boolean {
  for (let c = 0; c < m.view.bounds.cpus; c++) if (m.ghost.running(c) === t) return true;
  return false;
}

function savedStack(m: Monitor, t: number): number {
  const region = regionOf(m.view.regions, m.view.pointerAt(m.view.threadspPa[t]));
  return region !== undefined && region.thread === t ? region.kind : FOREIGN;
}
