/**
 * Promise: for every form (iced-x86 Code) of every mnemonic of the instruction table it is written down whether it is
 * executed or refused. One that is executed does what iced-x86 knows of it: it goes to the next instruction, moves rsp
 * by what that form moves it, and writes as wide as its operands are. One that is refused is an UnimplementedError, on
 * a platform that offers every instruction; on the guests' platform so is each that a platform has to offer.
 */
import {
  Code,
  CodeExt,
  FlowControl,
  type Instruction,
  type InstructionInfo,
  InstructionInfoFactory,
  MemorySizeExt,
  Mnemonic,
  OpAccess,
  type OpCodeInfo,
  OpKind,
  Register,
} from 'iced-x86';
import {
  CR4,
  CR4_FSGSBASE,
  DS,
  ES,
  FS,
  FS_BASE,
  GS,
  GS_BASE,
  KERNEL_GS_BASE,
  LDTR,
  R11,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  STAR,
} from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import { assembleForm, FORM_DATA, TAKES_MEMORY, wordsOf } from '../testing/forms';
import { fullPlatform } from '../testing/full-platform';
import {
  handlerOf,
  KERNEL_CODE,
  KERNEL_CS,
  KERNEL_SS,
  KERNEL_STACK,
  kernelAt,
  physical,
  poke,
  setFlags,
  setRegister,
  smallMachine,
  USER,
  USER_SS,
} from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { takes } from './forms';
import { rowsOf } from './instruction-table';

/** Every other form of a mnemonic of the table is executed. */
const REFUSED = [
  // 16-bit stack operands.
  'Push_r16 Push_rm16 Push_imm16 Pushw_imm8 Pushw_FS Pushw_GS Pop_r16 Pop_rm16 Popw_FS Popw_GS Leavew',
  // Far transfers but LRETQ.
  'Call_m1616 Call_m1632 Call_m1664 Jmp_m1616 Jmp_m1632 Jmp_m1664 Retfw Retfd Retfw_imm16 Retfd_imm16 Retfq_imm16',
  // Counting in ECX.
  'Loop_rel8_64_ECX Loope_rel8_64_ECX Loopne_rel8_64_ECX',
  // Undefined result.
  'Bswap_r16',
  // SSE namesakes of string instructions.
  'Movsd_xmm_xmmm64 Movsd_xmmm64_xmm Cmpsd_xmm_xmmm64_imm8',
]
  .join(' ')
  .split(' ');

/** Forms that no bytes have in 64-bit mode as decoded here: AMD's 16-bit branches and short UD0, Knights Corner. */
const WITHOUT_BYTES = /_rel(8|16)(_16)?(_[ER]CX)?$|^Retnw|^(Call|Jmp)_rm16$|^Ud0$|^VEX_KNC_/;

/** What faults by its nature, with its vector. */
const FAULTS = new Map<number, number>([
  [Mnemonic.Ud0, 6],
  [Mnemonic.Ud1, 6],
  [Mnemonic.Ud2, 6],
  [Mnemonic.Xgetbv, 6],
]);

/** Where LSTAR points. */
const SYSCALL_TARGET = handlerOf(0);
const STACK = KERNEL_STACK - 0x100;
const PATTERN = 0x5a5a5a5a5a5a5a5an;
const small = smallMachine(1, fullPlatform());
const { cpu, machine } = small;
// LTR wants a TSS that is not busy.
machine.memory.write32(0x10044 >> 2, machine.memory.read32(0x10044) & ~0x200);
const infoFactory = new InstructionInfoFactory();
const codeNames = new Map(Object.entries(Code).map(([name, code]) => [code as number, name]));

function formsOfTable(): OpCodeInfo[] {
  const codes = Object.values(Code).filter((code): code is Code => typeof code === 'number');
  return codes
    .map((code) => CodeExt.opCode(code))
    .filter((info) => info.isInstruction && info.mode64 && rowsOf(info.mnemonic).length > 0);
}

const nameOf = (info: OpCodeInfo): string => codeNames.get(info.code) as string;

/** Where indirect branches go. */
const TARGET = BigInt.asUintN(64, BigInt(KERNEL_CODE + 0x40));
/** A divisor that is large enough, a port, an MSR, a selector, a target, a bit offset within the operand. */
const VALUES = new Map<number, [number, bigint][]>([
  [
    Mnemonic.Div,
    [
      [RDX, 0n],
      [RAX, 0x11n],
    ],
  ],
  [
    Mnemonic.Idiv,
    [
      [RDX, 0n],
      [RAX, 0x11n],
    ],
  ],
  [Mnemonic.In, [[RDX, 0xc2n]]],
  [Mnemonic.Out, [[RDX, 0x80n]]],
  [Mnemonic.Rdmsr, [[RCX, 0xc0000101n]]],
  [
    Mnemonic.Wrmsr,
    [
      [RCX, 0xc0000101n],
      [RDX, 0n],
    ],
  ],
  [Mnemonic.Wrfsbase, [[RCX, 3n]]],
  [Mnemonic.Wrgsbase, [[RCX, 3n]]],
  [Mnemonic.Ltr, [[RCX, 0x40n]]],
  [Mnemonic.Lldt, [[RCX, 0n]]],
  [Mnemonic.Sysretq, [[RCX, BigInt(USER)]]],
  [Mnemonic.Invpcid, [[RDX, 2n]]],
  [Mnemonic.Call, [[RCX, TARGET]]],
  [Mnemonic.Jmp, [[RCX, TARGET]]],
  [Mnemonic.Bt, [[RDX, 1n]]],
  [Mnemonic.Bts, [[RDX, 1n]]],
  [Mnemonic.Btr, [[RDX, 1n]]],
  [Mnemonic.Btc, [[RDX, 1n]]],
]);
/** Memory operands that have to mean something. */
const OPERANDS_IN_MEMORY = new Map<number, bigint>([
  [Mnemonic.Div, 0x7f7f7f7f7f7f7f7fn],
  [Mnemonic.Idiv, 0x7f7f7f7f7f7f7f7fn],
  [Mnemonic.Call, TARGET],
  [Mnemonic.Jmp, TARGET],
  [Mnemonic.Mov, 0n],
  [Mnemonic.Ltr, 0x40n],
  [Mnemonic.Lgdt, 0n],
  [Mnemonic.Lidt, 0n],
  [Mnemonic.Invpcid, 0n],
  [Mnemonic.Lldt, 0n],
  [Mnemonic.Fxrstor, 0n],
  [Mnemonic.Fxrstor64, 0n],
]);

/** Values with which every form that is executed retires. */
function prepare(hex: string, mnemonic: number): void {
  kernelAt(small, `${hex}90`);
  for (let at = -32; at < 48; at += 8) poke(machine, FORM_DATA + at, PATTERN);
  const operand = OPERANDS_IN_MEMORY.get(mnemonic);
  if (operand !== undefined) for (let at = 0; at < 32; at += 8) poke(machine, FORM_DATA + at, operand);
  const stack = [KERNEL_CODE + 0x40, KERNEL_CS, 2, KERNEL_STACK, KERNEL_SS];
  if (mnemonic === Mnemonic.Pop || mnemonic === Mnemonic.Popfq) stack[0] = 0;
  stack.forEach((word, n) => {
    poke(machine, STACK + n * 8, BigInt.asUintN(64, BigInt(word)));
  });
  for (const [register, value] of [
    [RAX, 0x8000000000000011n],
    [RCX, 0x7000000000000003n],
    [RDX, 0x6000000000000000n],
    [RBX, BigInt(FORM_DATA)],
    [RSP, BigInt(STACK)],
    [RBP, BigInt(STACK + 16)],
    [RSI, BigInt(FORM_DATA)],
    [RDI, BigInt(FORM_DATA + 8)],
    [R11, 2n],
    ...(VALUES.get(mnemonic) ?? []),
  ] as [number, bigint][])
    setRegister(cpu, register, value);
  setFlags(cpu, 0);
  cpu.r[CR4] |= CR4_FSGSBASE;
  for (const word of [ES, DS, FS, GS]) cpu.r[word] = USER_SS;
  for (const word of [FS_BASE, GS_BASE, KERNEL_GS_BASE]) setRegister(cpu, word, 0x123456789an);
}

const AROUND = 32;

function memoryAround(): Uint8Array {
  return machine.memory.readBytes(physical(FORM_DATA - AROUND), 80);
}

/** All that was stored around the operand lies within its width. */
function expectWidthInMemory(text: string, i: Instruction, access: OpAccess, before: Uint8Array): void {
  const writes = access === OpAccess.Write || access === OpAccess.ReadWrite;
  const size = writes && i.op0Kind === OpKind.Memory ? MemorySizeExt.size(i.memorySize) : 0;
  const after = memoryAround();
  const changed = [...after.keys()].filter((n) => after[n] !== before[n]).map((n) => n - AROUND);
  expect([text, changed.filter((at) => at < 0 || at >= size)]).toEqual([text, []]);
}

/** A 32-bit destination register has no upper half afterwards, a narrower one keeps what lies above it. */
function expectWidthInRegister(text: string, i: Instruction, access: OpAccess, before: Map<number, bigint>): void {
  if (i.opCount === 0 || i.op0Kind !== OpKind.Register) return;
  if (access !== OpAccess.Write && access !== OpAccess.ReadWrite) return;
  const register = i.op0Register;
  if (register < Register.AL || register > Register.R15) return;
  const bits = register < Register.AX ? 8n : register < Register.EAX ? 16n : register < Register.RAX ? 32n : 64n;
  const word = [Register.AL, Register.AX, Register.EAX, Register.RAX]
    .map((first) => (register - first) * 2)
    .find((n) => n >= 0 && n < 8) as number;
  const above = cpu.get64(word) >> bits;
  expect([text, above]).toEqual([text, bits === 32n ? 0n : (before.get(word) as bigint) >> bits]);
}

/** General and segment registers, and the bases: what iced-x86 does not call written stays as it was. */
function expectOnlyWritten(text: string, i: Instruction, info: InstructionInfo, before: Int32Array): void {
  const written = new Set<number>();
  for (const used of info.usedRegisters()) {
    if (used.access !== OpAccess.Read && used.access !== OpAccess.NoMemAccess) wordsOf(used.register, written);
    used.free();
  }
  if (BASES.has(i.mnemonic)) for (let word = FS_BASE; word < STAR; word++) written.add(word);
  const kept = [...Array(32).keys(), ...range(FS_BASE, STAR), ...range(ES, LDTR)].filter((word) => !written.has(word));
  expect([text, kept.filter((word) => cpu.r[word] !== before[word])]).toEqual([text, []]);
}

const BASES = new Set<number>([Mnemonic.Swapgs, Mnemonic.Wrfsbase, Mnemonic.Wrgsbase, Mnemonic.Wrmsr]);

function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, n) => from + n);
}

/** How far rsp moves; iced-x86 does not say so of LEAVE, IRET and LRET. */
function stackMove(i: Instruction): number {
  if (i.mnemonic === Mnemonic.Leave) return 16 + 8;
  if (i.mnemonic === Mnemonic.Iretq) return KERNEL_STACK - STACK;
  if (i.mnemonic === Mnemonic.Retf) return 16;
  return i.stackPointerIncrement;
}

/** Instructions that go elsewhere by their nature. */
const ELSEWHERE = new Set<number>([Mnemonic.Int, Mnemonic.Int3]);

function expectExecuted(name: string, hex: string, i: Instruction): void {
  const text = `${name} ${i.toString()} (${hex})`;
  const before = new Map([RAX, RCX, RDX, RBX].map((register) => [register, cpu.get64(register)]));
  const memory = memoryAround();
  const words = cpu.r.slice();
  const result = machine.step(0);
  const vector = FAULTS.get(i.mnemonic);
  if (vector !== undefined) {
    expect([text, result, cpu.event.vector]).toEqual([text, FAULTED, vector]);
    return;
  }
  expect([text, result, result === FAULTED ? cpu.event.vector : -1]).toEqual([text, RETIRED, -1]);
  if (ELSEWHERE.has(i.mnemonic)) return;
  expect([text, cpu.rsp()]).toEqual([text, STACK + stackMove(i)]);
  const info = infoFactory.info(i);
  if (!i.isStringInstruction) expectWidthInMemory(text, i, info.op0Access, memory);
  expectWidthInRegister(text, i, info.op0Access, before);
  expectOnlyWritten(text, i, info, words);
  info.free();
  const flow = [KERNEL_CODE + i.length, KERNEL_CODE + 0x20, KERNEL_CODE + 0x40, USER, SYSCALL_TARGET];
  const straight = i.flowControl === FlowControl.Next;
  expect([text, straight ? cpu.rip() : flow.includes(cpu.rip())]).toEqual([text, straight ? flow[0] : true]);
}

function expectRefused(name: string, hex: string, i: Instruction): void {
  let error: unknown;
  try {
    machine.step(0);
  } catch (thrown) {
    error = thrown;
  }
  expect([name, error]).toEqual([name, expect.any(UnimplementedError)]);
  expect((error as Error).message).toContain(`instruction "${i.toString()}" at`);
  expect((error as Error).message).toContain(hex);
}

describe('every form of every mnemonic of the table', () => {
  const forms = formsOfTable();
  const refused = new Set(REFUSED);

  test('is executed by one row at most, and refused if and only if it is listed', () => {
    expect(forms.length).toBeGreaterThan(700);
    const wrong: string[] = [];
    for (const info of forms) {
      const rows = rowsOf(info.mnemonic).filter((entry) => takes(entry, info)).length;
      const expected = refused.has(nameOf(info)) ? 0 : 1;
      if (WITHOUT_BYTES.test(nameOf(info)) ? rows > 1 : rows !== expected)
        wrong.push(`${nameOf(info)}: expected ${expected} rows, found ${rows}`);
    }
    expect(wrong).toEqual([]);
    const names = new Set(forms.map(nameOf));
    expect(REFUSED.filter((name) => !names.has(name))).toEqual([]);
  });

  test('has bytes, but for those that only other decoders know', () => {
    const without = forms.filter((info) => WITHOUT_BYTES.test(nameOf(info)));
    expect(without.length).toBe(54);
    for (const info of without) {
      const { decoded } = assembleForm(info, false);
      expect([nameOf(info), codeNames.get(decoded.code)]).not.toEqual([nameOf(info), nameOf(info)]);
      decoded.free();
    }
  });

  test('does what it says, with registers and with memory', () => {
    const mark = machine.mark();
    let executed = 0;
    for (const info of forms) {
      const name = nameOf(info);
      if (WITHOUT_BYTES.test(name)) continue;
      const choices = Array.from({ length: info.opCount }, (_, n) => TAKES_MEMORY.has(info.opKind(n))).includes(true);
      for (const memory of choices ? [true, false] : [false]) {
        const { hex, decoded } = assembleForm(info, memory);
        expect([name, codeNames.get(decoded.code)]).toEqual([name, name]);
        prepare(hex, info.mnemonic);
        if (refused.has(name)) expectRefused(name, hex, decoded);
        else expectExecuted(name, hex, decoded);
        executed++;
        decoded.free();
        machine.rollback(mark);
      }
    }
    machine.release(mark);
    expect(executed).toBeGreaterThan(900);
  });
});
