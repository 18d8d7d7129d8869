/**
 * From bytes to a MicroOp: iced-x86 does the decoding once per address, the neighbours turn what it says into indices
 * and small integers and pick the hot switch's case. Undefined bytes become an op that raises #UD; known but
 * unsupported instructions one that throws.
 */
import { Code, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { UnimplementedError } from '../unimplemented';
import { toBigInt, toVa } from '../words';
import * as table from './instruction-table';
import { type Handler, MicroOp } from './micro-op';
import { addFlags, chooseHotCode } from './op-classes';
import { describe, dropSegment, isControl, isDebug, isSegment } from './operand-description';

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
  op.nextHi = op.nextLo >>> 0 < lo >>> 0 ? (hi + 1) | 0 : hi;
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
  return (_cpu, op) => {
    throw new UnimplementedError(text, op.va, hex);
  };
}

/** Is there a handler for it? Used by the check of whole images. */
export function isImplemented(i: Instruction): boolean {
  return i.code === Code.INVALID || entryOf(i) !== undefined;
}

/** Forms whose mnemonic is in the table while their operand or address size is not handled. */
const EXCLUDED = new Set<number>([
  Code.Retnw,
  Code.Retnw_imm16,
  Code.Bswap_r16,
  Code.Loop_rel8_64_ECX,
  Code.Loope_rel8_64_ECX,
  Code.Loopne_rel8_64_ECX,
]);

function entryOf(i: Instruction): table.Entry | undefined {
  if (EXCLUDED.has(i.code)) return undefined;
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
  if ((i.mnemonic === Mnemonic.Push || i.mnemonic === Mnemonic.Pop) && i.stackPointerIncrement % 8 !== 0)
    return undefined;
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
