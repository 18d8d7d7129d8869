/**
 * L2 nmi-is-delivered (bounded): a pending NMI is delivered within 512 instructions after the last NMI context has
 * ended, that is, NMIs do not stay blocked when nothing is left that an IRET will end; the same at every return to user
 * mode, pending or not.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { NMI_BLOCKED } from '../../emulator/registers';
import { NMI } from '../../model/kinds';
import { CTX_KIND, SINCE_PENDING } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const LIMIT = 512;

/**
 * After a return to user mode that closed the last context: whoever blocked NMIs is gone, and no IRET is left to come.
 */
function nmisAreUnblocked(scene: Scene, cpu: Cpu): Answer {
  if (cpu.r[NMI_BLOCKED] !== 0 && scene.ghost.depth(scene.ghost.running(cpu.index)) === 0)
    return 'expected NMIs to be unblocked in user mode, found them blocked with no NMI context left to end it';
  return undefined;
}

/** After an instruction, with an NMI pending. */
function nmiIsDelivered(scene: Scene, cpu: Cpu): Answer {
  const { words } = scene.ghost;
  const g = scene.ghost.cpu(cpu.index);
  const t = scene.ghost.running(cpu.index);
  for (let k = 0; k < scene.ghost.depth(t); k++)
    if (words[scene.ghost.context(t, k) + CTX_KIND] === NMI) return undefined;
  if (++words[g + SINCE_PENDING] > LIMIT)
    return `expected the pending NMI within ${LIMIT} instructions after the last NMI context, found NMIs still blocked`;
  return undefined;
}

export const NMI_IS_DELIVERED: BuiltInProperty = {
  number: 102,
  slug: 'nmi-is-delivered',
  promise: 'A pending NMI is delivered within 512 instructions after the last NMI has ended.',
  violated: 'NMIs stay blocked: the watchdog and perf are dead on that CPU.',
  definition:
    'a pending NMI is delivered within 512 instructions once no NMI context is open; NMIs are not blocked in user mode with no context open',
  model: '-',
  mutant: 'mainline+nmi-never-unblocked',
  moments: { userModeReached: nmisAreUnblocked, nmiPending: nmiIsDelivered },
};
