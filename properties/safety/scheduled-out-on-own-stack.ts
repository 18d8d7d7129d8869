/**
 * S9 scheduled-out-on-own-stack, the headline: when a CPU stores the stack pointer of its running thread to that
 * thread's threadsp, the stored value lies in a stack of the thread itself (its kernel stack or its PTI stack), never
 * in a per-CPU or user stack; CR3 is on the kernel half, GS is the kernel's, interrupts are off, no NMI is open, and no
 * live hardware frame of the thread is left on a per-CPU stack.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { hexVa } from '../../emulator/words';
import { NMI } from '../../model/kinds';
import { CTX_FRAME, CTX_KIND, INTERRUPTS, RUNNING, USER_GS, USER_HALF } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { regionOf } from '../monitor/regions';
import { S9 } from './property';

/** After a store to a page of task structures. */
export function scheduledOutOnOwnStack(m: Monitor, cpu: Cpu, pa: number): void {
  const g = m.ghost.cpu(cpu.index);
  const t = m.ghost.words[g + RUNNING];
  if (pa !== m.view.threadspPa[t]) return;
  const rsp = m.view.pointerAt(pa);
  const region = regionOf(m.view.regions, rsp);
  const who = m.view.isTask(t) ? `task t${t}` : `the idle thread of CPU ${t - m.view.bounds.tasks}`;
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
