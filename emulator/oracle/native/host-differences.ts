/**
 * Where processors and the emulator may differ because no manual decides, as code: which of two faults of one
 * instruction comes first. What no row explains is a failure.
 */
import { Mnemonic } from 'iced-x86';
import { VEC_AC, VEC_GP, VEC_PF, VEC_SS, VEC_UD } from '../../registers';

/** Vectors of one instruction that has faulted on both sides. */
interface TwoFaults {
  /** Mnemonic of iced-x86. */
  readonly mnemonic: number;
  readonly ours: number;
  readonly theirs: number;
}

interface HostDifference {
  readonly name: string;
  /** What the manuals say. */
  readonly section: string;
  readonly why: string;
  readonly smallestInput: string;
  explains(faults: TwoFaults): boolean;
}

const STRING_COMPARES: ReadonlySet<number> = new Set([Mnemonic.Cmpsb, Mnemonic.Cmpsw, Mnemonic.Cmpsd, Mnemonic.Cmpsq]);
const MEMORY_FAULTS: ReadonlySet<number> = new Set([VEC_SS, VEC_GP, VEC_PF, VEC_AC]);

const HOST_DIFFERENCES: readonly HostDifference[] = [
  {
    name: 'alignment-check-first',
    section: 'SDM vol. 3, table 6-2 (one class of priority); APM vol. 2, 8.5',
    why: 'a misaligned access with AC=1 that also faults otherwise: processors of AMD raise #AC, the emulator the other fault',
    smallestInput: 'mov 1,%rax at CPL 3, AC=1',
    explains: ({ ours, theirs }) => theirs === VEC_AC && MEMORY_FAULTS.has(ours),
  },
  {
    name: 'order-of-cmps',
    section: 'SDM vol. 2, CMPS (the order of the two reads is not said)',
    why: 'both operands of CMPS fault: AMD raises that of (%rdi), with REP that of (%rsi); the emulator that of (%rdi)',
    smallestInput: 'repe cmpsb, rsi = 0x800000000000, rdi = 0, rcx = 1',
    explains: ({ mnemonic, ours, theirs }) =>
      STRING_COMPARES.has(mnemonic) && MEMORY_FAULTS.has(ours) && MEMORY_FAULTS.has(theirs),
  },
  {
    name: 'order-of-call',
    section: 'SDM vol. 2, CALL (target before stack); APM vol. 3, CALL (stack before target)',
    why: 'CALL to a non-canonical target with a stack that faults: Intel and the emulator raise #GP, AMD the fault of the stack',
    smallestInput: 'call *%rax, rax and rsp = 0x800000000000',
    explains: ({ mnemonic, ours, theirs }) =>
      mnemonic === Mnemonic.Call && ours === VEC_GP && theirs !== VEC_GP && MEMORY_FAULTS.has(theirs),
  },
  {
    name: 'undefined-before-fetch',
    section: 'SDM vol. 2, UD (ModR/M of UD0 and UD1); APM vol. 3, UD0 and UD1',
    why: 'UD0 or UD1 whose operand is on a page that is not there: AMD raises #UD without it, Intel and the emulator #PF',
    smallestInput: 'ud1 (%rax),%eax, the last byte on an absent page',
    explains: ({ mnemonic, ours, theirs }) =>
      (mnemonic === Mnemonic.Ud0 || mnemonic === Mnemonic.Ud1) && ours === VEC_PF && theirs === VEC_UD,
  },
];

/** The row that says why two faults differ. */
export function explainFaults(faults: TwoFaults): string | undefined {
  return HOST_DIFFERENCES.find((row) => row.explains(faults))?.name;
}
