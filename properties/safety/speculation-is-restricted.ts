/**
 * S27 speculation-is-restricted, of kernels that have decided so: C code begins with IBRS on, so that branches that
 * user mode has trained are not followed, and VERW has cleared the processor's buffers before user mode goes on (SDM
 * vol. 4, IA32_SPEC_CTRL; Linux, Documentation/admin-guide/hw-vuln/spectre.rst and mds.rst). Where in the exit VERW is,
 * and what is loaded after it, is not asked.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL } from '../../emulator/registers';
import { BUFFERS_CLEARED } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** Before the first instruction of the body of a context. */
function ibrsIsOn({ view: { speculation } }: Scene, cpu: Cpu): Answer {
  if (speculation === undefined || !speculation.wantsIbrs(cpu.index) || speculation.ibrsIsOn(cpu)) return undefined;
  return 'expected IBRS to be on at the first instruction of .text, as the kernel has decided, found it off';
}

/** A return has completed. */
function buffersAreClear({ view, ghost }: Scene, cpu: Cpu): Answer {
  if (cpu.r[CPL] !== 3 || view.speculation === undefined || !view.speculation.clearsBuffers) return undefined;
  if (ghost.words[ghost.cpu(cpu.index) + BUFFERS_CLEARED] === 1) return undefined;
  return 'expected VERW before user mode goes on, as the kernel has decided, found none';
}

export const SPECULATION_IS_RESTRICTED: BuiltInProperty = {
  number: 27,
  slug: 'speculation-is-restricted',
  promise: 'C code runs with IBRS, and buffers are cleared before user mode, where the kernel has decided so.',
  violated: 'The kernel speculated as user mode had trained it to, or left data in buffers that user mode can read.',
  definition:
    'where the kernel has decided so: IBRS is on at the first instruction of `.text` of a context; a VERW was executed between two returns to user mode',
  model: '-',
  mutant: 'mainline+no-verw-before-sysret',
  moments: { bodyReached: ibrsIsOn, returned: buffersAreClear },
};
