/**
 * S5 kernel-code-uses-kernel-cr3: instrumentable code (section .text) is fetched only on the kernel half (judged before
 * the fetch), and at CPL0 with interrupts on CR3 belongs to the address space of the current task. With interrupts off
 * the two differ legally, inside switch_mm.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, CR3 } from '../../emulator/registers';
import { nmiIsOpen } from '../monitor/contexts';
import { RUNNING, USER_HALF } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { S5 } from './property';

export function codeUsesKernelCr3(m: Monitor, cpu: Cpu, g: number): void {
  if (cpu.r[CPL] !== 0 || m.ghost.words[g + USER_HALF] === 0) return;
  m.report(S5, cpu, 'expected the kernel half in CR3 for a fetch of instrumentable code (.text), found the user half');
}

/**
 * A fetch that is about to fault because the user half does not map the code: S5 is judged before the fetch, so it
 * comes before S1.
 */
export function codeIsFetchedOnKernelHalf(m: Monitor, cpu: Cpu, va: number): void {
  const { text } = m.view.manifest;
  if (va >= text.start && va < text.end) codeUsesKernelCr3(m, cpu, m.ghost.cpu(cpu.index));
}

export function enabledInterruptsUseOwnCr3(m: Monitor, cpu: Cpu, g: number): void {
  if (m.view.bounds.mms === 1) return;
  const t = m.view.currentThread(cpu.index);
  if (t < 0 || !m.view.isTask(t) || m.ghost.words[g + USER_HALF] === 1) return;
  const mm = m.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== m.view.mmOf(t))
    m.report(
      S5,
      cpu,
      `expected CR3 of address space ${m.view.mmOf(t)} (task t${t}) with interrupts on, found that of address space ${mm}`,
    );
}

/** Before an access to user memory: inside an NMI, which can hit in the middle of switch_mm (nmi_uaccess_okay). */
export function nmiUsesOwnUserMemory(m: Monitor, cpu: Cpu, g: number): void {
  const running = m.ghost.words[g + RUNNING];
  const t = m.view.currentThread(cpu.index);
  if (t < 0 || !m.view.isTask(t) || !nmiIsOpen(m.ghost, running, false)) return;
  const mm = m.view.mmOfRoot(cpu.r[CR3]);
  if (mm !== m.view.mmOf(t))
    m.report(S5, cpu, `expected an NMI to read the user memory of task t${t}, found CR3 of address space ${mm}`);
}
