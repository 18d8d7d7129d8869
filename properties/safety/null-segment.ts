/**
 * FS and GS of user mode where CR4.FSGSBASE is 0. Linux does not read a base then: of a null selector it takes for
 * granted that the base is the last one that the task has asked for, and loads that after a switch of tasks
 * (arch/x86/kernel/process_64.c, save_base_legacy). But to load a null selector has made it 0; or, on a processor of
 * AMD, has left the base of the selector before (APM vol. 2, 4.5.3).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR4, CR4_FSGSBASE } from '../../emulator/registers';

/** The base `lo`, `hi` of FS or GS, whose selector is in the word `selector`, may come back as another one. */
export function mayComeBackWithOtherBase({ r, platform }: Cpu, selector: number, lo: number, hi: number): boolean {
  if ((r[CR4] & CR4_FSGSBASE) !== 0 || (r[selector] & ~3) !== 0) return false;
  return (lo | hi) === 0 || platform.vendor === 'amd';
}
