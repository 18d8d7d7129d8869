/**
 * One decoded instruction, as the interpreter wants it: every field a small integer (but `va`), one shape for all, made
 * once per address. `run` executes those that the hot switch does not name.
 */
import type { Cpu } from './cpu/cpu';

/** How an instruction ends: go to the next one, RIP is already set, or `cpu.fault` says what happened. */
export type Outcome = 0 | 1 | 2;
export const FAULT = 0;
export const NEXT = 1;
export const JUMPED = 2;

export type Handler = (cpu: Cpu, op: MicroOp) => Outcome;

/** `flags`: what observers ask about an instruction without decoding it. */
export const OP_GS = 1;
/** Accesses the stack implicitly: push, pop, call, ret, pushf, popf, leave, iret. */
export const OP_STACK = 2;
/** Writes rsp explicitly: mov, lea, add, and, pop %rsp, leave, ... */
export const OP_WRITES_RSP = 4;
/** May change CPL, CR3, a GS base or IF. */
export const OP_CONTROL = 8;
export const OP_BRANCH = 16;
export const OP_MEM_READ = 32;
export const OP_MEM_WRITE = 64;
/** The memory operand is relative to rsp or rbp: a non-canonical address is #SS, not #GP (SDM vol. 1, 3.3.7.1). */
export const OP_SS = 128;
/** A string instruction with a REP prefix: one iteration a step. */
export const OP_REP = 256;
/** SYSCALL, SYSRET, INT n: single-stepping looks at TF after the instruction, not before. */
export const OP_LATE_TF = 512;

/** `unobserved`: calls to the observer that this instruction is executed without. */
export const WITHOUT_EXECUTING = 1;
export const WITHOUT_RETIRED = 2;
export const UNOBSERVED = WITHOUT_EXECUTING | WITHOUT_RETIRED;

/** Operand places. */
export const REG = 0,
  IMM = 1,
  MEM = 2;

/** `joins`: a push of a register or constant, a pop of a register, XOR of a register with itself; never of rsp. */
export const JOINS_PUSHES = 1,
  JOINS_POPS = 2,
  JOINS_CLEARS = 3;

export class MicroOp {
  /** Case of the hot switch, 0 for none. */
  code = 0;
  length = 0;
  va = 0;
  /** What `observer.classify` answered. */
  tag = 0;
  flags = 0;
  /** What `observer.unobserved` answered. */
  unobserved = 0;
  /** Operand size in bytes. */
  size = 8;
  /** The variant within a family: which ALU operation, which condition, which shift. */
  sub = 0;
  /** SHLD, SHRD: 1 when the count is an immediate. */
  sub2 = 0;
  /** Where the operands are, and the registers (word index, and a shift of 8 for AH..BH). */
  dKind = REG;
  sKind = REG;
  d = 0;
  dShift = 0;
  s = 0;
  sShift = 0;
  /** Size of the source where it differs from `size` (MOVZX, MOVSX). */
  sSize = 8;
  immLo = 0;
  immHi = 0;
  /** Effective address: segment base + base + (index << scale) + displacement; `index` -1 and `seg` -1 for none. */
  base = 0;
  index = -1;
  scale = 0;
  dispLo = 0;
  dispHi = 0;
  seg = -1;
  /** The address has an index, a segment base or an address-size prefix: more than base + displacement. */
  complex = false;
  /** Address-size prefix: the offset is cut to 32 bits. */
  addr32 = 0;
  nextLo = 0;
  nextHi = 0;
  /** iced-x86 Mnemonic and Code. */
  mnemonic = 0;
  icedCode = 0;
  /** One of JOINS_*, or 0: see cpu/joined. */
  joins = 0;
  /** The instruction behind this one, if it joins this one, and how many are joined from here on. */
  joined: MicroOp | undefined = undefined;
  joinedCount = 1;
  run: Handler;

  constructor(run: Handler) {
    this.run = run;
  }
}
