/** AT&T text for people: one instruction in memory, or the first one of an image that the emulator cannot execute. */
import './decode/iced';
import { Code, Decoder, DecoderOptions, Formatter, FormatterSyntax, type Instruction } from 'iced-x86';
import { MAX_LENGTH } from './cpu/code-cache';
import { isImplemented } from './decode/decoder';
import type { Machine } from './machine';
import { GUEST_PLATFORM } from './system/guest-platform';
import { toBigInt, vaHi, vaLo } from './words';

/** Where a name for an address comes from; an ElfImage is one. */
interface SymbolSource {
  symbolAt(va: number): { name: string; offset: number } | undefined;
}

interface ExecutableImage {
  readonly sections: readonly { name: string; addr: number; size: number; flags: number }[];
  readonly segments: readonly { vaddr: number; filesz: number; data: Uint8Array }[];
}

/** The first instruction that would throw. */
interface UnimplementedInstruction {
  section: string;
  va: number;
  bytes: string;
  text: string;
}

const SHF_EXECINSTR = 4;

let formatter: Formatter | undefined;

function format(instruction: Instruction): string {
  if (formatter === undefined) {
    formatter = new Formatter(FormatterSyntax.Gas);
    formatter.uppercaseHex = false;
    formatter.gasNakedRegisters = false;
    formatter.hexPrefix = '0x';
    formatter.hexSuffix = '';
    formatter.spaceAfterOperandSeparator = false;
  }
  return formatter.format(instruction);
}

/**
 * Text of the instruction at `va` as `root` maps it; what is not mapped reads `(not mapped)`. Branch targets get their
 * symbol.
 */
export function disassemble(machine: Machine, root: number, va: number, symbols?: SymbolSource): string {
  const bytes = readCode(machine, root, va);
  if (bytes.length === 0) return '(not mapped)';
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = toBigInt(vaLo(va), vaHi(va));
  const instruction = decoder.decode();
  const text = instruction.code === Code.INVALID ? '(bad)' : format(instruction) + targetName(instruction, symbols);
  instruction.free();
  decoder.free();
  return text;
}

/** One of several instructions in a row. */
export interface ListedInstruction {
  readonly va: number;
  readonly bytes: Uint8Array;
  /** Without a name for where it leads. */
  readonly text: string;
}

/** The instructions of `bytes`, which begin at `va`, one behind the other; the last one may be cut off. */
export function listInstructions(bytes: Uint8Array, va: number): ListedInstruction[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = toBigInt(vaLo(va), vaHi(va));
  const list: ListedInstruction[] = [];
  try {
    while (decoder.canDecode) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const text = instruction.code === Code.INVALID ? '(bad)' : format(instruction);
      instruction.free();
      list.push({ va: va + start, bytes: bytes.subarray(start, decoder.position), text });
    }
  } finally {
    decoder.free();
  }
  return list;
}

function targetName(instruction: Instruction, symbols: SymbolSource | undefined): string {
  const target = instruction.nearBranchTarget;
  if (symbols === undefined || target === 0n) return '';
  const symbol = symbols.symbolAt(Number(BigInt.asIntN(64, target)));
  return symbol === undefined ? '' : ` <${symbolText(symbol)}>`;
}

/** `name` or `name+0x1c`, as everybody writes it. */
export function symbolText(symbol: { name: string; offset: number }): string {
  return symbol.offset === 0 ? symbol.name : `${symbol.name}+0x${symbol.offset.toString(16)}`;
}

function readCode(machine: Machine, root: number, va: number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < MAX_LENGTH; i++) {
    const leaf = machine.translate(root, va + i);
    if (leaf === undefined || leaf.pa >= machine.memory.size) break;
    bytes.push(machine.memory.read8(leaf.pa));
  }
  return Uint8Array.from(bytes);
}

/**
 * Linear sweep over every executable section. Bytes that are no instruction are padding or data: skipped one at a time.
 */
export function decodeCheck(image: ExecutableImage): UnimplementedInstruction | undefined {
  for (const section of image.sections) {
    if ((section.flags & SHF_EXECINSTR) === 0) continue;
    const bytes = sectionBytes(image, section.addr, section.size);
    const found = checkSection(section.name, section.addr, bytes);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sectionBytes(image: ExecutableImage, addr: number, size: number): Uint8Array {
  for (const segment of image.segments) {
    const offset = addr - segment.vaddr;
    if (offset >= 0 && offset < segment.filesz) return segment.data.subarray(offset, offset + size);
  }
  return new Uint8Array(0);
}

function checkSection(name: string, addr: number, bytes: Uint8Array): UnimplementedInstruction | undefined {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = toBigInt(vaLo(addr), vaHi(addr));
  try {
    while (decoder.canDecode) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const implemented = isImplemented(instruction, GUEST_PLATFORM);
      const text = implemented ? '' : format(instruction);
      const length = instruction.length;
      instruction.free();
      if (!implemented)
        return {
          section: name,
          va: addr + start,
          bytes: Buffer.from(bytes.subarray(start, start + length)).toString('hex'),
          text,
        };
    }
    return undefined;
  } finally {
    decoder.free();
  }
}
