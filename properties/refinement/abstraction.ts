/**
 * The abstraction function alpha: machine and ghosts -> state of the abstract machine. It reads architectural state,
 * memory words that the manifest names, and the ghost state; it knows nothing of the code. This is the only place, with
 * refinement.ts, where the two machines meet.
 */
import { CPL, CR3, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';
import { USER } from '../../model/kinds';
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
import type { Monitor } from '../monitor/monitor';
import { AbstractKey, contextWord, cpuFlags } from './abstract-key';

/** The machine is in no state of the abstract machine: `what` says which value has no counterpart. */
interface Unabstractable {
  readonly field: string;
  readonly what: string;
}

/** Writes the abstraction of the whole machine into `s`. Answers what has no counterpart, or undefined. */
export function abstractMachine(m: Monitor, s: State): Unabstractable | undefined {
  const { cpus, tasks } = m.view.bounds;
  const key = new AbstractKey({ cpus, tasks, nesting: s.kind[0].length });
  const wrong = abstractKey(m, key);
  if (wrong === undefined) key.read(s);
  return wrong;
}

/** The same as a key. Where something has no counterpart the key is of no use. */
export function abstractKey(m: Monitor, key: AbstractKey): Unabstractable | undefined {
  const { cpus } = m.view.bounds;
  for (let c = 0; c < cpus; c++) {
    const wrong = abstractCpu(m, key, c);
    if (wrong !== undefined) return wrong;
  }
  for (let t = 0; t < m.view.threads; t++) abstractThread(m, key, t);
  return undefined;
}

/**
 * Brings a key up to date with what running CPU `c` changes without a store to a word of `touchedBeyond`: registers and
 * their ghosts, of all CPUs because one may interrupt another, and the contexts of the thread that it runs. Answers
 * false where something has no counterpart.
 */
export function refreshKey(m: Monitor, key: AbstractKey, c: number): boolean {
  const { words } = m.ghost;
  for (let k = 0; k < m.view.bounds.cpus; k++) {
    const mm = m.view.mmOfRoot(m.view.machine.cpus[k].r[CR3]);
    if (mm < 0) return false;
    key.setEnvironment(k, environment(m, k), mm, words[m.ghost.cpu(k) + RUNNING]);
  }
  abstractThread(m, key, words[m.ghost.cpu(c) + RUNNING]);
  return true;
}

function abstractCpu(m: Monitor, key: AbstractKey, c: number): Unabstractable | undefined {
  const { r } = m.view.machine.cpus[c];
  const mm = m.view.mmOfRoot(r[CR3]);
  const current = m.view.currentThread(c);
  const top = m.view.topThread(c);
  const sp0 = m.view.sp0Thread(c);
  if (mm < 0)
    return {
      field: `mm[${c}]`,
      what: `CR3 of CPU ${c} is 0x${(r[CR3] >>> 0).toString(16)}, the root of no address space`,
    };
  if (current < 0) return { field: `current[${c}]`, what: `current of CPU ${c} names no thread` };
  if (top < 0) return { field: `top[${c}]`, what: `top_of_stack of CPU ${c} is the top of no stack of a thread` };
  if (sp0 < 0) return { field: `sp0[${c}]`, what: `sp0 of CPU ${c} is the top of no entry stack` };
  key.setCpu(c, environment(m, c), mm, m.ghost.running(c), current, top, sp0);
  return undefined;
}

function environment(m: Monitor, c: number): number {
  const { r } = m.view.machine.cpus[c];
  const { words } = m.ghost;
  const g = m.ghost.cpu(c);
  return cpuFlags(
    r[CPL] === 3 ? 1 : 0,
    words[g + USER_HALF],
    words[g + USER_GS],
    words[g + INTERRUPTS],
    r[NMI_BLOCKED],
    r[NMI_PENDING],
    words[g + NMI_AGAIN],
    words[g + NMI_REPEAT],
    words[g + STACK],
  );
}

function abstractThread(m: Monitor, key: AbstractKey, t: number): void {
  const { words } = m.ghost;
  const depth = m.ghost.depth(t);
  key.setThread(t, depth, runs(m, t) ? USER : m.view.savedStack(t));
  for (let k = 0; k < depth; k++) {
    const at = m.ghost.context(t, k);
    const word = contextWord(
      words[at + CTX_KIND],
      words[at + CTX_BODY],
      words[at + CTX_FROM_USER],
      words[at + CTX_FROM_USER_HALF],
      words[at + CTX_FROM_USER_GS],
      words[at + CTX_FROM_INTERRUPTS],
      words[at + CTX_FROM_STACK],
      words[at + CTX_FRAME],
    );
    key.setContext(t, k, word);
  }
}

function runs(m: Monitor, t: number): boolean {
  for (let c = 0; c < m.view.bounds.cpus; c++) if (m.ghost.running(c) === t) return true;
  return false;
}
