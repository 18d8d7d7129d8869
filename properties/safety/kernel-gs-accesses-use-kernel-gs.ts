/**
 * S4 kernel-gs-accesses-use-kernel-gs: an access relative to GS at CPL0 uses the per-CPU area of this CPU. Judged when
 * the address is formed, before the access itself can fault.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { GS_BASE } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { USER_GS } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S4 } from './property';

export function gsAccessUsesKernelGs(m: Monitor, cpu: Cpu, g: number): void {
  if (m.ghost.words[g + USER_GS] === 0) return;
  m.report(
    S4,
    cpu,
    `expected the per-CPU area in GS base for an access at CPL0, found ${hex64(cpu.r[GS_BASE], cpu.r[GS_BASE + 1])}`,
  );
}
