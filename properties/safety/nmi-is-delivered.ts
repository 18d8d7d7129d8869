/**
 * L2 nmi-is-delivered (bounded): a pending NMI is delivered within 512 instructions after the last NMI context has ended, that is, NMIs do not stay
 * blocked when nothing is left that an IRET will end.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { NMI } from '../../model/kinds';
import { CTX_KIND, SINCE_PENDING } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { L2 } from './property';

const LIMIT = 512;

/** After an instruction, with an NMI pending. */
export function nmiIsDelivered(m: Monitor, cpu: Cpu, g: number): void {
  const { words } = m.ghost;
  const t = m.ghost.running(cpu.index);
  for (let k = 0; k < m.ghost.depth(t); k++) if (words[m.ghost.context(t, k) + CTX_KIND] === NMI) return;
  if (++words[g + SINCE_PENDING] > LIMIT)
    m.report(L2, cpu, `expected the pending NMI within ${LIMIT} instructions after the last NMI context, found NMIs still blocked`);
}
