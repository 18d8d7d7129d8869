/**
 * Which handler executes which instruction, and how its operands are described. One line a mnemonic and shape: this
 * table is the coverage of the emulator. An instruction, or a form of one (./forms), that is not here is an
 * UnimplementedError when it is executed.
 */
import { CodeExt, Mnemonic } from 'iced-x86';
import { ADC, ADD, AND, CMP, OR, SBB, SUB, TEST, XOR } from '../cpu/alu';
import * as arithmetic from '../cpu/arithmetic';
import * as branches from '../cpu/branches';
import { cmpxchg8b, cmpxchg16b } from '../cpu/compare-exchange';
import * as moves from '../cpu/moves';
import * as multiply from '../cpu/multiply';
import { RCL, RCR, ROL, ROR, SAR, SHL, SHR, shift, shiftDouble } from '../cpu/shifts';
import * as strings from '../cpu/string-ops';
import { type Handler, OP_CONTROL, OP_LATE_TF, OP_STACK } from '../micro-op';
import { FS_BASE, GS_BASE, LDTR, TR } from '../registers';
import * as control from '../system/control-registers';
import * as events from '../system/event-instructions';
import * as flagOps from '../system/flag-instructions';
import * as fpu from '../system/fpu';
import * as identification from '../system/identification';
import { iret } from '../system/iret';
import * as msr from '../system/msr';
import * as ports from '../system/ports';
import * as segments from '../system/segments';
import { swapgs, syscall, sysret } from '../system/syscall';
import { type Row, type Shape, takes } from './forms';

const TABLE = new Map<number, Row[]>();

const ALL_SIZES = [1, 2, 4, 8] as const;
/** Shapes whose operands say their size, in all of which the handlers work. */
const SIZED: ReadonlySet<Shape> = new Set<Shape>([
  'ignored',
  'binary',
  'unary-destination',
  'unary-source',
  'segment-from',
  'segment-to',
  'base-from',
  'base-to',
  'port',
]);

function add(mnemonics: number | number[], run: Handler, shape: Shape, more: Partial<Row> = {}): void {
  const size = more.size ?? 8;
  const sizes = SIZED.has(shape) ? ALL_SIZES : [size];
  for (const mnemonic of Array.isArray(mnemonics) ? mnemonics : [mnemonics]) {
    const row = { run, shape, sub: 0, flags: 0, size, sizes, addressSize: 8, fixed: 0, ...more };
    TABLE.set(mnemonic, [...(TABLE.get(mnemonic) ?? []), row]);
  }
}

/** Mnemonics whose handlers differ in `sub` alone: the position in the list, or the numbers given. */
function addFamily(mnemonics: number[], run: Handler, shape: Shape, subs?: number[], more: Partial<Row> = {}): void {
  mnemonics.forEach((mnemonic, i) => {
    add(mnemonic, run, shape, { sub: subs?.[i] ?? i, ...more });
  });
}

const M = Mnemonic;

addFamily([M.Add, M.Or, M.Adc, M.Sbb, M.And, M.Sub, M.Xor, M.Cmp, M.Test], arithmetic.aluGeneral, 'binary', [
  ADD,
  OR,
  ADC,
  SBB,
  AND,
  SUB,
  XOR,
  CMP,
  TEST,
]);
addFamily([M.Inc, M.Dec], arithmetic.stepGeneral, 'unary-destination');
add(M.Neg, arithmetic.neg, 'unary-destination');
add(M.Not, arithmetic.not, 'unary-destination');
add(M.Xadd, arithmetic.xadd, 'binary');
add(M.Cmpxchg, arithmetic.cmpxchg, 'binary');
add(M.Cmpxchg8b, cmpxchg8b, 'memory', { optional: 'cmpxchg16b' });
add(M.Cmpxchg16b, cmpxchg16b, 'memory', { optional: 'cmpxchg16b' });
addFamily([M.Bt, M.Bts, M.Btr, M.Btc], arithmetic.bitTest, 'binary');
addFamily([M.Bsf, M.Bsr], arithmetic.bitScan, 'binary');
// A processor without BMI1 and ABM ignores the F3 of TZCNT and LZCNT (SDM vol. 2, TZCNT).
addFamily([M.Tzcnt, M.Lzcnt], arithmetic.bitScan, 'binary', undefined, {
  sizes: [2, 4, 8],
  optional: 'scan-with-f3',
});
add(M.Popcnt, arithmetic.popcnt, 'binary');
addFamily([M.Rol, M.Ror, M.Rcl, M.Rcr, M.Shl, M.Shr, M.Sal, M.Sar], shift, 'binary', [
  ROL,
  ROR,
  RCL,
  RCR,
  SHL,
  SHR,
  SHL,
  SAR,
]);
addFamily([M.Shld, M.Shrd], shiftDouble, 'binary');
addFamily([M.Mul], multiply.mulAccumulator, 'unary-source');
add(M.Imul, multiply.imulTruncating, 'binary');
add(M.Imul, multiply.mulAccumulator, 'unary-source', { sub: 1 });
addFamily([M.Div, M.Idiv], multiply.divide, 'unary-source');

add([M.Mov, M.Movzx], moves.mov, 'binary');
add([M.Movsx, M.Movsxd], moves.movsx, 'binary');
// A register destination is written at operand size; the selector in memory is always 16 bits.
add(M.Mov, segments.movFromSegment, 'segment-from', { size: 2 });
add(M.Mov, segments.movToSegment, 'segment-to', { size: 2, flags: OP_CONTROL });
add(M.Mov, control.movFromControl, 'control-from');
add(M.Mov, control.movToControl, 'control-to', { flags: OP_CONTROL });
add(M.Mov, control.movFromDebug, 'debug-from');
add(M.Mov, control.movToDebug, 'debug-to');
add(M.Lea, moves.lea, 'binary');
add(M.Xchg, moves.xchg, 'binary');
add(M.Bswap, moves.bswap, 'unary-destination', { sizes: [4, 8] });
addFamily(
  [
    M.Cmovo,
    M.Cmovno,
    M.Cmovb,
    M.Cmovae,
    M.Cmove,
    M.Cmovne,
    M.Cmovbe,
    M.Cmova,
    M.Cmovs,
    M.Cmovns,
    M.Cmovp,
    M.Cmovnp,
    M.Cmovl,
    M.Cmovge,
    M.Cmovle,
    M.Cmovg,
  ],
  moves.cmov,
  'binary',
);
addFamily(
  [
    M.Seto,
    M.Setno,
    M.Setb,
    M.Setae,
    M.Sete,
    M.Setne,
    M.Setbe,
    M.Seta,
    M.Sets,
    M.Setns,
    M.Setp,
    M.Setnp,
    M.Setl,
    M.Setge,
    M.Setle,
    M.Setg,
  ],
  moves.setcc,
  'unary-destination',
);
add(M.Cbw, moves.extendAccumulator, 'none', { size: 2 });
add(M.Cwde, moves.extendAccumulator, 'none', { size: 4 });
add(M.Cdqe, moves.extendAccumulator, 'none', { size: 8 });
add(M.Cwd, moves.extendIntoRdx, 'none', { size: 2 });
add(M.Cdq, moves.extendIntoRdx, 'none', { size: 4 });
add(M.Cqo, moves.extendIntoRdx, 'none', { size: 8 });
add(M.Push, moves.pushMemory, 'unary-source', { flags: OP_STACK, sizes: [8] });
add(M.Push, moves.pushSegment, 'segment-push', { flags: OP_STACK });
add(M.Pop, moves.popMemory, 'unary-destination', { flags: OP_STACK, sizes: [8] });
add(M.Pop, segments.popSegment, 'segment-pop', { flags: OP_STACK | OP_CONTROL });
add(M.Leave, moves.leave, 'none', { flags: OP_STACK });

add(M.Jmp, branches.jmpIndirect, 'indirect');
add(M.Call, branches.callIndirect, 'indirect', { flags: OP_STACK });
add(M.Ret, branches.retImmediate, 'return', { flags: OP_STACK });
// The hot switch executes these; the row gives their condition.
addFamily(
  [M.Jo, M.Jno, M.Jb, M.Jae, M.Je, M.Jne, M.Jbe, M.Ja, M.Js, M.Jns, M.Jp, M.Jnp, M.Jl, M.Jge, M.Jle, M.Jg],
  events.nop,
  'branch',
);
addFamily([M.Loop, M.Loope, M.Loopne], branches.loop, 'branch');
add(M.Jrcxz, branches.jumpIfRcxZero, 'branch');
add(M.Jecxz, branches.jumpIfRcxZero, 'branch', { sub: 1, addressSize: 4 });

for (const [mnemonics, run] of [
  [[M.Movsb, M.Movsw, M.Movsd, M.Movsq], strings.movs],
  [[M.Stosb, M.Stosw, M.Stosd, M.Stosq], strings.stos],
  [[M.Lodsb, M.Lodsw, M.Lodsd, M.Lodsq], strings.lods],
  [[M.Scasb, M.Scasw, M.Scasd, M.Scasq], strings.scas],
  [[M.Cmpsb, M.Cmpsw, M.Cmpsd, M.Cmpsq], strings.cmps],
] as [number[], Handler][]) {
  mnemonics.forEach((mnemonic, i) => {
    add(mnemonic, run, 'string', { size: 1 << i });
  });
}

addFamily([M.Cld, M.Std], flagOps.setDirection, 'none');
addFamily([M.Clc, M.Stc, M.Cmc], flagOps.setCarryFlag, 'none');
addFamily([M.Clac, M.Stac], flagOps.setAccessCheck, 'none');
add(M.Lahf, flagOps.lahf, 'none');
add(M.Sahf, flagOps.sahf, 'none');
add(M.Pushfq, flagOps.pushf, 'none', { flags: OP_STACK });
add(M.Popfq, flagOps.popf, 'none', { flags: OP_STACK | OP_CONTROL });
add(M.Sti, flagOps.sti, 'none', { flags: OP_CONTROL });
add(M.Cli, flagOps.cli, 'none', { flags: OP_CONTROL });
add(M.Hlt, events.hlt, 'none', { flags: OP_CONTROL });
add([M.Nop, M.Pause, M.Lfence, M.Mfence, M.Sfence, M.Endbr64], events.nop, 'ignored');
add([M.Prefetchnta, M.Prefetcht0, M.Prefetcht1, M.Prefetcht2, M.Prefetchw], events.nop, 'ignored');
add(M.Clflush, events.flushLine, 'memory', { optional: 'clflush' });
add([M.Wbinvd, M.Invd], events.privilegedNop, 'none');
add([M.Ud0, M.Ud1, M.Ud2], events.ud2, 'ignored');
add([M.Int, M.Int3], events.softwareInterrupt, 'vector', { flags: OP_CONTROL | OP_LATE_TF });
add(M.In, ports.portIn, 'port', { sizes: [1] });
add(M.In, ports.portIn, 'port', { sizes: [2, 4], optional: 'wide-port-read' });
add(M.Out, ports.portOut, 'port');

add(M.Syscall, syscall, 'none', { flags: OP_CONTROL | OP_LATE_TF });
add(M.Sysretq, sysret, 'none', { flags: OP_CONTROL | OP_LATE_TF });
add(M.Iretq, iret, 'none', { flags: OP_CONTROL | OP_STACK });
add(M.Swapgs, swapgs, 'none', { flags: OP_CONTROL });
add(M.Rdmsr, msr.rdmsr, 'none');
add(M.Wrmsr, msr.wrmsr, 'none', { flags: OP_CONTROL });
add(M.Rdfsbase, msr.readBase, 'base-from', { fixed: FS_BASE });
add(M.Rdgsbase, msr.readBase, 'base-from', { fixed: GS_BASE });
add(M.Wrfsbase, msr.writeBase, 'base-to', { fixed: FS_BASE, flags: OP_CONTROL });
add(M.Wrgsbase, msr.writeBase, 'base-to', { fixed: GS_BASE, flags: OP_CONTROL });
add(M.Clts, control.clts, 'none', { flags: OP_CONTROL });
add(M.Invlpg, control.invlpg, 'memory', { flags: OP_CONTROL });
add(M.Invpcid, control.invpcid, 'binary', { flags: OP_CONTROL });
addFamily([M.Lgdt, M.Lidt], segments.loadTableRegister, 'memory', undefined, { flags: OP_CONTROL });
addFamily([M.Sgdt, M.Sidt], segments.storeTableRegister, 'memory');
add(M.Ltr, segments.ltr, 'unary-source', { flags: OP_CONTROL });
add(M.Str, segments.str, 'unary-destination', { fixed: TR });
add(M.Lldt, segments.lldt, 'unary-source', { flags: OP_CONTROL, optional: 'ldt' });
add(M.Sldt, segments.str, 'unary-destination', { fixed: LDTR, optional: 'ldt' });
addFamily([M.Lsl, M.Lar], segments.inspectSegment, 'binary');
addFamily([M.Verr, M.Verw], segments.verify, 'unary-source');
add(M.Retf, segments.farReturn, 'none', { flags: OP_STACK | OP_CONTROL });

add(M.Cpuid, identification.cpuid, 'none', { optional: 'cpuid' });
add(M.Rdtsc, identification.rdtsc, 'none', { optional: 'rdtsc' });
add(M.Rdtscp, identification.rdtsc, 'none', { sub: 1, optional: 'rdtscp' });
add(M.Rdpid, identification.rdpid, 'unary-destination', { sizes: [8], optional: 'rdpid' });
add(M.Xgetbv, identification.xgetbv, 'none', { optional: 'xgetbv' });
add([M.Fxsave, M.Fxsave64], fpu.fxsave, 'memory', { optional: 'fpu-state' });
add([M.Fxrstor, M.Fxrstor64], fpu.fxrstor, 'memory', { optional: 'fpu-state' });
add(M.Fninit, fpu.fninit, 'none', { optional: 'fpu-state' });
add(M.Fnclex, fpu.fnclex, 'none', { optional: 'fpu-state' });
add(M.Wait, fpu.wait, 'none', { optional: 'fpu-state' });

/**
 * Forms for other modes, which an image may have on paths that are never taken: the check of an image passes them, and
 * executing one is an UnimplementedError.
 */
const TOLERATED: ReadonlySet<number> = new Set([M.Sysret, M.Iret, M.Iretd, M.Retf]);

export function isTolerated(mnemonic: number): boolean {
  return TOLERATED.has(mnemonic);
}

/** The rows of a mnemonic, the general one first; none if it is not implemented. */
export function rowsOf(mnemonic: number): readonly Row[] {
  return TABLE.get(mnemonic) ?? [];
}

/** By Code; undefined is not asked yet. */
const rowOfCode: (Row | null | undefined)[] = [];

/** The row that executes instructions of a Code, if one does. */
export function lookUp(code: number): Row | undefined {
  let row = rowOfCode[code];
  if (row === undefined) {
    const info = CodeExt.opCode(code);
    row = rowsOf(info.mnemonic).find((each) => takes(each, info)) ?? null;
    info.free();
    rowOfCode[code] = row;
  }
  return row ?? undefined;
}
