/**
 * S25 user-flags-are-safe: after a return to CPL3, IF is 1 and IOPL is 0, wherever the flags came from (a signal frame,
 * a tracer): user code that runs with IF=0 or may do port I/O owns the machine (SDM Vol. 1, 3.4.3 and 18.5.1).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { FLAG_IF, FLAG_IOPL } from '../../emulator/registers';
import type { Monitor } from '../monitor/monitor';
import { S25 } from './property';

const IOPL_SHIFT = 12;

/** After a return to CPL3. */
export function userFlagsAreSafe(m: Monitor, cpu: Cpu): void {
  const flags = cpu.rflags();
  const iopl = (flags & FLAG_IOPL) >> IOPL_SHIFT;
  if ((flags & FLAG_IF) === 0) m.report(S25, cpu, 'expected IF=1 in user mode, found IF=0');
  if (iopl !== 0) m.report(S25, cpu, `expected IOPL 0 in user mode, found IOPL ${iopl}`);
}
