/** One instruction of any form (iced-x86 Code), with registers and memory that a test can prepare. */
import {
  Decoder,
  DecoderOptions,
  Encoder,
  Instruction,
  Mnemonic,
  type OpCodeInfo,
  OpCodeOperandKind,
  OpKind,
  Register,
  RegisterExt,
} from 'iced-x86';
import { ES, FS_BASE, GS_BASE } from '../registers';
import { KERNEL, KERNEL_CODE } from './small-machine';

const K = OpCodeOperandKind;

/** Where absolute offsets lead; memory operands are `(%rbx)`. */
export const FORM_DATA = KERNEL + 0x50000;

/** Registers of operand `n`: rcx is the one of r/m, rdx the other; a fixed one is fixed. */
const REGISTERS = new Map<number, Register>([
  [K.r8_or_mem, Register.CL],
  [K.r16_or_mem, Register.CX],
  [K.r32_or_mem, Register.ECX],
  [K.r64_or_mem, Register.RCX],
  [K.r32_rm, Register.ECX],
  [K.r64_rm, Register.RCX],
  [K.r8_reg, Register.DL],
  [K.r16_reg, Register.DX],
  [K.r32_reg, Register.EDX],
  [K.r64_reg, Register.RDX],
  [K.r8_opcode, Register.DL],
  [K.r16_opcode, Register.DX],
  [K.r32_opcode, Register.EDX],
  [K.r64_opcode, Register.RDX],
  [K.al, Register.AL],
  [K.ax, Register.AX],
  [K.eax, Register.EAX],
  [K.rax, Register.RAX],
  [K.cl, Register.CL],
  [K.dx, Register.DX],
  [K.seg_reg, Register.DS],
  [K.fs, Register.FS],
  [K.gs, Register.GS],
  [K.cr_reg, Register.CR2],
  [K.dr_reg, Register.DR2],
  [K.xmm_reg, Register.XMM1],
]);

/** Kinds that stand for `(%rbx)` as well. */
export const TAKES_MEMORY = new Set<number>([
  K.r8_or_mem,
  K.r16_or_mem,
  K.r32_or_mem,
  K.r64_or_mem,
  K.xmm_or_mem,
  K.mem,
]);

const IMMEDIATES = new Map<number, OpKind>([
  [K.imm8, OpKind.Immediate8],
  [K.imm8_const_1, OpKind.Immediate8],
  [K.imm8sex16, OpKind.Immediate8to16],
  [K.imm8sex32, OpKind.Immediate8to32],
  [K.imm8sex64, OpKind.Immediate8to64],
  [K.imm16, OpKind.Immediate16],
  [K.imm32, OpKind.Immediate32],
  [K.imm32sex64, OpKind.Immediate32to64],
  [K.imm64, OpKind.Immediate64],
]);

function setOperand(i: Instruction, info: OpCodeInfo, n: number, memory: boolean): void {
  const kind = info.opKind(n);
  const immediate = IMMEDIATES.get(kind);
  if (immediate !== undefined) {
    i.setOpKind(n, immediate);
    // Port 0x80 and a choice port are the ones that answer.
    const port = info.mnemonic === Mnemonic.In ? 0xc2 : info.mnemonic === Mnemonic.Out ? 0x80 : 1;
    i.setImmediateU32(n, port);
  } else if (kind === K.mem_offs) {
    i.setOpKind(n, OpKind.Memory);
    i.memoryDisplSize = 8;
    i.memoryDisplacement = BigInt.asUintN(64, BigInt(FORM_DATA));
  } else if (TAKES_MEMORY.has(kind) && (memory || kind === K.mem)) {
    i.setOpKind(n, OpKind.Memory);
    i.memoryBase = Register.RBX;
  } else if (kind === K.seg_rSI) i.setOpKind(n, OpKind.MemorySegRSI);
  else if (kind === K.es_rDI) i.setOpKind(n, OpKind.MemoryESRDI);
  else if (kind === K.br64_1 || kind === K.br64_4) {
    i.setOpKind(n, OpKind.NearBranch64);
    i.nearBranch64 = BigInt.asUintN(64, BigInt(KERNEL_CODE + 0x20));
  } else if (kind === K.br16_1 || kind === K.br16_2) {
    i.setOpKind(n, OpKind.NearBranch16);
    i.nearBranch16 = 0x20;
  } else {
    i.setOpKind(n, OpKind.Register);
    i.setOpRegister(n, REGISTERS.get(kind) ?? Register.XMM2);
  }
}

/** The instruction as bytes at KERNEL_CODE, and decoded again; the caller frees that. */
export function assembleForm(info: OpCodeInfo, memory: boolean): { hex: string; decoded: Instruction } {
  const i = new Instruction();
  i.code = info.code;
  for (let n = 0; n < info.opCount; n++) setOperand(i, info, n, memory);
  const encoder = new Encoder(64);
  const ip = BigInt.asUintN(64, BigInt(KERNEL_CODE));
  encoder.encode(i, ip);
  const bytes = encoder.takeBuffer();
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = ip;
  const decoded = decoder.decode();
  for (const object of [i, encoder, decoder]) object.free();
  return { hex: Buffer.from(bytes).toString('hex'), decoded };
}

/** Words of the register file that belong to a register; a load of FS or GS loads its base. */
export function wordsOf(register: Register, words: Set<number>): void {
  if (register >= Register.ES && register <= Register.GS) {
    words.add(ES + register - Register.ES);
    const base = register === Register.FS ? FS_BASE : register === Register.GS ? GS_BASE : undefined;
    if (base !== undefined) words.add(base).add(base + 1);
    return;
  }
  if (register > Register.R15) return;
  const full = RegisterExt.fullRegister(register);
  words.add((full - Register.RAX) * 2).add((full - Register.RAX) * 2 + 1);
}
