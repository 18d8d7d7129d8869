/**
 * Faults that QEMU raises somewhere else, as another exception, or not at all: what a guest that goes on after them
 * needs to know before it meets them. ./accepted-divergences says why, and judges where both machines have gone.
 */
import { Mnemonic } from 'iced-x86';
import type { MicroOp } from '../micro-op';
import type { Fault } from '../observer';
import { VEC_AC, VEC_GP, VEC_SS } from '../registers';

/** Instructions with a target to which QEMU goes before it looks whether the address is canonical. */
const WITH_TARGET = new Map<Mnemonic, string>([
  [Mnemonic.Jmp, 'jump-to-non-canonical'],
  [Mnemonic.Call, 'jump-to-non-canonical'],
  [Mnemonic.Ret, 'jump-to-non-canonical'],
  [Mnemonic.Iretq, 'return-to-non-canonical'],
]);

/**
 * The row of ./accepted-divergences that a fault belongs to, or undefined if QEMU should raise it, too. `op` is the
 * instruction that raised it. Of the #GP(0) of an instruction with a target the reason is not asked.
 */
export function divergenceOf(op: MicroOp, { vector, error }: Readonly<Fault>): string | undefined {
  if (vector === VEC_AC) return 'no-alignment-check';
  if (error !== 0) return undefined;
  if (vector === VEC_SS) return 'non-canonical-stack';
  return vector === VEC_GP ? WITH_TARGET.get(op.mnemonic) : undefined;
}
