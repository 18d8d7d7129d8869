/**
 * From bytes to a MicroOp: iced-x86 does the decoding once per address, the neighbours turn what it says into indices
 * and small integers and pick the hot switch's case. Undefined bytes become an op that raises #UD, more than 15 bytes
 * one that raises #GP(0); known but unsupported instructions one that throws. What the platform does not offer is one
 * or the other.
 */
import './iced';
import { Code, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic, OpKind } from 'iced-x86';
import { MAX_LENGTH } from '../cpu/code-cache';
import { fail } from '../cpu/outcome';
import { type Handler, MicroOp } from '../micro-op';
import type { Offer, Platform } from '../platform';
import { NO_ERROR_CODE, VEC_GP, VEC_UD } from '../registers';
import { UnimplementedError } from '../unimplemented';
import type { Vendor } from '../vendor';
import { sumHigh, toBigInt, toVa } from '../words';
import type { Row } from './forms';
import * as table from './instruction-table';
import { addFlags, chooseHotCode } from './op-classes';
import { describe, dropSegment } from './operand-description';

const instruction = new Instruction();

/** Undefined: the bytes end before the instruction does. */
export function decodeAt(bytes: Uint8Array, lo: number, hi: number, platform: Platform): MicroOp | undefined {
  const { vendor } = platform;
  const error = decode(bytes, lo, hi, vendor);
  if (error === DecoderError.NoMoreBytes && bytes.length < MAX_LENGTH) return undefined;
  if (instruction.code === Code.INVALID && isTooLong(bytes, lo, hi, vendor))
    return faulting(tooLong, bytes.length, lo, hi);
  if (instruction.code === Code.Pause && hasRexB(bytes, instruction.length))
    decode(withoutRepeat(bytes), lo, hi, vendor);
  return toMicroOp(instruction, bytes, lo, hi, platform);
}

/** Into `instruction`; answers a DecoderError. */
function decode(bytes: Uint8Array, lo: number, hi: number, vendor: Vendor): number {
  const decoder = new Decoder(64, bytes, vendor === 'amd' ? DecoderOptions.AMD : DecoderOptions.None);
  decoder.ip = toBigInt(lo, hi);
  decoder.decodeOut(instruction);
  const error = decoder.lastError;
  decoder.free();
  return error;
}

/**
 * Does the instruction go on after 15 bytes (SDM vol. 3, 6.15, #GP)? iced-x86 calls that invalid, like an undefined
 * opcode, so it is asked again without a prefix that has no say in the length: 14 bytes that are not enough.
 */
function isTooLong(bytes: Uint8Array, lo: number, hi: number, vendor: Vendor): boolean {
  if (bytes.length < MAX_LENGTH) return false;
  const prefixes = leadingPrefixes(bytes);
  if (prefixes === bytes.length) return true;
  const leading = bytes.subarray(0, prefixes);
  const spare = leading.findIndex((byte, i) => !isSizePrefix(byte) || leading.includes(byte, i + 1));
  if (spare < 0) return false;
  const error = decode(Uint8Array.from([...bytes.subarray(0, spare), ...bytes.subarray(spare + 1)]), lo, hi, vendor);
  const more = error === DecoderError.NoMoreBytes;
  decode(bytes, lo, hi, vendor);
  return more;
}

const LEGACY_PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

function leadingPrefixes(bytes: Uint8Array): number {
  const end = bytes.findIndex((b) => !LEGACY_PREFIXES.has(b));
  return end < 0 ? bytes.length : end;
}

function isSizePrefix(byte: number): boolean {
  return byte === 0x66 || byte === 0x67;
}

/** F3 90 is PAUSE, but with REX.B the F3 means nothing and 90 is XCHG %r8,%rax (SDM vol. 2, XCHG). */
function hasRexB(bytes: Uint8Array, length: number): boolean {
  return (bytes[length - 2] & 0xf1) === 0x41;
}

/** The same length, with a prefix that means nothing in 64-bit mode in the place of F3. */
function withoutRepeat(bytes: Uint8Array): Uint8Array {
  return bytes.map((b, i) => (b === 0xf3 && i < leadingPrefixes(bytes) ? 0x3e : b));
}

function faulting(run: Handler, length: number, lo: number, hi: number): MicroOp {
  const op = new MicroOp(run);
  op.va = toVa(lo, hi);
  op.length = length;
  return op;
}

const tooLong: Handler = (cpu) => fail(cpu, VEC_GP, 0);

function toMicroOp(i: Instruction, bytes: Uint8Array, lo: number, hi: number, platform: Platform): MicroOp {
  const known = rowOf(i);
  const offer = offerOf(known, platform);
  const row = offer === 'executed' ? known : undefined;
  const isInvalid = i.code === Code.INVALID || offer === 'undefined';
  const op = new MicroOp(row?.run ?? (isInvalid ? invalid : unimplemented(i, bytes)));
  op.va = toVa(lo, hi);
  op.length = i.length;
  op.mnemonic = i.mnemonic;
  op.icedCode = i.code;
  op.nextLo = (lo + i.length) | 0;
  op.nextHi = sumHigh(hi, op.nextLo, i.length);
  if (row === undefined) return op;
  op.sub = row.sub;
  op.flags = row.flags;
  op.size = row.size;
  describe(op, i, row);
  if (i.mnemonic === Mnemonic.Lea) dropSegment(op);
  chooseHotCode(op, i);
  addFlags(op, i);
  return op;
}

const invalid: Handler = (cpu) => fail(cpu, VEC_UD, NO_ERROR_CODE);

function unimplemented(i: Instruction, bytes: Uint8Array): Handler {
  const text = `instruction "${i.toString()}"`;
  const hex = Buffer.from(bytes.subarray(0, i.length)).toString('hex');
  return (_cpu, op) => {
    throw new UnimplementedError(text, op.va, hex);
  };
}

/** May an image contain it? Asked by the check of whole images, which cannot know what is executed. */
export function isImplemented(i: Instruction, platform: Platform): boolean {
  const offer = offerOf(rowOf(i), platform);
  return i.code === Code.INVALID || offer === 'executed' || table.isTolerated(i.mnemonic);
}

function offerOf(row: Row | undefined, platform: Platform): Offer {
  if (row === undefined) return 'refused';
  return row.optional === undefined ? 'executed' : platform.instructions[row.optional];
}

function rowOf(i: Instruction): Row | undefined {
  const row = table.lookUp(i.code);
  // An address-size prefix on a string instruction would need 32-bit rsi, rdi and rcx.
  return row?.shape === 'string' && usesShortString(i) ? undefined : row;
}

function usesShortString(i: Instruction): boolean {
  for (let n = 0; n < i.opCount; n++) {
    const kind = i.opKind(n);
    if (kind === OpKind.MemorySegESI || kind === OpKind.MemoryESEDI) return true;
  }
  return false;
}
