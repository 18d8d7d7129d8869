/**
 * A scene while it is drawn: random numbers, the state so far, and the code. Templates (./scene-templates) write one
 * instruction each. In a vector the values that it needs are there when the scene begins; in a sequence, where many
 * instructions follow each other, instructions load them.
 */
import { GPR_NAMES } from '../../registers';
import type { Registers, SceneEvent } from './scene';
import {
  baseMemory,
  baseRegisters,
  KERNEL_CODE,
  KERNEL_DATA,
  KERNEL_STACK,
  physicalOf,
  put64,
  USER,
  USER_DATA,
  USER_STACK,
} from './scene-layout';

/** Not canonical. */
const NON_CANONICAL = 0x8000_0000_0000n;
/** Bytes that a template may have for data. */
const CELL = 0x80n;

export class SceneDraft {
  readonly memory = baseMemory();
  readonly registers: Registers;
  readonly events: SceneEvent[] = [];
  /** Of the code that is written. */
  readonly cpl: 0 | 3;
  /** Many instructions, or one. */
  readonly sequence: boolean;
  /** Steps of a vector, if its template asks for a number. */
  wantsSteps: number | undefined;
  private readonly random: () => number;
  private at: bigint;
  private cells = 0n;

  constructor(random: () => number, cpl: 0 | 3, sequence: boolean) {
    this.random = random;
    this.cpl = cpl;
    this.sequence = sequence;
    this.registers = baseRegisters(cpl);
    this.at = cpl === 0 ? KERNEL_CODE : USER;
    for (const name of GPR_NAMES) if (name !== 'rsp') this.registers.set(name, this.value());
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  bits64(): bigint {
    return (BigInt(this.below(0x100000000)) << 32n) | BigInt(this.below(0x100000000));
  }

  /** Some number that matters more often than others do. */
  value(): bigint {
    switch (this.below(6)) {
      case 0:
        return BigInt(this.below(16));
      case 1:
        return BigInt.asUintN(64, BigInt(-this.below(16)));
      case 2:
        return 1n << BigInt(this.below(64));
      default:
        return this.bits64();
    }
  }

  /** Any RFLAGS, without VM, and TF only seldom. */
  flags(): bigint {
    const flags = BigInt(this.below(0x400000)) & 0x3d7fd5n & ~0x100n;
    const plain = this.once(3) ? flags : flags & ~0x1d4000n;
    return plain | 2n | (this.once(8) ? 0x100n : 0n);
  }

  /** An address that can be read and written at this CPL, most of the time. */
  address(): bigint {
    if (this.once(16)) return NON_CANONICAL + BigInt(this.below(0x1000));
    const base = this.cpl === 0 || this.once(8) ? KERNEL_DATA : USER_DATA;
    return base + BigInt(this.below(0x1000));
  }

  /** Writes an instruction. */
  code(...bytes: number[]): void {
    this.memory.set(bytes, physicalOf(this.at));
    this.at += BigInt(bytes.length);
  }

  get next(): bigint {
    return this.at;
  }

  /** The general register (not rsp in a vector that goes on with the stack) has this value now. */
  set(name: (typeof GPR_NAMES)[number], value: bigint): void {
    if (!this.sequence) {
      this.registers.set(name, BigInt.asUintN(64, value));
      return;
    }
    const index = GPR_NAMES.indexOf(name);
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    // movabs $value,%register
    this.code(index < 8 ? 0x48 : 0x49, 0xb8 | (index & 7), ...bytes);
  }

  /** Data of its own for one template, filled with these words; answers with its address. */
  cell(words: readonly bigint[]): bigint {
    const base = this.cpl === 0 ? KERNEL_DATA + 0x1000n : USER_DATA + 0x2000n;
    const va = base + (this.cells % 24n) * CELL;
    this.cells++;
    for (const [i, word] of words.entries()) put64(this.memory, physicalOf(va) + 8 * i, word);
    return va;
  }

  /** What it is called with rsp for: a frame with these words. */
  frame(words: readonly bigint[]): void {
    this.set('rsp', this.cell(words));
  }

  /** The stack of this CPL again. */
  usualStack(): void {
    if (this.sequence) this.set('rsp', this.cpl === 0 ? KERNEL_STACK : USER_STACK);
  }
}
