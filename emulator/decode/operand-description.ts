/**
 * Operands of a decoded instruction as fields of a MicroOp: which register words, which widths, which address. What the
 * manual calls r/m, reg and imm ends up as destination (d) and source (s), by the shape that the instruction table
 * gives.
 */
import { type Instruction, MemorySizeExt, Mnemonic, OpKind, Register } from 'iced-x86';
import { WHILE_EQUAL, WHILE_NOT_EQUAL } from '../cpu/string-ops';
import { IMM, MEM, type MicroOp, OP_BRANCH, OP_GS, OP_REP, OP_SS } from '../micro-op';
import { FS_BASE, GS_BASE, RBP, RSP, VEC_BP, ZERO } from '../registers';
import { SEGMENT_WORDS } from '../system/segments';
import { bigHi, bigLo } from '../words';
import type { Row } from './forms';

/** Word index, shift and width of a general register. */
function registerOf(register: number): { word: number; shift: number; size: number } {
  if (register >= Register.RAX) return { word: (register - Register.RAX) * 2, shift: 0, size: 8 };
  if (register >= Register.EAX) return { word: (register - Register.EAX) * 2, shift: 0, size: 4 };
  if (register >= Register.AX) return { word: (register - Register.AX) * 2, shift: 0, size: 2 };
  const n = register - Register.AL;
  if (n < 4) return { word: n * 2, shift: 0, size: 1 };
  if (n < 8) return { word: (n - 4) * 2, shift: 8, size: 1 };
  return { word: (n - 4) * 2, shift: 0, size: 1 };
}

function sizeOf(i: Instruction, n: number): number {
  return i.opKind(n) === OpKind.Register ? registerOf(i.opRegister(n)).size : MemorySizeExt.size(i.memorySize);
}

function isMemory(kind: number): boolean {
  return kind === OpKind.Memory;
}

function setDestination(op: MicroOp, i: Instruction, n: number): void {
  if (isMemory(i.opKind(n))) {
    op.dKind = MEM;
    setMemory(op, i);
    return;
  }
  const register = registerOf(i.opRegister(n));
  op.d = register.word;
  op.dShift = register.shift;
}

function setSource(op: MicroOp, i: Instruction, n: number): void {
  const kind = i.opKind(n);
  if (kind === OpKind.Register) {
    const register = registerOf(i.opRegister(n));
    op.s = register.word;
    op.sShift = register.shift;
    op.sSize = register.size;
  } else if (isMemory(kind)) {
    op.sKind = MEM;
    op.sSize = MemorySizeExt.size(i.memorySize);
    setMemory(op, i);
  } else {
    op.sKind = IMM;
    setImmediate(op, i, n);
  }
}

/** Sign-extended to the operand's width, then zero-extended like every narrow value. */
function setImmediate(op: MicroOp, i: Instruction, n: number): void {
  const value = i.immediate(n);
  op.immLo = op.size >= 4 ? bigLo(value) : bigLo(value) & (op.size === 2 ? 0xffff : 0xff);
  op.immHi = op.size === 8 ? bigHi(value) : 0;
}

function setMemory(op: MicroOp, i: Instruction): void {
  const base = i.memoryBase;
  const index = i.memoryIndex;
  // iced folds RIP into the displacement.
  const absolute = base === Register.None || base === Register.RIP || base === Register.EIP;
  op.base = absolute ? ZERO : registerOf(base).word;
  op.index = index === Register.None ? -1 : registerOf(index).word;
  op.scale = 31 - Math.clz32(i.memoryIndexScale);
  op.dispLo = bigLo(i.memoryDisplacement);
  op.dispHi = bigHi(i.memoryDisplacement);
  const short =
    (!absolute && registerOf(base).size === 4) ||
    (index !== Register.None && registerOf(index).size === 4) ||
    (absolute && i.memoryDisplSize === 4);
  op.addr32 = short ? 1 : 0;
  setSegment(op, i);
  op.complex = op.index >= 0 || op.seg >= 0 || short;
  if (op.seg < 0 && !absolute && (op.base === RSP || op.base === RBP)) op.flags |= OP_SS;
}

function setSegment(op: MicroOp, i: Instruction): void {
  const segment = i.memorySegment;
  op.seg = segment === Register.FS ? FS_BASE : segment === Register.GS ? GS_BASE : -1;
  if (op.seg === GS_BASE) op.flags |= OP_GS;
}

/** LEA computes an offset: segment overrides mean nothing and nothing is accessed (SDM vol. 2, LEA). */
export function dropSegment(op: MicroOp): void {
  op.seg = -1;
  op.flags &= ~(OP_GS | OP_SS);
}

export function describe(op: MicroOp, i: Instruction, row: Row): void {
  switch (row.shape) {
    case 'none':
    case 'ignored':
      return;
    case 'vector':
      op.immLo = i.opCount > 0 ? i.immediate8 : VEC_BP;
      return;
    case 'binary':
      return describeBinary(op, i);
    case 'unary-destination':
      op.size = sizeOf(i, 0);
      op.s = row.fixed;
      return setDestination(op, i, 0);
    case 'unary-source':
      if (i.op0Kind === OpKind.Register || isMemory(i.op0Kind)) op.size = sizeOf(i, 0);
      return setSource(op, i, 0);
    case 'branch':
      return describeBranch(op, i);
    case 'return':
      op.flags |= OP_BRANCH;
      if (i.opCount > 0) op.immLo = i.immediate16;
      return;
    case 'indirect':
      return i.op0Kind === OpKind.NearBranch64 ? describeBranch(op, i) : setSource(op, i, 0);
    case 'string':
      return describeString(op, i);
    case 'control-to':
      op.d = i.op0Register - Register.CR0;
      return setSource(op, i, 1);
    case 'control-from':
      op.s = i.op1Register - Register.CR0;
      return setDestination(op, i, 0);
    case 'debug-to':
      op.d = i.op0Register - Register.DR0;
      return setSource(op, i, 1);
    case 'debug-from':
      op.s = i.op1Register - Register.DR0;
      return setDestination(op, i, 0);
    case 'segment-to':
      setSource(op, i, 1);
      op.sSize = 2;
      op.d = segmentWord(i.op0Register);
      return;
    case 'segment-from':
      op.s = segmentWord(i.op1Register);
      op.size = isMemory(i.op0Kind) ? 2 : sizeOf(i, 0);
      return setDestination(op, i, 0);
    case 'segment-push':
      op.s = segmentWord(i.op0Register);
      return;
    case 'segment-pop':
      op.d = segmentWord(i.op0Register);
      return;
    case 'base-from':
      op.size = sizeOf(i, 0);
      op.s = row.fixed;
      return setDestination(op, i, 0);
    case 'base-to':
      op.size = sizeOf(i, 0);
      setSource(op, i, 0);
      op.d = row.fixed;
      return;
    case 'memory':
      return setMemory(op, i);
    case 'port':
      return describePort(op, i);
  }
}

function segmentWord(register: number): number {
  return SEGMENT_WORDS[register - Register.ES];
}

function describeBinary(op: MicroOp, i: Instruction): void {
  op.size = sizeOf(i, 0);
  // The register operand of XCHG, XADD, CMPXCHG and TEST may be printed on either side; memory is the destination of
  // the first three.
  const swapped = (i.mnemonic === Mnemonic.Xchg || i.mnemonic === Mnemonic.Test) && isMemory(i.op1Kind);
  setDestination(op, i, swapped ? 1 : 0);
  setSource(op, i, swapped ? 0 : 1);
  if (i.opCount < 3) return;
  if (i.mnemonic === Mnemonic.Imul) {
    op.sub = 1;
    setImmediate(op, i, 2);
  } else if (i.op2Kind !== OpKind.Register) {
    op.sub2 = 1;
    op.immLo = i.immediate8;
  }
}

function describeBranch(op: MicroOp, i: Instruction): void {
  op.flags |= OP_BRANCH;
  op.immLo = bigLo(i.nearBranch64);
  op.immHi = bigHi(i.nearBranch64);
}

function describeString(op: MicroOp, i: Instruction): void {
  if (i.hasRepPrefix || i.hasRepnePrefix) op.flags |= OP_REP;
  op.sub2 = i.hasRepnePrefix ? WHILE_NOT_EQUAL : WHILE_EQUAL;
  setSegment(op, i);
}

function describePort(op: MicroOp, i: Instruction): void {
  const input = i.mnemonic === Mnemonic.In;
  op.size = registerOf(i.opRegister(input ? 0 : 1)).size;
  const port = input ? 1 : 0;
  if (i.opKind(port) === OpKind.Register) return;
  op.sKind = IMM;
  op.immLo = i.immediate8;
}
