/**
 * S4 kernel-gs-accesses-use-kernel-gs: an access relative to GS at CPL0 uses the per-CPU area of this CPU. Judged when
 * the address is formed, before the access itself can fault.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { GS_BASE } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { USER_GS } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

function gsAccessUsesKernelGs(scene: Scene, cpu: Cpu): Answer {
  if (scene.ghost.words[scene.ghost.cpu(cpu.index) + USER_GS] === 0) return undefined;
  return `expected the per-CPU area in GS base for an access at CPL0, found ${hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1])}`;
}

export const KERNEL_GS_ACCESSES_USE_KERNEL_GS: BuiltInProperty = {
  number: 4,
  slug: 'kernel-gs-accesses-use-kernel-gs',
  promise: 'Every GS-relative access of the kernel uses the per-CPU area of its own CPU.',
  violated: 'The kernel used a GS base that is not its own: user space decides where per-CPU data is.',
  definition: 'a %gs-relative access at CPL0 has the per-CPU area of this CPU in GS base',
  model: 'requires: the load of the kernel stack',
  mutant: 'mainline+no-swapgs-at-bad-iret',
  moments: { gsAccessed: gsAccessUsesKernelGs },
};
