/**
 * Steps after which QEMU 7.2 is somewhere else altogether, because it executes what is a fault by the manual, or faults
 * where the manual has none. A row names the instruction and what is wrong with its operands; what the other machine
 * did must be just that. A comparison cannot go on after such a step.
 */
import { Code, Mnemonic } from 'iced-x86';
import {
  CPL,
  CR2,
  CR4,
  CR4_SMAP,
  EFLAGS,
  FLAG_AC,
  FLAG_IF,
  FLAG_TF,
  NMI_PENDING,
  RAX,
  RCX,
  RIP,
  RSP,
  SS_SHADOW,
  STI_SHADOW,
  VEC_AC,
  VEC_DB,
  VEC_DF,
  VEC_GP,
  VEC_NMI,
  VEC_NP,
  VEC_PF,
  VEC_SS,
  VEC_TS,
  VEC_UD,
} from '../registers';
import { toBigInt } from '../words';
import type { Difference } from './accepted-differences';
import type { Step } from './observed-cpu';
import { type AcceptedDivergence, OtherState, row } from './other-state';

/** A register of before the step. */
function before(step: Step, register: number): bigint {
  return toBigInt(step.before[register], step.before[register + 1]);
}

/** Ours was #GP(0) in this instruction; the other machine has executed it, with the #DB that ends it if TF is set. */
function executedThere(step: Step, theirs: OtherState, mnemonic: Mnemonic): boolean {
  const { op, fault } = step;
  if (op?.mnemonic !== mnemonic || fault?.vector !== VEC_GP || fault.error !== 0) return false;
  if (theirs.rip === before(step, RIP) + BigInt(op.length)) return true;
  return (step.before[EFLAGS] & FLAG_TF) !== 0 && (theirs.rip === step.gateOffset(VEC_DB) || theirs.isReset);
}

/** The same of a MOV to this control register. */
function controlWrittenThere(step: Step, theirs: OtherState, control: number): boolean {
  if (step.op?.icedCode !== Code.Mov_cr_r64 || step.op.d !== control) return false;
  return executedThere(step, theirs, Mnemonic.Mov);
}

/** The other machine is where some gate leads to. */
function isAtGate(step: Step, theirs: OtherState): boolean {
  for (let vector = 0; vector < 256; vector++) if (step.gateOffset(vector) === theirs.rip) return true;
  return false;
}

function isInShadow(registers: Int32Array): boolean {
  return (registers[SS_SHADOW] | registers[STI_SHADOW]) !== 0;
}

function isNonCanonical(value: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, value)) !== value;
}

const NEAR_BRANCHES: readonly Mnemonic[] = [Mnemonic.Jmp, Mnemonic.Call, Mnemonic.Ret];
/** What the delivery of an event may raise (SDM vol. 3, 6.15). */
const DELIVERY_FAULTS: readonly number[] = [VEC_DF, VEC_TS, VEC_NP, VEC_SS, VEC_GP, VEC_PF];
const FAR_RETURNS: readonly Mnemonic[] = [Mnemonic.Iretq, Mnemonic.Retf];

export const ACCEPTED_DIVERGENCES: readonly AcceptedDivergence[] = [
  row(
    'return-reads-as-supervisor',
    'SDM vol. 3, 4.6.1 (accesses of IRET and RET at CPL 3 are user-mode accesses)',
    'QEMU reads the frame of IRET and far RET as the supervisor, which SMAP refuses for a user page',
    'iretq at CPL 3, CR4.SMAP=1',
    (step, theirs) => {
      const { op } = step;
      if (op === undefined || !FAR_RETURNS.includes(op.mnemonic) || step.before[CPL] !== 3) return false;
      if ((step.before[CR4] & CR4_SMAP) === 0) return false;
      const fault = theirs.register('cr2');
      const rsp = before(step, RSP);
      if (fault !== undefined && fault >= rsp && fault < rsp + 40n) return true;
      return theirs.isReset || theirs.rip === step.gateOffset(VEC_DF);
    },
  ),
  row(
    'iret-reads-part-of-frame',
    'SDM vol. 2, IRET (in 64-bit mode all five words are popped before the selectors are looked at)',
    'the end of the frame is on a page that faults, and its CS is bad: QEMU looks at CS first, and raises #GP',
    'iretq, CS = 0x92 beyond the GDT, SS on an absent page',
    (step, theirs) => {
      if (step.op?.mnemonic !== Mnemonic.Iretq || step.fault?.vector !== VEC_PF) return false;
      const fault = toBigInt(step.cpu.r[CR2], step.cpu.r[CR2 + 1]);
      const rsp = before(step, RSP);
      return fault >= rsp + 24n && fault < rsp + 40n && theirs.rip === step.gateOffset(VEC_GP);
    },
  ),
  row(
    'no-alignment-check',
    'SDM vol. 3, 6.15, #AC (CPL 3, CR0.AM=1 and EFLAGS.AC=1)',
    'a misaligned access of user code is #AC; QEMU has none, so it executes the instruction, or raises #PF',
    'push %rax at CPL 3, AC=1, rsp odd',
    (step, theirs) =>
      step.op !== undefined &&
      step.fault?.vector === VEC_AC &&
      (theirs.rip === before(step, RIP) + BigInt(step.op.length) || theirs.rip === step.gateOffset(VEC_PF)),
  ),
  row(
    'undefined-opcode-reads-operand',
    'SDM vol. 3, 6.15, #UD, and vol. 2, table A-6 (FF /7 and others are undefined)',
    'an undefined encoding is #UD; QEMU reads the operand of some of them first, which faults',
    'ff bb 00 00 00 00 (opcode FF /7), rbx in an absent page',
    (step, theirs) =>
      step.op?.icedCode === Code.INVALID &&
      step.fault?.vector === VEC_UD &&
      [VEC_PF, VEC_GP, VEC_SS].some((vector) => theirs.rip === step.gateOffset(vector)),
  ),
  row(
    'jump-to-non-canonical',
    'SDM vol. 2, JMP, CALL and RET (#GP(0) if the target is non-canonical)',
    'a near branch to a non-canonical address faults itself; QEMU goes there and faults then',
    'jmp *%rbx, rbx = 0x8000000000000000',
    (step, theirs) =>
      step.op !== undefined &&
      NEAR_BRANCHES.includes(step.op.mnemonic) &&
      step.fault?.vector === VEC_GP &&
      (isNonCanonical(theirs.rip) || (step.before[EFLAGS] & FLAG_TF) !== 0),
  ),
  row(
    'return-to-non-canonical',
    'SDM vol. 2, IRET and RET (#GP(0) if the return address is non-canonical)',
    'a far return to a non-canonical address faults itself; QEMU goes there and faults then',
    'iretq, RIP = 0x8000000000000000 in its frame',
    (step, theirs) =>
      step.op !== undefined &&
      FAR_RETURNS.includes(step.op.mnemonic) &&
      step.fault?.vector === VEC_GP &&
      (isNonCanonical(theirs.rip) || (step.before[EFLAGS] & FLAG_TF) !== 0),
  ),
  row(
    'sysret-to-non-canonical',
    'SDM vol. 2, SYSRET (#GP(0) if RCX is non-canonical); APM vol. 3, SYSRET (no such check)',
    'Intel raises #GP at CPL 0; AMD, and QEMU, at CPL 3 in the target',
    'sysretq, rcx = 0x8000000000000000',
    (step, theirs) =>
      step.op?.mnemonic === Mnemonic.Sysretq &&
      step.fault?.vector === VEC_GP &&
      isNonCanonical(before(step, RCX)) &&
      (theirs.register('cpl') === 3n || theirs.rip === step.gateOffset(VEC_DB)),
    'Intel',
  ),
  row(
    'gate-to-non-canonical',
    'SDM vol. 3, 6.13 and vol. 2, INT n (#GP(EXT) if the offset of the gate is non-canonical)',
    'an event through a gate with a non-canonical offset is #GP; QEMU goes there and faults then',
    'int $0x20, offset 0x8000000000000000 in the gate',
    (step, theirs) => isNonCanonical(theirs.rip) && isAtGate(step, theirs),
  ),
  row(
    'cr0-not-checked',
    'SDM vol. 2, MOV to control registers (#GP(0): PG=1 with PE=0, NW=1 with CD=0)',
    'QEMU loads what must not be loaded into CR0',
    'mov %rax,%cr0, rax = 0xa0010033',
    (step, theirs) => controlWrittenThere(step, theirs, 0),
  ),
  row(
    'cr3-reserved-bits',
    'SDM vol. 2, MOV to control registers (#GP(0) for a reserved bit; bit 63 is one with CR4.PCIDE=0)',
    'QEMU begins an intercept of SVM and stays at the instruction',
    'mov %rax,%cr3, rax = 1 << 63, CR4.PCIDE = 0',
    (step, theirs) =>
      step.op?.icedCode === Code.Mov_cr_r64 &&
      step.op.d === 3 &&
      step.fault?.vector === VEC_GP &&
      theirs.rip === before(step, RIP),
  ),
  row(
    'cr4-not-checked',
    'SDM vol. 2, MOV to control registers (#GP(0): PAE=0 in long mode)',
    'QEMU turns PAE off in 64-bit mode',
    'mov %rax,%cr4, rax = 0',
    (step, theirs) => controlWrittenThere(step, theirs, 4),
  ),
  row(
    'cr8-not-checked',
    'SDM vol. 2, MOV to control registers (#GP(0) for a reserved bit)',
    'QEMU ignores bits 63:4 of what is written to CR8',
    'mov %rax,%cr8, rax = 0x10',
    (step, theirs) => controlWrittenThere(step, theirs, 8),
  ),
  row(
    'wrmsr-not-checked',
    'SDM vol. 2, WRMSR (#GP(0): non-canonical address, reserved bit; LME with paging on)',
    'QEMU writes any value to LSTAR, CSTAR, FMASK and the bases, and ignores a change of LME',
    'wrmsr, ecx = 0xc0000101, rdx:rax = 1 << 63',
    (step, theirs) => executedThere(step, theirs, Mnemonic.Wrmsr),
  ),
  row(
    'base-not-checked',
    'SDM vol. 2, WRFSBASE/WRGSBASE (#GP(0) if the source is non-canonical)',
    'QEMU writes a non-canonical base',
    'wrgsbase %rax, rax = 1 << 63',
    (step, theirs) => executedThere(step, theirs, Mnemonic.Wrfsbase) || executedThere(step, theirs, Mnemonic.Wrgsbase),
  ),
  row(
    'table-base-not-checked',
    'SDM vol. 2, LGDT/LIDT (#GP(0) if the base is non-canonical)',
    'QEMU loads a non-canonical base',
    'lidt (%rbx), base 1 << 63',
    (step, theirs) => executedThere(step, theirs, Mnemonic.Lgdt) || executedThere(step, theirs, Mnemonic.Lidt),
  ),
  row(
    'ltr-of-null',
    'SDM vol. 2, LTR (#GP(0) if the source is a NULL selector: 0 to 3)',
    'QEMU takes 0 to 3 for a selector that is allowed',
    'ltr %ax, ax = 3',
    (step, theirs) => (step.before[RAX] & 0xfffc) === 0 && executedThere(step, theirs, Mnemonic.Ltr),
  ),
  row(
    'mov-ss-null',
    'SDM vol. 2, MOV (#GP(0) if SS is loaded with a NULL selector whose RPL is not CPL)',
    'QEMU loads any NULL selector below CPL 3',
    'mov %eax,%ss at CPL 0, ax = 3',
    (step, theirs) =>
      (step.before[RAX] & 0xfffc) === 0 &&
      theirs.register('ss') === BigInt(step.before[RAX] & 3) &&
      executedThere(step, theirs, Mnemonic.Mov),
  ),
  row(
    'non-canonical-stack',
    'SDM vol. 1, 3.3.7.1 (#SS for a stack reference to a non-canonical address)',
    'QEMU raises #GP for every non-canonical address',
    'push %rax, rsp = 0x8000000000000000',
    (step, theirs) => step.fault?.vector === VEC_SS && step.fault.error === 0 && theirs.rip === step.gateOffset(VEC_GP),
  ),
  row(
    'iret-ss-null',
    'SDM vol. 2, IRET (#GP(0) if SS is a NULL selector whose RPL is not that of CS)',
    'QEMU returns to CPL 0 with any NULL selector in SS',
    'iretq to CPL 0, SS = 3 in its frame',
    (step, theirs) => {
      const { op, fault } = step;
      const ss = theirs.register('ss') ?? 0n;
      return op?.mnemonic === Mnemonic.Iretq && fault?.vector === VEC_GP && fault.error === 0 && ss >= 1n && ss <= 3n;
    },
  ),
  row(
    'nmi-after-faulting-iret',
    'SDM vol. 3, 27.2.3 (an IRET unblocks NMIs also if it faults)',
    'an NMI is taken after an IRET that has faulted; QEMU holds it back until an IRET is executed',
    'an NMI in the handler of an NMI; iretq that faults',
    (step) => step.delivered?.source === 'nmi' && step.unblockedByFault,
  ),
  row(
    'stack-not-present',
    'SDM vol. 2, IRET (#SS(selector) if the stack segment is not present)',
    'QEMU raises #NP for a stack segment that is not present',
    'iretq, its SS a selector of writable data with P=0',
    (step, theirs) =>
      step.op?.mnemonic === Mnemonic.Iretq &&
      step.fault?.vector === VEC_SS &&
      step.fault.error !== 0 &&
      theirs.rip === step.gateOffset(VEC_NP),
  ),
  row(
    'shadow-within-shadow',
    'SDM vol. 3, 6.8.3 (of several instructions with a shadow only the first is sure to have one)',
    'an instruction with a shadow in the shadow of another has one here, and none with QEMU',
    'sti; mov %eax,%ss; an interrupt; nop',
    (step, theirs) =>
      isInShadow(step.before) &&
      isInShadow(step.previous.before) &&
      theirs.rip !== before(step, RIP) &&
      isAtGate(step, theirs),
    'open',
  ),
  row(
    'shadow-of-sti-with-if',
    'SDM vol. 2, STI (the shadow is there if IF was 0)',
    'STI has a shadow with QEMU if IF was 1, too',
    'sti, IF=1; an interrupt',
    (step, theirs) =>
      step.delivered?.source === 'irq' &&
      step.previous.op?.mnemonic === Mnemonic.Sti &&
      (step.previous.before[EFLAGS] & FLAG_IF) !== 0 &&
      theirs.rip !== step.gateOffset(step.delivered.vector),
  ),
  row(
    'nmi-in-shadow-of-mov-ss',
    'SDM vol. 3, 6.8.3 (MOV to SS inhibits NMIs, too, for one instruction)',
    'QEMU delivers an NMI right after MOV SS; that may fault, too',
    'mov %eax,%ss; an NMI; nop',
    (step, theirs) =>
      step.before[SS_SHADOW] !== 0 &&
      step.before[NMI_PENDING] !== 0 &&
      (theirs.isReset || [VEC_NMI, ...DELIVERY_FAULTS].some((vector) => theirs.rip === step.gateOffset(vector))),
  ),
  row(
    'frame-on-user-page',
    'SDM vol. 3, 4.6.1 (AC=1 and implicit accesses at CPL 0 can be read in two ways)',
    'a frame that is pushed at CPL 0 to a user page, SMAP=1 and AC=1: the emulator faults, QEMU does not',
    'int $0x20 at CPL 0, rsp in a user page, AC=1',
    (step, theirs) => {
      if (step.before[CPL] !== 0 || (step.before[CR4] & CR4_SMAP) === 0) return false;
      if ((step.before[EFLAGS] & FLAG_AC) === 0) return false;
      const rsp = theirs.register('rsp');
      const faulting = step.cpu.get64(CR2);
      return rsp !== undefined && faulting >= rsp && faulting < rsp + 48n && isAtGate(step, theirs);
    },
    'open',
  ),
  row(
    'sti-delays-trap',
    'SDM vol. 3, 6.8.3 (the shadow of STI is one of maskable interrupts)',
    'the #DB of a single-stepped STI comes one instruction late with QEMU',
    'sti, TF=1, IF=0',
    (step, theirs) =>
      step.op?.mnemonic === Mnemonic.Sti &&
      (step.before[EFLAGS] & FLAG_TF) !== 0 &&
      theirs.rip === before(step, RIP) + 1n,
  ),
];

/** The row that explains what the other machine did. */
export function explainDivergence(step: Step, differences: readonly Difference[]): AcceptedDivergence | undefined {
  const theirs = new OtherState(step, differences);
  return ACCEPTED_DIVERGENCES.find((accepted) => accepted.explains(step, theirs));
}
