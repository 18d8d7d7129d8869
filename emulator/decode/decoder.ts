/**
 * From bytes to a MicroOp: iced-x86 does the decoding once per address, this file turns what it says into indices and small
 * integers, and picks the hot switch's case where there is one. Undefined bytes become an op that raises #UD; known but
 * unsupported instructions one that throws.
 */
import { Code, Decoder, DecoderError, DecoderOptions, Instruction, MemorySizeExt, Mnemonic, OpKind, Register } from 'iced-x86';
import { TEST } from '../cpu/alu';
import { WHILE_EQUAL, WHILE_NOT_EQUAL } from '../cpu/string-ops';
import { FS_BASE, GS_BASE, RBP, RSP, ZERO } from '../registers';
import { SEGMENT_WORDS } from '../system/segments';
import { UnimplementedError } from '../unimplemented';
import { bigHi, bigLo, toBigInt, toVa } from '../words';
import { type HotCode, hotCode } from './hot-codes';
import * as table from './instruction-table';
import {
  type Handler, IMM, MEM, MicroOp, OP_BRANCH, OP_GS, OP_MEM_READ, OP_MEM_WRITE, OP_REP, OP_SS, OP_STACK, OP_WRITES_RSP, REG,
} from './micro-op';

const instruction = new Instruction();

/** Undefined: the bytes end before the instruction does. */
export function decodeAt(bytes: Uint8Array, lo: number, hi: number): MicroOp | undefined {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = toBigInt(lo, hi);
  decoder.decodeOut(instruction);
  const error = decoder.lastError;
  decoder.free();
  if (error === DecoderError.NoMoreBytes && bytes.length < 15) return undefined;
  return toMicroOp(instruction, bytes, lo, hi);
}

function toMicroOp(i: Instruction, bytes: Uint8Array, lo: number, hi: number): MicroOp {
  const entry = i.code === Code.INVALID ? undefined : entryOf(i);
  const op = new MicroOp(entry?.run ?? (i.code === Code.INVALID ? invalid : unimplemented(i, bytes)));
  op.va = toVa(lo, hi);
  op.length = i.length;
  op.mnemonic = i.mnemonic;
  op.icedCode = i.code;
  op.nextLo = (lo + i.length) | 0;
  op.nextHi = (op.nextLo >>> 0) < (lo >>> 0) ? (hi + 1) | 0 : hi;
  if (entry === undefined) return op;
  op.sub = entry.sub;
  op.flags = entry.flags;
  op.size = entry.size;
  describe(op, i, entry);
  if (i.mnemonic === Mnemonic.Lea) dropSegment(op);
  chooseHotCode(op, i);
  addFlags(op, i);
  return op;
}

/** #UD, through the table's own handler for UD2. */
const invalid: Handler = (cpu, op) => (table.lookUp(Mnemonic.Ud2) as table.Entry).run(cpu, op);

function unimplemented(i: Instruction, bytes: Uint8Array): Handler {
  const text = `instruction "${i.toString()}"`;
  const hex = Buffer.from(bytes.subarray(0, i.length)).toString('hex');
  return (_cpu, op) => { throw new UnimplementedError(text, op.va, hex); };
}

/** Is there a handler for it? Used by the check of whole images. */
export function isImplemented(i: Instruction): boolean {
  return i.code === Code.INVALID || entryOf(i) !== undefined;
}

function isSegment(register: number): boolean {
  return register >= Register.ES && register <= Register.GS;
}

function isControl(register: number): boolean {
  return register >= Register.CR0 && register <= Register.CR15;
}

function isDebug(register: number): boolean {
  return register >= Register.DR0 && register <= Register.DR15;
}

function entryOf(i: Instruction): table.Entry | undefined {
  const first = i.opCount > 0 && i.op0Kind === OpKind.Register ? i.op0Register : Register.None;
  const second = i.opCount > 1 && i.op1Kind === OpKind.Register ? i.op1Register : Register.None;
  if (i.mnemonic === Mnemonic.Mov) {
    if (isSegment(first)) return table.MOV_TO_SEGMENT;
    if (isSegment(second)) return table.MOV_FROM_SEGMENT;
    if (isControl(first)) return table.MOV_TO_CONTROL;
    if (isControl(second)) return table.MOV_FROM_CONTROL;
    if (isDebug(first)) return table.MOV_TO_DEBUG;
    if (isDebug(second)) return table.MOV_FROM_DEBUG;
  }
  if (i.mnemonic === Mnemonic.Imul && i.opCount === 1) return table.IMUL_ACCUMULATOR;
  if (i.mnemonic === Mnemonic.Push && isSegment(first)) return table.PUSH_SEGMENT;
  if (usesUnknownRegister(first) || usesUnknownRegister(second)) return undefined;
  if ((i.mnemonic === Mnemonic.Push || i.mnemonic === Mnemonic.Pop) && i.stackPointerIncrement % 8 !== 0) return undefined;
  // A far CALL or JMP through memory shares its mnemonic with the near one.
  if (i.isCallFarIndirect || i.isJmpFarIndirect) return undefined;
  // iced calls the SSE and string forms of these by the same name.
  if ((i.mnemonic === Mnemonic.Movsd || i.mnemonic === Mnemonic.Cmpsd) && !i.isStringInstruction) return undefined;
  // An explicit address-size prefix on an implied-operand instruction would need 32-bit rsi, rdi, rcx.
  if (i.isStringInstruction && usesShortString(i)) return undefined;
  return table.lookUp(i.mnemonic);
}

function usesShortString(i: Instruction): boolean {
  for (let n = 0; n < i.opCount; n++) {
    const kind = i.opKind(n);
    if (kind === OpKind.MemorySegESI || kind === OpKind.MemoryESEDI) return true;
  }
  return false;
}

/** Only general registers, and those of the special shapes, are known. */
function usesUnknownRegister(register: number): boolean {
  return register > Register.R15 && !isSegment(register) && !isControl(register) && !isDebug(register);
}

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
  const short = (!absolute && registerOf(base).size === 4) || (index !== Register.None && registerOf(index).size === 4) || base === Register.EIP;
  op.addr32 = short ? 1 : 0;
  setSegment(op, i);
  if (op.seg < 0 && !absolute && (op.base === RSP || op.base === RBP)) op.flags |= OP_SS;
}

function setSegment(op: MicroOp, i: Instruction): void {
  const segment = i.memorySegment;
  op.seg = segment === Register.FS ? FS_BASE : segment === Register.GS ? GS_BASE : -1;
  if (op.seg === GS_BASE) op.flags |= OP_GS;
}

/** LEA computes an offset: segment overrides mean nothing and nothing is accessed (SDM vol. 2, LEA). */
function dropSegment(op: MicroOp): void {
  op.seg = -1;
  op.flags &= ~(OP_GS | OP_SS);
}

function describe(op: MicroOp, i: Instruction, entry: table.Entry): void {
  switch (entry.shape) {
    case 'none': return describeImplied(op, i);
    case 'binary': return describeBinary(op, i);
    case 'unary-destination':
      op.size = sizeOf(i, 0);
      op.s = entry.fixed;
      return setDestination(op, i, 0);
    case 'unary-source':
      if (i.op0Kind === OpKind.Register || isMemory(i.op0Kind)) op.size = sizeOf(i, 0);
      return setSource(op, i, 0);
    case 'branch': return describeBranch(op, i);
    case 'indirect': return i.op0Kind === OpKind.NearBranch64 ? describeBranch(op, i) : setSource(op, i, 0);
    case 'string': return describeString(op, i);
    case 'control-to':
      op.d = i.op0Register - (isControl(i.op0Register) ? Register.CR0 : Register.DR0);
      return setSource(op, i, 1);
    case 'control-from':
      op.s = i.op1Register - (isControl(i.op1Register) ? Register.CR0 : Register.DR0);
      return setDestination(op, i, 0);
    case 'segment-to':
      setSource(op, i, 1);
      op.sSize = 2;
      op.d = SEGMENT_WORDS[i.op0Register - Register.ES];
      return;
    case 'segment-from': return describeSegmentFrom(op, i);
    case 'base-from':
      op.size = sizeOf(i, 0);
      op.s = entry.fixed;
      return setDestination(op, i, 0);
    case 'base-to':
      op.size = sizeOf(i, 0);
      setSource(op, i, 0);
      op.d = entry.fixed;
      return;
    case 'memory': return setMemory(op, i);
    case 'port': return describePort(op, i);
  }
}

function describeImplied(op: MicroOp, i: Instruction): void {
  if (i.mnemonic === Mnemonic.Int3) op.immLo = 3;
  else if (i.mnemonic === Mnemonic.Int1) op.immLo = 1;
  else if (i.mnemonic === Mnemonic.Int) op.immLo = i.immediate8;
  else if (i.mnemonic === Mnemonic.Retf) {
    op.size = i.code === Code.Retfq ? 8 : 4;
  }
}

function describeBinary(op: MicroOp, i: Instruction): void {
  op.size = sizeOf(i, 0);
  // The register operand of XCHG, XADD, CMPXCHG and TEST may be printed on either side; memory is the destination of the first three.
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
  if (i.opCount === 0) return;
  const near = i.op0Kind === OpKind.NearBranch64;
  const target = near ? i.nearBranch64 : BigInt(i.immediate16);
  op.immLo = bigLo(target);
  op.immHi = bigHi(target);
}

function describeString(op: MicroOp, i: Instruction): void {
  if (i.hasRepPrefix || i.hasRepnePrefix) op.flags |= OP_REP;
  op.sub2 = i.hasRepnePrefix ? WHILE_NOT_EQUAL : WHILE_EQUAL;
  setSegment(op, i);
}

function describeSegmentFrom(op: MicroOp, i: Instruction): void {
  const push = i.mnemonic === Mnemonic.Push;
  op.s = SEGMENT_WORDS[i.opRegister(push ? 0 : 1) - Register.ES];
  if (push) return;
  op.size = isMemory(i.op0Kind) ? 2 : sizeOf(i, 0);
  setDestination(op, i, 0);
}

function describePort(op: MicroOp, i: Instruction): void {
  const input = i.mnemonic === Mnemonic.In;
  op.size = registerOf(i.opRegister(input ? 0 : 1)).size;
  const port = input ? 1 : 0;
  if (i.opKind(port) === OpKind.Register) return;
  op.sKind = IMM;
  op.immLo = i.immediate8;
}

/** Families of the hot switch: register and immediate forms at 64 bits. */
const HOT_ALU: Readonly<Record<number, string>> = { 0: 'ADD', 1: 'OR', 4: 'AND', 5: 'SUB', 6: 'XOR', 7: 'CMP', [TEST]: 'TEST' };

function hotName(op: MicroOp, i: Instruction): HotCode {
  const wide = op.size === 8;
  switch (i.mnemonic) {
    case Mnemonic.Mov: return hotMove(op);
    case Mnemonic.Lea: return wide ? 'LEA64' : 'NONE';
    case Mnemonic.Push: return op.sKind === IMM ? 'PUSH_I' : op.sKind === REG && !isSegment(i.op0Register) ? 'PUSH_R' : 'NONE';
    case Mnemonic.Pop: return op.dKind === REG ? 'POP_R' : 'NONE';
    case Mnemonic.Call: return i.op0Kind === OpKind.NearBranch64 ? 'CALL' : 'NONE';
    case Mnemonic.Jmp: return i.op0Kind === OpKind.NearBranch64 ? 'JMP' : 'NONE';
    case Mnemonic.Ret: return i.opCount === 0 ? 'RET' : 'NONE';
    case Mnemonic.Nop: return 'NOP';
    case Mnemonic.Inc: return wide && op.dKind === REG ? 'INC_R64' : 'NONE';
    case Mnemonic.Dec: return wide && op.dKind === REG ? 'DEC_R64' : 'NONE';
    default: return i.isJccShortOrNear ? 'JCC' : hotAlu(op);
  }
}

function hotAlu(op: MicroOp): HotCode {
  const family = (table.lookUp(op.mnemonic) as table.Entry).run === aluRun ? HOT_ALU[op.sub] : undefined;
  if (family === undefined || op.size !== 8 || op.dKind !== REG || op.sKind === MEM) return 'NONE';
  return `${family}_${op.sKind === IMM ? 'RI' : 'RR'}64` as HotCode;
}

const aluRun = (table.lookUp(Mnemonic.Add) as table.Entry).run;

function hotMove(op: MicroOp): HotCode {
  if (op.run !== movRun || (op.size !== 8 && op.size !== 4)) return 'NONE';
  if (op.dKind === MEM) return op.sKind === IMM ? 'NONE' : op.size === 8 ? 'MOV_MR64' : 'MOV_MR32';
  if (op.sKind === IMM) return 'MOV_RI';
  const form = op.sKind === MEM ? 'MOV_RM' : 'MOV_RR';
  return `${form}${op.size === 8 ? 64 : 32}` as HotCode;
}

const movRun = (table.lookUp(Mnemonic.Mov) as table.Entry).run;

function chooseHotCode(op: MicroOp, i: Instruction): void {
  op.code = hotCode(hotName(op, i));
}

function addFlags(op: MicroOp, i: Instruction): void {
  if (op.code === hotCode('JCC') || op.code === hotCode('JMP') || op.code === hotCode('CALL') || op.code === hotCode('RET')) op.flags |= OP_BRANCH;
  if (i.mnemonic === Mnemonic.Jmp || i.mnemonic === Mnemonic.Call) op.flags |= OP_BRANCH;
  if (op.sKind === MEM && i.mnemonic !== Mnemonic.Lea) op.flags |= OP_MEM_READ;
  if (op.dKind === MEM) op.flags |= i.mnemonic === Mnemonic.Mov ? OP_MEM_WRITE : OP_MEM_READ | OP_MEM_WRITE;
  if (i.isStringInstruction) op.flags |= OP_MEM_READ | OP_MEM_WRITE;
  if (i.mnemonic === Mnemonic.Jmp) op.flags &= ~OP_STACK;
  if (writesRsp(op, i)) op.flags |= OP_WRITES_RSP;
}

/** An explicit register destination, or one of the instructions that load it from elsewhere. */
function writesRsp(op: MicroOp, i: Instruction): boolean {
  if (i.mnemonic === Mnemonic.Leave || i.mnemonic === Mnemonic.Iretq) return true;
  if (i.mnemonic === Mnemonic.Cmp || i.mnemonic === Mnemonic.Test || i.mnemonic === Mnemonic.Push || i.mnemonic === Mnemonic.Bt) return false;
  const exchange = i.mnemonic === Mnemonic.Xchg || i.mnemonic === Mnemonic.Xadd;
  if (exchange && i.op1Kind === OpKind.Register && i.op1Register === Register.RSP) return true;
  return op.dKind === REG && i.opCount > 0 && i.op0Kind === OpKind.Register && op.d === RSP && isGeneral(i.op0Register);
}

function isGeneral(register: number): boolean {
  return register >= Register.AL && register <= Register.R15;
}
