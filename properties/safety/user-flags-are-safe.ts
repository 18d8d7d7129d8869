/**
 * S25 user-flags-are-safe: after a return to CPL3, IF is 1 and IOPL is 0, wherever the flags came from (a signal frame,
 * a tracer): user code that runs with IF=0 or may do port I/O owns the machine (SDM Vol. 1, 3.4.3 and 18.5.1).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { FLAG_IF, FLAG_IOPL } from '../../emulator/registers';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const IOPL_SHIFT = 12;

/** After a return to CPL3. */
function userFlagsAreSafe(_scene: Scene, cpu: Cpu): Answer {
  const flags = cpu.rflags();
  const iopl = (flags & FLAG_IOPL) >> IOPL_SHIFT;
  if ((flags & FLAG_IF) === 0) return 'expected IF=1 in user mode, found IF=0';
  if (iopl !== 0) return `expected IOPL 0 in user mode, found IOPL ${iopl}`;
  return undefined;
}

export const USER_FLAGS_ARE_SAFE: BuiltInProperty = {
  number: 25,
  slug: 'user-flags-are-safe',
  promise: 'User mode runs with IF=1 and IOPL 0.',
  violated: 'A task returned to user mode with interrupts off or with the right to do port I/O.',
  definition: 'in user mode IF is 1 and IOPL is 0',
  model: '-',
  mutant: 'mainline+iopl-from-frame',
  moments: { userModeReached: userFlagsAreSafe },
};
