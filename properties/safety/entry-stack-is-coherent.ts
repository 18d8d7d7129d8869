/**
 * S10 entry-stack-is-coherent: in user mode TSS.sp0 is the entry stack of the design for the current task, and
 * top_of_stack is the task's. Where the entry stack is per task it is mapped writable, for the supervisor, in the
 * active user half (by walking the tables, not by the TLB).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3 } from '../../emulator/registers';
import { hexVa } from '../../emulator/words';
import { ENTRY, PTI } from '../../model/kinds';
import type { Monitor } from '../monitor/monitor';
import { S10 } from './property';

const ROOT = 0xfffff000 | 0;

export function entryStackIsCoherent(m: Monitor, cpu: Cpu): void {
  const { view } = m;
  if (view.manifest.unknownStacks.includes('pti')) return;
  const t = view.currentThread(cpu.index);
  const top = view.manifest.topOffset === undefined ? t : view.topThread(cpu.index);
  if (t < 0 || top !== t)
    m.report(
      S10,
      cpu,
      `expected top_of_stack of task t${t} in user mode, found ${top < 0 ? 'no stack' : `that of t${top}`}`,
    );
  const sp0 = view.sp0(cpu.index);
  const region = view.regionEndingAt(sp0);
  if (!view.manifest.stacks.has('pti')) {
    if (region?.kind !== ENTRY || region.cpu !== cpu.index)
      m.report(
        S10,
        cpu,
        `expected sp0 at the top of the entry stack of CPU ${cpu.index} in user mode, found ${hexVa(sp0)}`,
      );
    return;
  }
  if (region?.kind !== PTI || region.thread !== t) {
    m.report(
      S10,
      cpu,
      `expected sp0 at the top of the PTI stack of task t${t} in user mode, found ${region?.name ?? hexVa(sp0)}`,
    );
    return;
  }
  const leaf = view.machine.translate(cpu.r[CR3] & ROOT, sp0 - 8);
  if (leaf === undefined || !leaf.writable || leaf.user)
    m.report(
      S10,
      cpu,
      `expected ${region.name} to be mapped writable for the supervisor in the user table, found ${leaf === undefined ? 'no mapping' : 'other rights'}`,
    );
}
