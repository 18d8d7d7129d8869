/**
 * L2 nmi-is-delivered (bounded): a pending NMI is delivered within 512 instructions after the last NMI context has
 * ended, that is, NMIs do not stay blocked when nothing is left that an IRET will end; the same at every return to user
 * mode, pending or not.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { NMI_BLOCKED } from '../../emulator/registers';
import { NMI } from '../../model/kinds';
import { CTX_KIND, SINCE_PENDING } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { L2 } from './property';

const LIMIT = 512;

/**
 * After a return to user mode that closed the last context: whoever blocked NMIs is gone, and no IRET is left to come.
 */
export function nmisAreUnblocked(m: Monitor, cpu: Cpu): void {
  if (cpu.r[NMI_BLOCKED] !== 0 && m.ghost.depth(m.ghost.running(cpu.index)) === 0)
    m.report(
      L2,
      cpu,
      'expected NMIs to be unblocked in user mode, found them blocked with no NMI context left to end it',
    );
}

/** After an instruction, with an NMI pending. */
export function nmiIsDelivered(m: Monitor, cpu: Cpu, g: number): void {
  const { words } = m.ghost;
  const t = m.ghost.running(cpu.index);
  for (let k = 0; k < m.ghost.depth(t); k++) if (words[m.ghost.context(t, k) + CTX_KIND] === NMI) return;
  if (++words[g + SINCE_PENDING] > LIMIT)
    m.report(
      L2,
      cpu,
      `expected the pending NMI within ${LIMIT} instructions after the last NMI context, found NMIs still blocked`,
    );
}
