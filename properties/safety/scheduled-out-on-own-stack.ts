/**
 * S9 scheduled-out-on-own-stack, the headline: when a CPU stores the stack pointer of its running thread to that
 * thread's threadsp, the stored value lies in a stack of the thread itself (its kernel stack or its PTI stack), never
 * in a per-CPU or user stack; CR3 is on the kernel half, GS is the kernel's, interrupts are off, no NMI is open, and no
 * live hardware frame of the thread is left on a per-CPU stack. A thread that gives way has stored its rsp since it
 * began to run, and the threadsp of a thread that runs elsewhere is not stored to.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { hexVa } from '../../emulator/words';
import { NMI } from '../../model/kinds';
import { CTX_FRAME, CTX_KIND, INTERRUPTS, RSP_SAVED, RUNNING, USER_GS, USER_HALF } from '../ghost/ghost';
import { regionOf } from '../guest/regions';
import type { Monitor } from '../monitor/monitor';
import { S9 } from './property';

/** After a store to a page of task structures. */
export function scheduledOutOnOwnStack(m: Monitor, cpu: Cpu, pa: number): void {
  const g = m.ghost.cpu(cpu.index);
  const t = m.ghost.words[g + RUNNING];
  if (pa !== m.view.threadspPa[t]) {
    otherThreadIsLeftAlone(m, cpu, pa);
    return;
  }
  m.ghost.words[m.ghost.thread(t) + RSP_SAVED] = 1;
  const rsp = m.view.pointerAt(pa);
  const region = regionOf(m.view.regions, rsp);
  const who = name(m, t);
  if (region === undefined && !m.view.stacksKnown) return;
  if (region === undefined || region.thread !== t) {
    m.report(
      S9,
      cpu,
      `${who} is scheduled out with rsp ${hexVa(rsp)} in ${region?.name ?? 'no stack'}, expected a stack of its own`,
    );
    return;
  }
  const wrong = environmentAtSwitch(m, g) ?? openContexts(m, t);
  if (wrong !== undefined) m.report(S9, cpu, `${who} is scheduled out ${wrong}`);
}

function name(m: Monitor, t: number): string {
  return m.view.isTask(t) ? `task t${t}` : `the idle thread of CPU ${t - m.view.bounds.tasks}`;
}

/**
 * A store to the threadsp of a thread that does not run on this CPU makes it: with a stack of its own, and no other CPU
 * on it.
 */
function otherThreadIsLeftAlone(m: Monitor, cpu: Cpu, pa: number): void {
  const t = m.view.threadspPa.indexOf(pa);
  if (t < 0) return;
  const rsp = m.view.pointerAt(pa);
  const user = m.view.machine.cpus.find((other) => m.ghost.running(other.index) === t);
  const region = regionOf(m.view.regions, rsp);
  if (user !== undefined)
    m.report(S9, cpu, `expected threadsp of ${name(m, t)} to be stored by CPU ${user.index}, which runs it, alone`);
  else if (region?.thread !== t && m.view.stacksKnown)
    m.report(
      S9,
      cpu,
      `threadsp of ${name(m, t)}, which runs nowhere, becomes ${hexVa(rsp)} in ${region?.name ?? 'no stack'}, expected a stack of its own`,
    );
}

/** Before thread t, which has run on this CPU, gives way to another one. */
export function rspWasSaved(m: Monitor, cpu: Cpu, t: number): void {
  if (m.ghost.words[m.ghost.thread(t) + RSP_SAVED] === 1 || m.view.hasEnded(t)) return;
  m.report(S9, cpu, `${name(m, t)} is scheduled out and its rsp was not stored to its threadsp since it began to run`);
}

function environmentAtSwitch(m: Monitor, g: number): string | undefined {
  const { words } = m.ghost;
  if (words[g + USER_HALF] === 1) return 'on the user half of the page table, expected the kernel half';
  if (words[g + USER_GS] === 1) return "with the user's GS, expected the kernel's";
  return words[g + INTERRUPTS] === 1 ? 'with interrupts on, expected IF=0' : undefined;
}

function openContexts(m: Monitor, t: number): string | undefined {
  const { words } = m.ghost;
  for (let k = 0; k < m.ghost.depth(t); k++) {
    const at = m.ghost.context(t, k);
    if (words[at + CTX_KIND] === NMI) return 'inside an NMI';
    if (m.pages.isPerCpuStack(words[at + CTX_FRAME]))
      return `while its context ${k} has a live hardware frame on a per-CPU stack`;
  }
  return undefined;
}
