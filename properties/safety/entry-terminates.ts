/**
 * L1 entry-terminates (bounded): every entry reaches user mode, a context switch, another event or a choice of its own
 * within 4096 instructions, and never the guest's panic.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { ICOUNT } from '../../emulator/registers';
import { PROGRESS_AT } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { L1 } from './property';

const LIMIT = 4096;

/** After a branch at CPL0: a path that is too long has one. */
export function entryTerminates(m: Monitor, cpu: Cpu, g: number): void {
  if (((cpu.r[ICOUNT] - m.ghost.words[g + PROGRESS_AT]) | 0) > LIMIT)
    m.report(L1, cpu, `expected user mode, a context switch or another event within ${LIMIT} instructions, found none`);
}

/** Before the first instruction of the guest's panic. */
export function panicIsNotReached(m: Monitor, cpu: Cpu): void {
  m.report(L1, cpu, 'expected the entry to return, found the panic of the guest');
}
