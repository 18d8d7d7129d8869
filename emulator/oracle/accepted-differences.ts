/**
 * Where QEMU 7.2 and the emulator are known to differ, as code: one exact predicate each. Lock-step gives QEMU our
 * value, counts the difference under its name and goes on; what no predicate explains is a failure.
 *
 * A row belongs here only if QEMU is wrong by the manual or the manual leaves the choice open, and if a guest has met
 * it.
 */
import { Mnemonic } from 'iced-x86';
import { OP_MEM_READ, OP_MEM_WRITE, OP_REP } from '../micro-op';
import { PTE_A, PTE_D } from '../mmu/page-walk';
import {
  CPL,
  EFLAGS,
  FLAG_DF,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  SS,
  STATUS_FLAGS,
  VEC_DB,
  VEC_DF,
  VEC_PF,
} from '../registers';
import { RETIRED } from '../step-result';
import { DESCRIPTOR_ACCESSED } from '../system/descriptors';
import type { Step } from './observed-cpu';
import { undefinedFlags } from './undefined-flags';

export interface RegisterDifference {
  readonly kind: 'register';
  readonly name: string;
  readonly ours: bigint;
  readonly theirs: bigint;
}

export type Difference =
  | RegisterDifference
  /** `pa` is the physical byte address of an aligned 32-bit word. */
  | { readonly kind: 'memory'; readonly pa: number; readonly ours: number; readonly theirs: number };

/** Bits of a #PF's error code (SDM vol. 3, 4.7). */
const PF_P = 1,
  PF_W = 2,
  PF_RSVD = 8;

const RETURNS: readonly Mnemonic[] = [Mnemonic.Iretq, Mnemonic.Retf];

export interface AcceptedDifference {
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
      (step.cpu.rip() === step.op.va || step.delivered?.source === 'trap') &&
      onlyFlags(step, difference, FLAG_RF) &&
      (BigInt(difference.theirs) & BigInt(FLAG_RF)) === 0n,
  },
  {
    name: 'syscall-clears-flags',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, SYSCALL: RFLAGS := RFLAGS AND NOT(IA32_FMASK)',
    why: 'QEMU clears the status flags and DF whatever IA32_FMASK says',
    smallestInput: 'stc; syscall, with FMASK.CF = 0',
    explains: (step, difference) =>
      executed(step, Mnemonic.Syscall) &&
      onlyFlags(step, difference, STATUS_FLAGS | FLAG_DF) &&
      (BigInt(difference.theirs) & BigInt(STATUS_FLAGS | FLAG_DF)) === 0n,
  },
  {
    name: 'ss-after-ist',
    vendor: 'open',
    section: 'SDM vol. 3, 6.14.4 and 6.14.5 (they contradict each other)',
    why: 'an event that changes to an IST stack and not the CPL: QEMU loads SS with NULL, the emulator keeps it as without IST',
    smallestInput: 'an NMI at CPL 0 through a gate with IST 1, SS = 0x18',
    explains: (step, difference) =>
      step.delivered !== undefined &&
      step.delivered.ist !== 0 &&
      difference.kind === 'register' &&
      difference.name === 'ss' &&
      step.cpu.r[CPL] === step.before[CPL] &&
      difference.theirs === BigInt(step.cpu.r[CPL]) &&
      difference.ours === BigInt(step.before[SS]),
  },
  {
    name: 'reserved-bit-not-present',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 4.7',
    why: 'a #PF by a reserved bit of a paging-structure entry has P=1 in its error code; QEMU pushes P=0',
    smallestInput: 'mov (%rbx),%rax through an entry with bit 51 set',
    explains: (step, difference) => isPageFaultError(step, difference, PF_P) && (difference.ours & PF_RSVD) !== 0,
  },
  {
    name: 'read-modify-write-reads-first',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 4.7 (W/R: the access causing the exception was a write)',
    why: 'an instruction that reads and writes its operand asks for a write; QEMU faults in the read',
    smallestInput: 'incl (%rbx), the page not present',
    explains: (step, difference) =>
      step.op !== undefined &&
      (step.op.flags & OP_MEM_READ) !== 0 &&
      (step.op.flags & OP_MEM_WRITE) !== 0 &&
      isPageFaultError(step, difference, PF_W | (Number(difference.ours) & PF_RSVD ? PF_P : 0)) &&
      (difference.ours & PF_W) !== 0,
  },
  {
    name: 'gate-error-code',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 6.13 (figure 6-7: the index of a gate begins at bit 3)',
    why: 'the error code that names a gate has vector * 8 + 2; QEMU pushes vector * 16 + 2, and no EXT',
    smallestInput: 'int $0xa2 at CPL 3, DPL of the gate 0',
    explains: (step, difference) =>
      isErrorCode(step, difference) &&
      (difference.ours & 2) !== 0 &&
      difference.theirs === (difference.ours >> 3) * 16 + 2,
  },
  {
    name: 'ext-not-set',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 6.13 (EXT)',
    why: 'a fault in the delivery of an event other than INT n has EXT=1 in its error code; QEMU never sets it',
    smallestInput: 'an NMI at CPL 3, the TSS limit 0x10',
    explains: (step, difference) =>
      isErrorCode(step, difference) && (difference.ours & 3) === 1 && difference.theirs === difference.ours - 1,
  },
  {
    name: 'accessed-bit-of-frame',
    vendor: 'open',
    section: 'SDM vol. 3, 4.8 (a processor may set A bits of pages that an instruction would have used)',
    why: 'an IRET that faults has read the whole frame, also its part in the next page; QEMU reads word by word',
    smallestInput: 'iretq, CS = 0 in its frame, which crosses a page whose entry has A=0',
    explains: (step, difference) =>
      step.op !== undefined &&
      RETURNS.includes(step.op.mnemonic) &&
      step.fault !== undefined &&
      difference.kind === 'memory' &&
      (difference.ours & PTE_A) !== 0 &&
      (difference.ours & ~PTE_A) === difference.theirs,
  },
  {
    name: 'accessed-bit-of-descriptor',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 3.4.5.1 (the processor sets A when it loads the selector)',
    why: 'IRET, far RET and deliveries load CS, and IRET SS, without setting the accessed bit in QEMU',
    smallestInput: 'iretq, A=0 in the descriptor of CS',
    explains: (step, difference) =>
      ((step.op !== undefined && RETURNS.includes(step.op.mnemonic)) || step.delivered !== undefined) &&
      difference.kind === 'memory' &&
      step.gdtPage !== undefined &&
      (lacksBit(difference, DESCRIPTOR_ACCESSED, difference.pa & -4096, step.gdtPage) ||
        lacksBit(difference, PTE_D, difference.ours & -4096, step.gdtPage)),
  },
  {
    name: 'iret-virtual-interrupt-flags',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, IRET (VIF and VIP, at CPL 0)',
    why: 'IRET at CPL 0 loads VIF and VIP; QEMU leaves them as they were',
    smallestInput: 'iretq at CPL 0, VIP=1 in its frame',
    explains: (step, difference) =>
      executed(step, Mnemonic.Iretq) && step.before[CPL] === 0 && onlyFlags(step, difference, FLAG_VIF | FLAG_VIP),
  },
  {
    name: 'rf-of-iret',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, IRET (RF), and vol. 3, 17.3.1.1',
    why: 'IRET loads RF from its frame; QEMU clears it again if it was set before the IRET',
    smallestInput: 'iretq, RF=1 in RFLAGS and in its frame',
    explains: (step, difference) =>
      executed(step, Mnemonic.Iretq) &&
      (step.before[EFLAGS] & FLAG_RF) !== 0 &&
      (BigInt(difference.theirs) & BigInt(FLAG_RF)) === 0n &&
      onlyFlags(step, difference, FLAG_RF | (step.before[CPL] === 0 ? FLAG_VIF | FLAG_VIP : 0)),
  },
  {
    name: 'sysret-flags',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, SYSRET: RFLAGS := (R11 AND 3C7FD7H) OR 2',
    why: 'SYSRET loads VIF and VIP, and not RF; with QEMU it is the other way round',
    smallestInput: 'sysretq, R11 = 0x10002',
    explains: (step, difference) =>
      executed(step, Mnemonic.Sysretq) && onlyFlags(step, difference, FLAG_VIF | FLAG_VIP | FLAG_RF),
  },
  {
    name: 'rf-of-int-n',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 17.3.1.1',
    why: 'RF lasts for one instruction, so INT n pushes it as 0; QEMU pushes it as it was',
    smallestInput: 'int $0x80, RF=1',
    explains: (step, difference) =>
      step.delivered?.source === 'software' &&
      difference.kind === 'memory' &&
      difference.pa === step.pushedFlags &&
      (step.before[EFLAGS] & FLAG_RF) !== 0 &&
      (difference.ours | FLAG_RF) === difference.theirs,
  },
  {
    name: 'undefined-flags',
    vendor: 'open',
    section: 'SDM vol. 1, appendix A; vol. 2, "Flags Affected" of each instruction',
    why: 'the manual leaves these status flags undefined after this instruction',
    smallestInput: 'shr $12,%rax (OF)',
    explains: (step, difference) =>
      step.result === RETIRED &&
      step.op !== undefined &&
      onlyFlags(step, difference, undefinedFlags(step.op, step.before)),
  },
];

/** The row that explains the difference. */
export function explain(step: Step, difference: Difference): AcceptedDifference | undefined {
  return ACCEPTED_DIFFERENCES.find((accepted) => accepted.explains(step, difference));
}

/** The other machine has this bit clear and ours has it set, if the two pages are one. */
function lacksBit(difference: { ours: number; theirs: number }, bit: number, page: number, wanted: number): boolean {
  return page === wanted && (difference.ours & bit) !== 0 && (difference.ours & ~bit) === difference.theirs;
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

/** The error code that was pushed last is different. */
function isErrorCode(step: Step, difference: Difference): difference is Extract<Difference, { kind: 'memory' }> {
  return difference.kind === 'memory' && difference.pa === step.pushedError && step.delivered?.vector !== VEC_PF;
}

/** The same of a #PF, where the other machine lacks some of these bits, and nothing else differs. */
function isPageFaultError(
  step: Step,
  difference: Difference,
  bits: number,
): difference is Extract<Difference, { kind: 'memory' }> {
  return (
    difference.kind === 'memory' &&
    difference.pa === step.pushedError &&
    step.delivered?.vector === VEC_PF &&
    (difference.ours & ~bits) === difference.theirs
  );
}

/** In the register, or in the frame of a #DB trap that ended the instruction. */
function onlyFlags(step: Step, difference: Difference, flags: number): boolean {
  if (difference.kind === 'register')
    return difference.name === 'eflags' && ((difference.ours ^ difference.theirs) & ~BigInt(flags)) === 0n;
  return (
    step.delivered?.source === 'trap' &&
    difference.pa === step.pushedFlags &&
    ((difference.ours ^ difference.theirs) & ~flags) === 0
  );
}
