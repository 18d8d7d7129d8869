/**
 * S3 user-mode-uses-user-gs: when a transfer from CPL0 to CPL3 is complete, GS base is the one that the current task
 * had in user mode before, and IA32_KERNEL_GS_BASE is the per-CPU area of this CPU.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { GS_BASE, KERNEL_GS_BASE } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { USER_GS_HI, USER_GS_LO } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

function userModeUsesUserGs(scene: Scene, cpu: Cpu): Answer {
  const t = scene.view.currentThread(cpu.index);
  if (scene.view.gsIsKernels(cpu, GS_BASE) || !scene.view.gsIsKernels(cpu, KERNEL_GS_BASE)) {
    return `expected the user's GS base in user mode and the kernel's in IA32_KERNEL_GS_BASE, found GS base ${gsBase(cpu)} and IA32_KERNEL_GS_BASE ${hex64(cpu.r[KERNEL_GS_BASE], cpu.r[KERNEL_GS_BASE + 1])}`;
  }
  if (t < 0) return undefined;
  const at = scene.ghost.thread(t);
  const { words } = scene.ghost;
  if (words[at + USER_GS_LO] === 0 && words[at + USER_GS_HI] === 0) return undefined;
  if (cpu.r[GS_BASE] === words[at + USER_GS_LO] && cpu.r[GS_BASE + 1] === words[at + USER_GS_HI]) return undefined;
  return `expected GS base ${hex64(words[at + USER_GS_LO], words[at + USER_GS_HI])} of task t${t}, found ${gsBase(cpu)}`;
}

function gsBase(cpu: Cpu): string {
  return hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1]);
}

export const USER_MODE_USES_USER_GS: BuiltInProperty = {
  number: 3,
  slug: 'user-mode-uses-user-gs',
  promise: "User mode runs with the GS base of its own task, and the kernel's is in the other register.",
  violated: 'A task returned to user mode with a wrong GS base: a swapgs too many or too few.',
  definition:
    'GS base is the one that the current task had before, IA32_KERNEL_GS_BASE is the per-CPU area of this CPU',
  model: 'invariant',
  mutant: 'mainline+no-swapgs-on-exit',
  moments: { userModeReached: userModeUsesUserGs },
};
