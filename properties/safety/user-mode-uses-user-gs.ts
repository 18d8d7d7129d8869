/**
 * S3 user-mode-uses-user-gs: when a transfer from CPL0 to CPL3 is complete, GS base is the one that the current task
 * had in user mode before, and IA32_KERNEL_GS_BASE is the per-CPU area of this CPU.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { GS_BASE, KERNEL_GS_BASE } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { USER_GS_HI, USER_GS_LO } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S3 } from './property';

export function userModeUsesUserGs(m: Monitor, cpu: Cpu): void {
  const t = m.view.currentThread(cpu.index);
  if (m.view.gsIsKernels(cpu, GS_BASE) || !m.view.gsIsKernels(cpu, KERNEL_GS_BASE)) {
    m.report(
      S3,
      cpu,
      `expected the user's GS base in user mode and the kernel's in IA32_KERNEL_GS_BASE, found GS base ${gsBase(cpu)} and IA32_KERNEL_GS_BASE ${hex64(cpu.r[KERNEL_GS_BASE], cpu.r[KERNEL_GS_BASE + 1])}`,
    );
    return;
  }
  if (t < 0) return;
  const at = m.ghost.thread(t);
  const { words } = m.ghost;
  if (words[at + USER_GS_LO] === 0 && words[at + USER_GS_HI] === 0) return;
  if (cpu.r[GS_BASE] === words[at + USER_GS_LO] && cpu.r[GS_BASE + 1] === words[at + USER_GS_HI]) return;
  m.report(
    S3,
    cpu,
    `expected GS base ${hex64(words[at + USER_GS_LO], words[at + USER_GS_HI])} of task t${t}, found ${gsBase(cpu)}`,
  );
}

function gsBase(cpu: Cpu): string {
  return hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1]);
}
