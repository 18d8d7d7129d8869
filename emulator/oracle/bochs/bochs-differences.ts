/**
 * Where Bochs 2.7 and the emulator are known to differ in vectors of the conformance corpus, as code. Registers are
 * compared after each step, and Bochs is given ours; memory at the end; where Bochs goes another way the vector ends.
 * Anything else fails.
 */
import { Mnemonic } from 'iced-x86';
import { OP_REP } from '../../micro-op';
import { PTE_A, PTE_D } from '../../mmu/page-walk';
import {
  CR2,
  CR4,
  CR4_SMAP,
  EFLAGS,
  FLAG_AC,
  FLAG_RF,
  FLAG_TF,
  RCX,
  RDX,
  RSP,
  SS,
  STI_SHADOW,
  VEC_DF,
  VEC_GP,
  VEC_PF,
  VEC_SS,
} from '../../registers';
import { FAULTED, RETIRED } from '../../step-result';
import { toBigInt } from '../../words';
import type { AcceptedDifference, Difference } from '../accepted-differences';
import type { Step } from '../observed-cpu';
import { type AcceptedDivergence, row } from '../other-state';
import { KERNEL, PT_KERNEL, physicalOf, USER } from '../scenes/scene-layout';

type MemoryDifference = Extract<Difference, { kind: 'memory' }>;

/** A row about memory. */
export interface AcceptedMemory extends Omit<AcceptedDifference, 'explains'> {
  /** What Bochs may have at the end of a vector that has such a step; undefined if this is none. */
  after(step: Step): ((difference: MemoryDifference) => boolean) | undefined;
}

/** `stacks` of ../scenes/scene-layout, as physical addresses. */
const STACKS = { from: 0xc000, to: 0x10000 };
/** Bytes that a delivery pushes at most, with what aligns RSP. */
const FRAME = 64;
const PAGE = 4096;
const USER_END = USER + 0x20000n;
/** Of an error code: the event was external. */
const EXT = 1;
/** Of a #PF: the page is present; a write. */
const PF_P = 1,
  PF_W = 2;
const MSR_FMASK = 0xc0000084;

export const BOCHS_MEMORY: readonly AcceptedMemory[] = [
  {
    name: 'accessed-after-walk',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 4.8 (the accessed flag of each entry that is used in a translation)',
    why: 'a walk that ends in #PF has used the entries before its last; Bochs sets accessed flags if a walk succeeds',
    smallestInput: 'mov (%rbx),%rdx at CPL 3, rbx in a page of the supervisor',
    // A #DF may come of a #PF in the delivery of another fault.
    after: ({ fault, delivered }) =>
      fault?.vector === VEC_PF || delivered?.vector === VEC_DF
        ? ({ ours, theirs }) => ours === (theirs | PTE_A)
        : undefined,
  },
  {
    name: 'accessed-bit-of-frame',
    vendor: 'open',
    section: 'SDM vol. 3, 4.8 (a processor may set A bits of pages that an instruction would have used)',
    why: 'an IRET that faults has read the whole frame, also its part in the next page; Bochs looks at CS first',
    smallestInput: 'iretq, CS = 2, the last word of the frame on another page',
    after: ({ op, fault }) =>
      op?.mnemonic === Mnemonic.Iretq && fault?.vector === VEC_GP
        ? ({ ours, theirs }) => ours === (theirs | PTE_A)
        : undefined,
  },
  {
    name: 'frame-before-gate-offset',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, INT n (#GP(EXT) if the offset of the gate is non-canonical, before anything is pushed)',
    why: 'Bochs pushes the frame before it looks at the offset of the gate',
    smallestInput: 'int $0x20, offset 0x8000000000000000 in the gate',
    after: (step) => {
      if (step.fault === undefined || !hasNonCanonicalGate(step)) return undefined;
      const rsp = toBigInt(step.before[RSP], step.before[RSP + 1]);
      const top = rsp >= KERNEL ? physicalOf(rsp) : 0;
      return (difference) => isPushed(difference, top);
    },
  },
  {
    name: 'rip-of-first-fault-after-nmi',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 6.5 (a fault saves the address of the instruction that faults)',
    why: 'where the first instruction of an NMI handler faults, Bochs saves the address that the NMI has interrupted',
    smallestInput: 'an NMI at CPL 0, whose handler begins with an IRETQ that faults',
    after: ({ result, previous, pushedFlags }) => {
      if (result !== FAULTED || previous.op !== undefined || pushedFlags === undefined) return undefined;
      return ({ pa }) => pa >= pushedFlags - 16 && pa < pushedFlags - 8;
    },
  },
  {
    name: 'stack-fault-names-selector',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, INT n (#SS(EXT) if the stack that a gate leads to is non-canonical)',
    why: 'the error code of such a #SS is EXT alone; Bochs adds the selector in SS',
    smallestInput: 'an NMI at CPL 0 with a non-canonical IST1',
    after: ({ fault, pushedError, before }) =>
      fault?.vector === VEC_SS && fault.error === EXT
        ? ({ pa, ours, theirs }) => pa === pushedError && ours === EXT && theirs === ((before[SS] & ~3) | EXT)
        : undefined,
  },
];

export const BOCHS_REGISTERS: readonly AcceptedDifference[] = [
  {
    name: 'rf-in-repetition',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 3, 17.3.1.1',
    why: 'an event between two iterations of a repeated string instruction pushes RF = 1; Bochs does not set it there',
    smallestInput: 'rep movsq, rcx = 2, after the first iteration',
    explains: ({ result, op, cpu }, difference) =>
      result === RETIRED && op !== undefined && (op.flags & OP_REP) !== 0 && cpu.rip() === op.va && isRf(difference),
  },
  {
    name: 'sysret-loads-rf',
    vendor: 'Intel and AMD',
    section: 'SDM vol. 2, SYSRET: RFLAGS := (R11 AND 3C7FD7H) OR 2',
    why: 'SYSRET clears RF; Bochs loads it from R11',
    smallestInput: 'sysretq, R11 = 0x10002',
    explains: ({ result, op }, difference) =>
      result === RETIRED && op?.mnemonic === Mnemonic.Sysretq && isRf(difference),
  },
  {
    name: 'frame-is-read-in-another-order',
    vendor: 'open',
    section: 'SDM vol. 2, IRET (the words of the frame that is popped; not said: which access comes first)',
    why: 'where more than one word of the frame faults, CR2 has the first here, and the third with Bochs',
    smallestInput: 'iretq at CPL 0, rsp in a user page, SMAP=1, AC=0',
    explains: ({ op, fault, before }, difference) =>
      op?.mnemonic === Mnemonic.Iretq &&
      fault?.vector === VEC_PF &&
      difference.kind === 'register' &&
      difference.name === 'cr2' &&
      difference.ours === toBigInt(before[RSP], before[RSP + 1]) &&
      difference.theirs === difference.ours + 16n,
  },
];

export const BOCHS_DIVERGENCES: readonly AcceptedDivergence[] = [
  row(
    'trap-after-sysret',
    'SDM vol. 2, SYSRET (TF comes from R11; not said: after which instruction the first #DB comes, or the last)',
    'TF after SYSRET decides here and in QEMU if SYSRET ends in a #DB; with Bochs it is TF before',
    'sysretq, R11 = 0x102',
    ({ delivered, previous }) =>
      previous.op?.mnemonic === Mnemonic.Sysretq &&
      (delivered?.source === 'trap') !== ((previous.before[EFLAGS] & FLAG_TF) !== 0),
    'open',
  ),
  row(
    'frame-on-user-page',
    'SDM vol. 3, 4.6.1 (AC=1 and implicit accesses can be read in two ways)',
    'a frame that is pushed to a user page, SMAP=1 and AC=1: the emulator faults, Bochs does not',
    'int $0x20 at CPL 0, rsp in a user page, AC=1',
    ({ before, fault, delivered, cpu }) => {
      const address = cpu.get64(CR2);
      const isSmap = (before[CR4] & CR4_SMAP) !== 0 && (before[EFLAGS] & FLAG_AC) !== 0;
      const isWrite = fault?.vector === VEC_PF && fault.error === (PF_P | PF_W);
      return isSmap && (isWrite || delivered?.vector === VEC_DF) && address >= USER && address < USER_END;
    },
    'open',
  ),
  row(
    'nmi-in-sti-shadow',
    'SDM vol. 2, STI (NMIs may be held back for one instruction after it, or not)',
    'Bochs holds an NMI back',
    'sti, with an NMI after it',
    ({ previous }) => previous.op === undefined && previous.before[STI_SHADOW] !== 0,
    'open',
  ),
  row(
    'fmask-not-checked',
    'SDM vol. 4, IA32_FMASK (bits 63:32 are reserved); vol. 2, WRMSR (#GP(0) for a reserved bit)',
    'Bochs ignores bits 63:32 of what is written to IA32_FMASK',
    'wrmsr, ecx = 0xc0000084, edx = 1',
    ({ op, fault, before }, theirs) =>
      op?.mnemonic === Mnemonic.Wrmsr &&
      fault?.vector === VEC_GP &&
      before[RCX] >>> 0 === MSR_FMASK &&
      before[RDX] !== 0 &&
      theirs.rip === BigInt.asUintN(64, BigInt(op.va)) + BigInt(op.length),
    'Intel',
  ),
  row(
    'iret-ss-null',
    'SDM vol. 2, IRET (#GP(0) if SS is a NULL selector whose RPL is not that of CS)',
    'Bochs returns to CPL 0 with any NULL selector in SS',
    'iretq to CPL 0, SS = 3 in its frame',
    ({ op, fault }, theirs) => {
      const ss = theirs.register('ss') ?? 0n;
      return op?.mnemonic === Mnemonic.Iretq && fault?.vector === VEC_GP && fault.error === 0 && ss >= 1n && ss <= 3n;
    },
  ),
  row(
    'iret-ss-not-present',
    'SDM vol. 2, IRET (#SS(selector) in its pseudo-code, #NP(selector) in its list of exceptions)',
    'a stack segment that is not present is #SS here; Bochs raises #NP',
    'iretq to CPL 3, SS = a data segment that is not present',
    ({ op, fault }) => op?.mnemonic === Mnemonic.Iretq && fault?.vector === VEC_SS && fault.error !== 0,
    'open',
  ),
];

function isRf({ kind, ours, theirs, ...rest }: Difference): boolean {
  return (
    kind === 'register' &&
    'name' in rest &&
    rest.name === 'eflags' &&
    (BigInt(ours) ^ BigInt(theirs)) === BigInt(FLAG_RF)
  );
}

function hasNonCanonicalGate(step: Step): boolean {
  for (let vector = 0; vector < 256; vector++) {
    const offset = step.gateOffset(vector);
    if (offset !== undefined && BigInt.asUintN(64, BigInt.asIntN(48, offset)) !== offset) return true;
  }
  return false;
}

/** On a stack of the TSS, or below `top`; or an accessed or dirty flag of such a page. */
function isPushed({ pa, ours, theirs }: MemoryDifference, top: number): boolean {
  const isStack = (at: number) => at >= STACKS.from && at < STACKS.to;
  if (isStack(pa) || (pa >= top - FRAME && pa < top)) return true;
  const page = ((pa - PT_KERNEL) / 8) << 12;
  return (isStack(page) || page === ((top - 1) & -PAGE)) && theirs === (ours | PTE_A | PTE_D);
}
