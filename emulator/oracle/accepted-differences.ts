/**
 * Where QEMU 7.2 and the emulator are known to differ, as code: one exact predicate each. Lock-step gives QEMU our
 * value, counts the difference under its name and goes on; what no predicate explains is a failure.
 *
 * A row belongs here only if QEMU is wrong by the manual or the manual leaves the choice open, and if a guest has met
 * it.
 */
import { Mnemonic } from 'iced-x86';
import { OP_REP } from '../micro-op';
import { FLAG_DF, FLAG_RF, SS, STATUS_FLAGS, VEC_DB, VEC_DF } from '../registers';
import { RETIRED } from '../step-result';
import type { Step } from './observed-cpu';
import { undefinedFlags } from './undefined-flags';

export type Difference =
  | { readonly kind: 'register'; readonly name: string; readonly ours: bigint; readonly theirs: bigint }
  /** `pa` is the physical byte address of an aligned 32-bit word. */
  | { readonly kind: 'memory'; readonly pa: number; readonly ours: number; readonly theirs: number };

interface AcceptedDifference {
  readonly name: string;
  /** Whose processors do what the emulator does; `open` where the manual does not say. */
  readonly vendor: 'Intel and AMD' | 'Intel' | 'open';
  /** Where the manual says so. */
  readonly section: string;
  readonly why: string;
  /** The shortest program that shows it. */
  readonly smallestInput: string;
  /** True if this difference, after this step, is the known one and nothing else. */
  explains(step: Step, difference: Difference): boolean;
}

export const ACCEPTED_DIFFERENCES: readonly AcceptedDifference[] = [
  {
    name: 'rf-not-pushed',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 17.3.1.1; APM vol. 2, 3.1.6',
    why: 'QEMU pushes RFLAGS.RF = 0 for a fault; a processor sets it in the image of every fault but #DB',
    smallestInput: 'ud2',
    explains: (step, difference) =>
      step.delivered?.source === 'fault' &&
      step.delivered.vector !== VEC_DB &&
      step.delivered.vector !== VEC_DF &&
      isMissingRf(step, difference),
  },
  {
    name: 'rf-of-double-fault',
    vendor: 'open',
    section: 'SDM vol. 3, 17.3.1.1 (of faults; #DF is an abort, 6.15, whose saved state is not defined)',
    why: 'the emulator pushes RFLAGS.RF = 1 for #DF, as Bochs does; QEMU pushes it as it was',
    smallestInput: 'an interrupt whose stack cannot be written and has a #PF gate without IST',
    explains: (step, difference) =>
      step.delivered?.source === 'fault' && step.delivered.vector === VEC_DF && isMissingRf(step, difference),
  },
  {
    name: 'rf-in-repetition',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 17.3.1.1',
    why: 'an event between two iterations of a repeated string instruction pushes RF = 1; QEMU never sets it there',
    smallestInput: 'rep movsq, rcx = 2, after the first iteration',
    explains: (step, difference) =>
      step.result === RETIRED &&
      step.op !== undefined &&
      (step.op.flags & OP_REP) !== 0 &&
      step.cpu.rip() === step.op.va &&
      onlyFlags(difference, FLAG_RF) &&
      (difference.theirs & BigInt(FLAG_RF)) === 0n,
  },
  {
    name: 'syscall-clears-flags',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, SYSCALL: RFLAGS := RFLAGS AND NOT(IA32_FMASK)',
    why: 'QEMU clears the status flags and DF whatever IA32_FMASK says',
    smallestInput: 'stc; syscall, with FMASK.CF = 0',
    explains: (step, difference) =>
      executed(step, Mnemonic.Syscall) &&
      onlyFlags(difference, STATUS_FLAGS | FLAG_DF) &&
      (difference.theirs & BigInt(STATUS_FLAGS | FLAG_DF)) === 0n,
  },
  {
    name: 'ss-after-ist',
    vendor: 'open',
    section: 'SDM vol. 3, 6.14.4 and 6.14.5 (they contradict each other)',
    why: 'an event that changes to an IST stack at CPL 0: QEMU loads SS with NULL, the emulator keeps it as without IST',
    smallestInput: 'an NMI at CPL 0 through a gate with IST 1, SS = 0x18',
    explains: (step, difference) =>
      step.delivered !== undefined &&
      step.delivered.ist !== 0 &&
      difference.kind === 'register' &&
      difference.name === 'ss' &&
      difference.theirs === 0n &&
      difference.ours === BigInt(step.before[SS]) &&
      (step.before[SS] & 3) === 0,
  },
  {
    name: 'undefined-flags',
    vendor: 'open',
    section: 'SDM vol. 1, appendix A; vol. 2, "Flags Affected" of each instruction',
    why: 'the manual leaves these status flags undefined after this instruction',
    smallestInput: 'shr $12,%rax (OF)',
    explains: (step, difference) =>
      step.result === RETIRED && step.op !== undefined && onlyFlags(difference, undefinedFlags(step.op, step.before)),
  },
];

/** The row that explains the difference. */
export function explain(step: Step, difference: Difference): AcceptedDifference | undefined {
  return ACCEPTED_DIFFERENCES.find((accepted) => accepted.explains(step, difference));
}

function executed(step: Step, mnemonic: Mnemonic): boolean {
  return step.result === RETIRED && step.op?.mnemonic === mnemonic;
}

/** The RFLAGS in the frame that was pushed last lacks RF, and nothing else differs in it. */
function isMissingRf(step: Step, difference: Difference): boolean {
  return (
    difference.kind === 'memory' &&
    difference.pa === step.pushedFlags &&
    (difference.ours ^ difference.theirs) === FLAG_RF &&
    (difference.ours & FLAG_RF) !== 0
  );
}

function onlyFlags(difference: Difference, flags: number): difference is Extract<Difference, { kind: 'register' }> {
  return (
    difference.kind === 'register' &&
    difference.name === 'eflags' &&
    ((difference.ours ^ difference.theirs) & ~BigInt(flags)) === 0n
  );
}
