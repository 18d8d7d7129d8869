/**
 * S15 noflush-is-safe: a user half is loaded with the no-flush bit only if nobody has asked for a flush of its PCID
 * since it was last flushed. The kernel asks by a bit of a mask (`user_pcid_flush_mask`), because it cannot flush a
 * PCID that is not loaded; the exit clears the bit and leaves the no-flush bit out (SDM Vol. 3A, 4.10.4.1). The mask is
 * looked at before each %gs-relative instruction, which is how it is read and cleared, so a bit that is cleared for
 * nothing is not forgotten.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { MicroOp } from '../../emulator/micro-op';
import { CR3, CR4, CR4_PCIDE } from '../../emulator/registers';
import { FLUSH_OWED } from '../ghost/ghost';
import type { GuestView } from '../guest/guest-view';
import type { Moments } from './moments';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

const KERNEL_PCID = 0x7ff;
/** The mask has a bit for each of these; no kernel uses more. */
const PCIDS = 16;

function owed({ view, ghost }: Scene, cpu: Cpu): number {
  return ghost.words[ghost.cpu(cpu.index) + FLUSH_OWED] | view.machine.memory.read16(view.flushMaskPa[cpu.index]);
}

/** Before a %gs-relative instruction: what is asked for now is owed. */
function noteOwed(scene: Scene, cpu: Cpu): Answer {
  scene.ghost.words[scene.ghost.cpu(cpu.index) + FLUSH_OWED] = owed(scene, cpu);
  return undefined;
}

/** After a write of CR3 from the register `op.s`, whose bit 63 is the no-flush bit. */
function noflushIsSafe(scene: Scene, cpu: Cpu, op: MicroOp): Answer {
  const pcid = cpu.r[CR3] & KERNEL_PCID;
  if ((cpu.r[CR4] & CR4_PCIDE) === 0 || !scene.view.isUserHalf(cpu.r[CR3]) || pcid >= PCIDS) return undefined;
  const noflush = cpu.r[op.s + 1] < 0;
  if (!noflush) {
    scene.ghost.words[scene.ghost.cpu(cpu.index) + FLUSH_OWED] &= ~(1 << pcid);
    return undefined;
  }
  if ((owed(scene, cpu) & (1 << pcid)) === 0) return undefined;
  return `expected the user half of PCID ${pcid} to be flushed, as the kernel has asked for, found it loaded with the no-flush bit`;
}

function flushMoments({ flushMaskPa }: GuestView): Moments {
  return flushMaskPa.length === 0 ? {} : { gsAccessed: noteOwed, cr3Written: noflushIsSafe };
}

export const NOFLUSH_IS_SAFE: BuiltInProperty = {
  number: 15,
  slug: 'noflush-is-safe',
  promise: 'A user half whose flush the kernel has asked for is not loaded with the no-flush bit.',
  violated: 'User mode ran with translations that the kernel had taken away: memory of somebody else, maybe.',
  definition:
    'CR3 is written with a user half and the no-flush bit only if its bit in the flush mask is 0, and was 0 at each %gs-relative instruction since that PCID was last loaded without the no-flush bit. Asked where the manifest has `percpu.flush_mask`',
  model: '-',
  mutant: 'mainline+flush-not-paid',
  moments: flushMoments,
};
