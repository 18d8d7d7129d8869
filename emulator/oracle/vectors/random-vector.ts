/**
 * Random instructions that may be executed at CPL 3: every form of the instruction table that the guests' platform
 * executes, with random registers, memory operands, immediates and prefixes. Left out: what leaves CPL 3 on purpose or
 * touches devices (those are scenes), and SSE registers.
 */
import {
  Code,
  CodeExt,
  Encoder,
  Instruction,
  Mnemonic,
  type OpCodeInfo,
  OpCodeOperandKind,
  OpKind,
  Register,
} from 'iced-x86';
import { isImplemented } from '../../decode/decoder';
import { GUEST_PLATFORM } from '../../system/guest-platform';
import { DATA_BYTES, IN_SIZE, NOT_PRESENT, READ_ONLY, SLOT, SUPERVISOR, USER_DATA } from './vector-layout';

const K = OpCodeOperandKind;
const M = Mnemonic;
const LEFT_OUT = new Set<Mnemonic>([
  M.Iret,
  M.Iretd,
  M.Iretq,
  M.Sysret,
  M.Sysretq,
  M.Sysexit,
  M.Sysexitq,
  M.Syscall,
  M.Sysenter,
  M.Retf,
  M.Hlt,
  M.In,
  M.Out,
  M.Insb,
  M.Insw,
  M.Insd,
  M.Outsb,
  M.Outsw,
  M.Outsd,
  M.Pause,
  M.Xbegin,
  M.Xabort,
]);
/** Operands in registers: the first register of the class, and how many there are. */
const REGISTERS = new Map<number, readonly [first: Register, count: number]>([
  [K.r8_or_mem, [Register.AL, 20]],
  [K.r16_or_mem, [Register.AX, 16]],
  [K.r32_or_mem, [Register.EAX, 16]],
  [K.r64_or_mem, [Register.RAX, 16]],
  [K.r32_rm, [Register.EAX, 16]],
  [K.r64_rm, [Register.RAX, 16]],
  [K.r8_reg, [Register.AL, 20]],
  [K.r16_reg, [Register.AX, 16]],
  [K.r32_reg, [Register.EAX, 16]],
  [K.r64_reg, [Register.RAX, 16]],
  [K.r8_opcode, [Register.AL, 20]],
  [K.r16_opcode, [Register.AX, 16]],
  [K.r32_opcode, [Register.EAX, 16]],
  [K.r64_opcode, [Register.RAX, 16]],
  [K.al, [Register.AL, 1]],
  [K.ax, [Register.AX, 1]],
  [K.eax, [Register.EAX, 1]],
  [K.rax, [Register.RAX, 1]],
  [K.cl, [Register.CL, 1]],
  [K.dx, [Register.DX, 1]],
  [K.fs, [Register.FS, 1]],
  [K.gs, [Register.GS, 1]],
  [K.seg_reg, [Register.ES, 6]],
]);
const MEMORY = new Set<number>([K.r8_or_mem, K.r16_or_mem, K.r32_or_mem, K.r64_or_mem, K.mem]);
const IMMEDIATES = new Map<number, OpKind>([
  [K.imm8, OpKind.Immediate8],
  [K.imm8sex16, OpKind.Immediate8to16],
  [K.imm8sex32, OpKind.Immediate8to32],
  [K.imm8sex64, OpKind.Immediate8to64],
  [K.imm16, OpKind.Immediate16],
  [K.imm32, OpKind.Immediate32],
  [K.imm32sex64, OpKind.Immediate32to64],
  [K.imm64, OpKind.Immediate64],
]);
/**
 * What these store QEMU stores differently, or before a fault, and later instructions would read it: CALL to a
 * non-canonical address, SHLD and SHRD by more than their operand has.
 */
const IN_REGISTERS = new Set<Code>([
  Code.Call_rm64,
  Code.Shld_rm16_r16_imm8,
  Code.Shld_rm16_r16_CL,
  Code.Shrd_rm16_r16_imm8,
  Code.Shrd_rm16_r16_CL,
]);
const FLAGS = 0x40cd5;
const TRAP = 0x102n;
const NON_CANONICAL = 0x9000_0000_0000_0000n;
const NOP = 0x90;
const RSP = 4;

/** The forms that are drawn, each with the kinds of its operands. */
export const FORMS: readonly OpCodeInfo[] = Object.values(Code)
  .filter((code): code is Code => typeof code === 'number' && code !== Code.INVALID)
  .map((code) => CodeExt.opCode(code))
  .filter((info) => isDrawn(info));

function isDrawn(info: OpCodeInfo): boolean {
  if (!info.mode64 || LEFT_OUT.has(info.mnemonic) || !info.isInstruction) return false;
  for (let n = 0; n < info.opCount; n++) if (!isKnown(info.opKind(n))) return false;
  const i = new Instruction();
  i.code = info.code;
  const implemented = isImplemented(i, GUEST_PLATFORM);
  i.free();
  return implemented;
}

function isKnown(kind: number): boolean {
  return (
    REGISTERS.has(kind) ||
    MEMORY.has(kind) ||
    IMMEDIATES.has(kind) ||
    [K.imm8_const_1, K.br64_1, K.br64_4, K.seg_rSI, K.es_rDI].includes(kind)
  );
}

export class VectorDraw {
  private readonly random: () => number;
  private readonly encoder = new Encoder(64);
  private readonly registers = new BigUint64Array(16);

  constructor(random: () => number) {
    this.random = random;
  }

  /** Writes a record for the driver; answers with the form. */
  write(into: Buffer, at: number): OpCodeInfo {
    for (;;) {
      const info = FORMS[this.below(FORMS.length)];
      for (let n = 0; n < 16; n++) this.registers[n] = this.value();
      this.registers[RSP] = this.address();
      // Counts of repetitions stay small; string operands are addresses.
      if (this.below(2) === 0) {
        this.registers[6] = this.address();
        this.registers[7] = this.address();
      }
      const bytes = this.encode(info);
      if (bytes === undefined) continue;
      into.fill(0, at, at + IN_SIZE);
      for (let n = 0; n < 16; n++) into.writeBigUInt64LE(this.registers[n], at + 8 * n);
      into.writeBigUInt64LE(BigInt(this.below(0x80000) & FLAGS) | TRAP, at + 128);
      // The driver loads them: they are canonical.
      into.writeBigUInt64LE(BigInt(this.below(0x100)), at + 136);
      into.writeBigUInt64LE(this.below(8) === 0 ? USER_DATA : BigInt.asUintN(64, -BigInt(this.below(0x100))), at + 144);
      into.fill(NOP, at + 160, at + 176);
      into.set(bytes, at + 160);
      return info;
    }
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private value(): bigint {
    switch (this.below(8)) {
      case 0:
        return BigInt(this.below(80));
      case 1:
        return BigInt.asUintN(64, BigInt(-this.below(80)));
      case 2:
        return 1n << BigInt(this.below(64));
      case 3:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) - 1n);
      default:
        return (BigInt(this.below(0x100000000)) << 32n) | BigInt(this.below(0x100000000));
    }
  }

  private address(): bigint {
    const dice = this.below(32);
    if (dice === 0) return NON_CANONICAL;
    const page = dice === 1 ? READ_ONLY : dice === 2 ? NOT_PRESENT : dice === 3 ? SUPERVISOR : undefined;
    return page === undefined
      ? USER_DATA + BigInt(0x100 + this.below(DATA_BYTES - 0x200))
      : page + BigInt(this.below(0xff0));
  }

  /** Undefined for operands that have no encoding together, such as AH with a REX prefix. */
  private encode(info: OpCodeInfo): Uint8Array | undefined {
    const i = new Instruction();
    i.code = info.code;
    let encodable = true;
    for (let n = 0; n < info.opCount; n++) encodable = this.setOperand(i, info, n) && encodable;
    if (info.canUseRepPrefix && this.below(2) === 0) i.hasRepPrefix = true;
    else if (info.canUseLockPrefix && this.below(4) === 0 && i.op0Kind === OpKind.Memory) i.hasLockPrefix = true;
    const bytes = encodable ? this.tryEncode(i) : undefined;
    i.free();
    return bytes;
  }

  /** The encoder refuses by throwing a text. */
  private tryEncode(i: Instruction): Uint8Array | undefined {
    try {
      this.encoder.encode(i, SLOT);
    } catch (reason) {
      if (typeof reason !== 'string' && !(reason instanceof Error)) throw reason;
      this.encoder.takeBuffer();
      return undefined;
    }
    return this.encoder.takeBuffer();
  }

  private setOperand(i: Instruction, info: OpCodeInfo, n: number): boolean {
    const kind = info.opKind(n);
    const immediate = IMMEDIATES.get(kind);
    if (immediate !== undefined) {
      i.setOpKind(n, immediate);
      i.setImmediateI64(
        n,
        BigInt.asIntN(
          immediate === OpKind.Immediate64 ? 64 : immediate === OpKind.Immediate16 ? 15 : 31,
          this.immediate(immediate),
        ),
      );
    } else if (kind === K.imm8_const_1) {
      i.setOpKind(n, OpKind.Immediate8);
      i.setImmediateU32(n, 1);
    } else if (kind === K.br64_1 || kind === K.br64_4) {
      i.setOpKind(n, OpKind.NearBranch64);
      i.nearBranch64 = SLOT + BigInt(this.below(64));
    } else if (kind === K.seg_rSI) i.setOpKind(n, OpKind.MemorySegRSI);
    else if (kind === K.es_rDI) i.setOpKind(n, OpKind.MemoryESRDI);
    else if (MEMORY.has(kind) && (kind === K.mem || (this.below(2) === 0 && !IN_REGISTERS.has(info.code))))
      this.setMemory(i, n);
    else this.setRegister(i, n, kind);
    return true;
  }

  private immediate(kind: OpKind): bigint {
    const value = this.value();
    const eight = [OpKind.Immediate8, OpKind.Immediate8to16, OpKind.Immediate8to32, OpKind.Immediate8to64];
    return eight.includes(kind) ? BigInt.asIntN(8, value) : value;
  }

  private setRegister(i: Instruction, n: number, kind: number): void {
    const [first, count] = REGISTERS.get(kind) ?? [Register.RAX, 1];
    i.setOpKind(n, OpKind.Register);
    const number = this.below(count);
    i.setOpRegister(n, first + number);
    if (i.mnemonic === M.Call) this.registers[number] = SLOT + BigInt(this.below(0x100));
  }

  private setMemory(i: Instruction, n: number): void {
    const base = this.below(16);
    let index = this.below(16);
    const wanted = this.address();
    const displacement = BigInt(this.below(256) - 128);
    this.registers[base] = BigInt.asUintN(64, wanted - displacement);
    i.setOpKind(n, OpKind.Memory);
    i.memoryBase = Register.RAX + base;
    i.memoryDisplacement = displacement;
    i.memoryDisplSize = 1;
    if (this.below(8) === 0) i.segmentPrefix = this.below(2) === 0 ? Register.FS : Register.GS;
    if (this.below(4) > 0 || index === RSP) index = -1;
    if (index < 0 || index === base) return;
    this.registers[index] = BigInt(this.below(16));
    i.memoryIndex = Register.RAX + index;
    i.memoryIndexScale = 1 << this.below(4);
  }
}
