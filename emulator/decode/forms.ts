/**
 * The rows of the instruction table, and which encodings each executes. iced-x86 has one Code for each form of a
 * mnemonic; a row takes a Code if the kinds of its operands are those of the row's shape, its operand size is among the
 * row's sizes and its address size is the row's. Whatever no row takes is refused, so no handler sees an operand that
 * it was not written for.
 */
import { EncodingKind, type OpCodeInfo, OpCodeOperandKind } from 'iced-x86';
import type { Handler } from '../micro-op';
import type { OptionalInstruction } from '../platform';

/** How operands are to be read from the decoded instruction. */
export type Shape =
  | 'none' // implied operands only
  | 'ignored' // operands that mean nothing
  | 'vector' // an immediate, or implied
  | 'binary' // destination, source
  | 'unary-destination'
  | 'unary-source'
  | 'branch' // immediate target
  | 'return' // bytes to release, or nothing
  | 'indirect' // target in a register or memory
  | 'string' // implied operands, width from the mnemonic
  | 'control-from'
  | 'control-to'
  | 'debug-from'
  | 'debug-to'
  | 'segment-from'
  | 'segment-to'
  | 'segment-push' // FS or GS
  | 'segment-pop'
  | 'base-from'
  | 'base-to'
  | 'memory' // an address or a structure
  | 'port';

/** What the instruction table says of a mnemonic, or of some of its forms. */
export interface Row {
  readonly run: Handler;
  readonly shape: Shape;
  readonly sub: number;
  readonly flags: number;
  /** Operand size in bytes when the operands do not say. */
  readonly size: number;
  /** Operand sizes in bytes that the handler was written for. */
  readonly sizes: readonly number[];
  /** Address size in bytes of implied operands: RCX, or ECX. */
  readonly addressSize: number;
  /** A fixed register word (STR, RDGSBASE, ...). */
  readonly fixed: number;
  /** Platforms say what becomes of the instruction; all of them execute one without a name here. */
  readonly optional?: OptionalInstruction;
}

const K = OpCodeOperandKind;

/** Operand size in bytes of a general register or of what may stand in its place. */
const GENERAL = new Map<number, number>([
  ...[K.r8_or_mem, K.r8_reg, K.r8_opcode, K.al].map((kind) => [kind, 1] as const),
  ...[K.r16_or_mem, K.r16_reg, K.r16_opcode, K.ax].map((kind) => [kind, 2] as const),
  ...[K.r32_or_mem, K.r32_reg, K.r32_opcode, K.r32_rm, K.eax].map((kind) => [kind, 4] as const),
  ...[K.r64_or_mem, K.r64_reg, K.r64_opcode, K.r64_rm, K.rax].map((kind) => [kind, 8] as const),
]);

const IMMEDIATE = new Set<number>([
  K.imm8,
  K.imm8_const_1,
  K.imm8sex16,
  K.imm8sex32,
  K.imm8sex64,
  K.imm16,
  K.imm32,
  K.imm32sex64,
  K.imm64,
]);

/** One letter an operand, for the patterns below; `?` is what no row takes (SSE registers, 16-bit branches). */
function letter(kind: number): string {
  if (GENERAL.has(kind)) return 'r';
  if (IMMEDIATE.has(kind)) return 'i';
  switch (kind) {
    case K.mem_offs:
      return 'o';
    case K.mem:
      return 'm';
    case K.cl:
      return 'c';
    case K.br64_1:
    case K.br64_4:
      return 'b';
    case K.seg_reg:
      return 's';
    case K.fs:
    case K.gs:
      return 'f';
    case K.cr_reg:
      return 'C';
    case K.dr_reg:
      return 'D';
    case K.dx:
      return 'd';
    case K.seg_rSI:
    case K.es_rDI:
      return 'x';
    default:
      return '?';
  }
}

/** r general register or memory, o absolute offset, m memory only, i immediate, c CL, and the letters above. */
const OPERANDS: Readonly<Record<Shape, RegExp>> = {
  none: /^$/,
  ignored: /^(r?r|m|)$/,
  vector: /^i?$/,
  binary: /^(r[ri]|r[ro]|or|rm|rr[ic]|rc|rri)$/,
  'unary-destination': /^r$/,
  'unary-source': /^[ri]$/,
  branch: /^b$/,
  return: /^i?$/,
  indirect: /^[br]$/,
  string: /^(xx|xr|rx)$/,
  'control-from': /^rC$/,
  'control-to': /^Cr$/,
  'debug-from': /^rD$/,
  'debug-to': /^Dr$/,
  'segment-from': /^rs$/,
  'segment-to': /^sr$/,
  'segment-push': /^f$/,
  'segment-pop': /^f$/,
  'base-from': /^r$/,
  'base-to': /^r$/,
  memory: /^m$/,
  port: /^(r[id]|[id]r)$/,
};

/** Does the row execute instructions of this Code? */
export function takes(row: Row, info: OpCodeInfo): boolean {
  if (info.encoding !== EncodingKind.Legacy || !info.mode64) return false;
  const kinds = Array.from({ length: info.opCount }, (_, n) => info.opKind(n));
  if (!OPERANDS[row.shape].test(kinds.map(letter).join(''))) return false;
  if (info.addressSize !== 0 && info.addressSize !== row.addressSize * 8) return false;
  const size = operandSize(info, kinds);
  return size === 0 || row.sizes.includes(size);
}

/** In bytes: of the first general operand, else what the operand-size prefixes say; 0 when nothing depends on one. */
function operandSize(info: OpCodeInfo, kinds: readonly number[]): number {
  const general = kinds.find((kind) => GENERAL.has(kind));
  return general === undefined ? info.operandSize / 8 : (GENERAL.get(general) as number);
}
