/**
 * S5 kernel-code-uses-kernel-cr3: instrumentable code (section .text) is fetched only on the kernel half (judged before
 * the fetch), and at CPL0 with interrupts on CR3 belongs to the address space of the current task. With interrupts off
 * the two differ legally, inside switch_mm.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL, CR3 } from '../../emulator/registers';
import { nmiIsOpen } from '../ghost/contexts';
import { RUNNING, USER_HALF } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { panicIsNotReached } from './entry-terminates';
import { S5 } from './property';

export function codeUsesKernelCr3(m: Monitor, cpu: Cpu, g: number): void {
  if (cpu.r[CPL] !== 0 || m.ghost.words[g + USER_HALF] === 0) return;
  m.report(S5, cpu, 'expected the kernel half in CR3 for a fetch of instrumentable code (.text), found the user half');
}

/**
 * A fetch that is about to fault because the user half does not map the code. True if that is a violation: it is judged
 * before the fetch, so it comes before S1. The panic is no code of the design: what led there is the cause (L1).
 */
export function fetchIsViolation(m: Monitor, cpu: Cpu, va: number): boolean {
  const { text, panic } = m.view.manifest;
  const g = m.ghost.cpu(cpu.index);
  if (m.ghost.words[g + USER_HALF] === 0) return false;
  if (va === panic) {
    panicIsNotReached(m, cpu, m.ghost.words[g + RUNNING]);
    return true;
  }
  if (cpu.r[CPL] !== 0 || va < text.start || va >= text.end) return false;
  codeUsesKernelCr3(m, cpu, g);
  return true;
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
