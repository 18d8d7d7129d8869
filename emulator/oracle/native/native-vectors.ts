/**
 * Instructions and registers to compare: encodings of everything that the emulator executes at CPL 3 and that needs no
 * answer of an operating system, and registers that point into the shared data, next to its ends, or nowhere.
 */
import '../../decode/iced';
import { Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { isImplemented } from '../../decode/decoder';
import type { Platform } from '../../platform';
import { FLAG_AC, FLAG_DF, FLAG_IF, RCX, RIP, STATUS_FLAGS } from '../../registers';
import {
  CODE,
  CODE_BYTES,
  CODE_PLACE,
  DATA,
  FILLER,
  FLAGS_PLACE,
  PAGE,
  READ_ONLY,
  RECORD_REGISTERS,
  WINDOW,
} from './native-layout';

/** Not compared: they enter the kernel, answer what an operating system has set up, or are refused. */
const LEFT_OUT: ReadonlySet<number> = new Set([
  ...[Mnemonic.Syscall, Mnemonic.Int, Mnemonic.Int1, Mnemonic.Int3, Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq],
  ...[Mnemonic.Retf, Mnemonic.Sysret, Mnemonic.Sgdt, Mnemonic.Sidt, Mnemonic.Sldt, Mnemonic.Str, Mnemonic.Smsw],
  ...[Mnemonic.Lar, Mnemonic.Lsl, Mnemonic.Verr, Mnemonic.Verw, Mnemonic.Invpcid],
  ...[Mnemonic.Rdfsbase, Mnemonic.Rdgsbase, Mnemonic.Wrfsbase, Mnemonic.Wrgsbase],
]);
/** Undefined; a form of which AMD's processors read 32 bits of memory, and Intel's 16. */
const FORMS_LEFT_OUT: ReadonlySet<number> = new Set([Code.INVALID, Code.Movsxd_r16_rm16]);
/** With F2 or F3, which is reserved (SDM vol. 2, 2.1.1), AMD's processors take the condition from the prefix. */
const CONDITIONAL_LOOPS: ReadonlySet<number> = new Set([Mnemonic.Loope, Mnemonic.Loopne]);
const LEGACY_PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];
const LONGEST = 15;
/** Encodings of each form that are kept. */
const KEPT = 48;
/** Where an instruction lies that does not end at the page's end. */
const MIDDLE = PAGE / 2;

export interface Encoding {
  readonly bytes: Uint8Array;
  readonly mnemonic: number;
  readonly repeats: boolean;
}

/** Of random encodings those that are compared, by form (Code of iced-x86), so that each form is drawn as often. */
export function encodings(random: () => number, platform: Platform, trials: number): Encoding[][] {
  const forms = new Map<number, Encoding[]>();
  const bytes = new Uint8Array(LONGEST);
  const instruction = new Instruction();
  const options = platform.vendor === 'amd' ? DecoderOptions.AMD : DecoderOptions.None;
  for (let trial = 0; trial < trials; trial++) {
    drawBytes(random, bytes);
    const decoder = new Decoder(64, bytes, options);
    decoder.ip = BigInt(CODE + MIDDLE);
    decoder.decodeOut(instruction);
    decoder.free();
    const { code, length, mnemonic } = instruction;
    const kept = forms.get(code) ?? [];
    if (kept.length === KEPT || !isComparable(instruction, platform)) continue;
    kept.push({ bytes: bytes.slice(0, length), mnemonic, repeats: repeats(instruction) });
    forms.set(code, kept);
  }
  return [...forms.entries()].sort(([a], [b]) => a - b).map(([, kept]) => kept);
}

function isComparable(instruction: Instruction, platform: Platform): boolean {
  if (FORMS_LEFT_OUT.has(instruction.code) || LEFT_OUT.has(instruction.mnemonic)) return false;
  if (CONDITIONAL_LOOPS.has(instruction.mnemonic) && repeats(instruction)) return false;
  for (let i = 0; i < instruction.opCount; i++) {
    if (instruction.opKind(i) !== OpKind.Register) continue;
    const register = instruction.opRegister(i);
    if (register >= Register.ES && register <= Register.GS) return false;
  }
  return isImplemented(instruction, platform);
}

function repeats(instruction: Instruction): boolean {
  return instruction.hasRepPrefix || instruction.hasRepnePrefix;
}

/** Prefixes, an opcode of one of the maps, and operands that are often small. */
function drawBytes(random: () => number, bytes: Uint8Array): void {
  const byte = () => Math.floor(random() * 256);
  let at = 0;
  while (at < 3 && random() < 0.15) bytes[at++] = LEGACY_PREFIXES[Math.floor(random() * LEGACY_PREFIXES.length)];
  if (random() < 0.5) bytes[at++] = 0x40 | Math.floor(random() * 16);
  if (random() < 0.5) bytes[at++] = 0x0f;
  bytes[at++] = byte();
  while (at < LONGEST) bytes[at++] = random() < 0.5 ? byte() : random() < 0.7 ? 0 : 0xff;
}

/** Fills a record with the encoding and with registers. */
export function fillRecord(random: () => number, { bytes, repeats }: Encoding, record: Int32Array): void {
  for (let i = 0; i < RECORD_REGISTERS.length; i++) drawRegister(random, record, 2 * i);
  const rcx = 2 * RECORD_REGISTERS.indexOf(RCX);
  if (repeats) record.set([Math.floor(random() * 9), random() < 0.9 ? 0 : 1], rcx);
  const atEnd = random() < 1 / 16;
  const offset = atEnd ? PAGE - 1 - Math.floor(random() * bytes.length) : MIDDLE;
  record.set([CODE + offset, 0], 2 * RECORD_REGISTERS.indexOf(RIP));
  const drawn = Math.floor(random() * 2 ** 32);
  const alignment = random() < 1 / 16 ? FLAG_AC : 0;
  record.set([(drawn & (STATUS_FLAGS | FLAG_DF)) | alignment | FLAG_IF | 2, 0], 2 * FLAGS_PLACE);
  const code = new Uint8Array(record.buffer, record.byteOffset + CODE_PLACE * 8, CODE_BYTES);
  code.fill(FILLER);
  code.set(bytes);
}

function drawRegister(random: () => number, record: Int32Array, at: number): void {
  const below = (limit: number) => Math.floor(random() * limit);
  const kind = random();
  let lo = below(2 ** 32);
  let hi = below(2 ** 32);
  if (kind < 0.5) [lo, hi] = [WINDOW + 0x80 + below(0x200), 0];
  else if (kind < 0.54) [lo, hi] = [(random() < 0.5 ? DATA : READ_ONLY + PAGE) - 8 + below(16), 0];
  else if (kind < 0.58) [lo, hi] = [CODE + below(PAGE), 0];
  else if (kind < 0.68) [lo, hi] = random() < 0.5 ? [below(256), 0] : [-1 - below(256), -1];
  else if (kind < 0.76) [lo, hi] = oneBit(below(64), below(3) - 1);
  else if (kind < 0.8) [lo, hi] = [below(2 ** 32), random() < 0.5 ? 0x8000 : 0xffff7fff];
  record[at] = lo;
  record[at + 1] = hi;
}

/** A power of two, and its neighbours. */
function oneBit(bit: number, offset: number): [lo: number, hi: number] {
  const value = BigInt.asUintN(64, (1n << BigInt(bit)) + BigInt(offset));
  return [Number(value & 0xffffffffn), Number(value >> 32n)];
}

/** Addresses of the code page among random data, so that returns and indirect branches lead somewhere. */
export function drawData(random: () => number, bytes: number): Uint8Array {
  const words = Float64Array.from({ length: bytes / 4 }, () => Math.floor(random() * 2 ** 32));
  const data = Uint32Array.from(words);
  for (let at = 0; at < data.length; at += 8) data.set([CODE + MIDDLE + 64 + Math.floor(random() * 1024), 0], at);
  return new Uint8Array(data.buffer);
}
