/**
 * L1 entry-terminates (bounded): every entry reaches user mode, a context switch, another event or a choice of its own within 4096 instructions, and
 * never the guest's panic.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { SINCE_PROGRESS } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { L1 } from './property';

const LIMIT = 4096;

/** After an instruction at CPL0, or before the first one of `panic`. */
export function entryTerminates(m: Monitor, cpu: Cpu, g: number, panic: boolean): void {
  if (panic) m.report(L1, cpu, 'expected the entry to return, found the panic of the guest');
  else if (++m.ghost.words[g + SINCE_PROGRESS] > LIMIT)
    m.report(L1, cpu, `expected user mode, a context switch or another event within ${LIMIT} instructions, found none`);
}
