/**
 * S19 interrupts-off-in-window: at CPL0, as long as CR3 is on the user half, GS is not the kernel's, or rsp is the
 * user's, IF is 0. Designs that declare that they leave the entry stack before `sti` also keep it 0 on that stack.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3_WINDOW, ENTRY, USER } from '../../model/kinds';
import { STACK, USER_GS, USER_HALF } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S19 } from './property';

/** At CPL0 with interrupts on. */
export function interruptsOffInWindow(m: Monitor, cpu: Cpu, g: number): void {
  const { words } = m.ghost;
  const stack = words[g + STACK];
  if (words[g + USER_HALF] === 1)
    m.report(S19, cpu, 'expected IF=0 on the user half of the page table at CPL0, found IF=1');
  if (words[g + USER_GS] === 1) m.report(S19, cpu, "expected IF=0 with the user's GS at CPL0, found IF=1");
  if (stack === USER || stack === CR3_WINDOW)
    m.report(S19, cpu, "expected IF=0 while rsp is the user's at CPL0, found IF=1");
  if (stack === ENTRY && m.view.manifest.leavesEntryStackBeforeSti)
    m.report(S19, cpu, 'expected IF=0 on the entry stack, which this design declares to leave before sti, found IF=1');
}
