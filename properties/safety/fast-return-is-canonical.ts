/**
 * S17 fast-return-is-canonical: SYSRET returns to a canonical address only (Intel's processors raise #GP at CPL0
 * otherwise, on the user's stack; AMD's at CPL3), and no event without an IST stack is delivered while rsp is the
 * user's at CPL0.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Delivery } from '../../emulator/observer';
import { CPL, IDTR_BASE, RCX } from '../../emulator/registers';
import { isCanonical, toVa } from '../../emulator/words';
import { USER } from '../../model/kinds';
import { STACK } from '../ghost/ghost';
import { gateIst } from '../guest/external-vectors';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** Before SYSRET. */
function fastReturnIsCanonical(_scene: Scene, cpu: Cpu): Answer {
  if (cpu.platform.vendor === 'intel' && !isCanonical(cpu.r[RCX], cpu.r[RCX + 1]))
    return 'expected SYSRET to a canonical address, found a non-canonical RCX';
  return undefined;
}

/** Before a delivery. Whether the vector has an IST stack, its gate says. */
function noDeliveryOnUserStack(scene: Scene, cpu: Cpu, event: Delivery): Answer {
  if (cpu.r[CPL] !== 0 || scene.ghost.words[scene.ghost.cpu(cpu.index) + STACK] !== USER) return undefined;
  const base = toVa(cpu.r[IDTR_BASE], cpu.r[IDTR_BASE + 1]);
  if (gateIst(scene.view.machine, scene.view.kernelTable, base, event.vector) !== 0) return undefined;
  return `expected no event without IST while rsp is the user's at CPL0, found vector ${event.vector}`;
}

export const FAST_RETURN_IS_CANONICAL: BuiltInProperty = {
  number: 17,
  slug: 'fast-return-is-canonical',
  promise: "SYSRET returns to a canonical address, and nothing is delivered at CPL0 on the user's stack.",
  violated: 'An event ran in kernel mode on a stack that user space chose (CVE-2012-0217 is the classic one).',
  definition:
    "SYSRET only with a canonical rcx; no event whose gate names no IST stack is delivered at CPL0 while rsp is the user's",
  model: '-',
  mutant: 'mainline+sysret-to-noncanonical',
  moments: { sysretReached: fastReturnIsCanonical, delivering: noDeliveryOnUserStack },
};
