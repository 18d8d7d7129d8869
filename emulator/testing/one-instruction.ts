/** Runs one instruction with given registers and flags on a small machine, for tests that compare with an oracle. */
import { RAX, RBX, RCX, RDX, RSP } from '../registers';
import type { StepResult } from '../step-result';
import { KERNEL_STACK, kernelAt, peek, poke, setFlags, setRegister, smallMachine } from './small-machine';

interface Inputs {
  rax?: bigint;
  rbx?: bigint;
  rcx?: bigint;
  rdx?: bigint;
  memory?: bigint;
  flags?: number;
}

interface Outputs {
  rax: bigint;
  rbx: bigint;
  rcx: bigint;
  rdx: bigint;
  memory: bigint;
  flags: number;
  result: StepResult;
  vector: number;
}

/**
 * Where a memory operand `(%rbx)` points when `memory` is given: an address that both CPLs may use, without SMAP in the
 * way.
 */
const OPERAND = -0x7f000000 + 0x50010;
const small = smallMachine();

/** Instruction encodings by operand size: REX.W, nothing, 66h; 8-bit forms have the even opcode. */
export function encode(size: number, opcode: number, modrm: number, escapeByte = ''): string {
  const byte = (n: number) => n.toString(16).padStart(2, '0');
  const prefix = size === 8 ? '48' : size === 2 ? '66' : '';
  return prefix + escapeByte + byte(size === 1 ? opcode & ~1 : opcode) + byte(modrm);
}

export function runOne(hex: string, inputs: Inputs): Outputs {
  const { cpu, machine } = small;
  kernelAt(small, `${hex}f4`);
  // Every run that faults pushes a frame.
  setRegister(cpu, RSP, KERNEL_STACK);
  setRegister(cpu, RAX, inputs.rax ?? 0n);
  setRegister(cpu, RBX, inputs.memory === undefined ? (inputs.rbx ?? 0n) : BigInt(OPERAND));
  setRegister(cpu, RCX, inputs.rcx ?? 0n);
  setRegister(cpu, RDX, inputs.rdx ?? 0n);
  setFlags(cpu, (inputs.flags ?? 0) & 0xcd5);
  if (inputs.memory !== undefined) poke(machine, OPERAND, inputs.memory);
  const result = machine.step(0);
  return {
    rax: cpu.get64(RAX),
    rbx: cpu.get64(RBX),
    rcx: cpu.get64(RCX),
    rdx: cpu.get64(RDX),
    memory: peek(machine, OPERAND),
    flags: cpu.rflags() & 0xcd5,
    result,
    vector: cpu.event.vector,
  };
}

/** What a register holds after a write of `size` bytes: 32-bit writes clear the upper half, narrower ones keep it. */
export function merged(size: number, old: bigint, value: bigint): bigint {
  if (size === 8 || size === 4) return value;
  const mask = (1n << BigInt(size * 8)) - 1n;
  return (old & ~mask) | value;
}
