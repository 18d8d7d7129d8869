/**
 * What instructions of many kinds share: how they end (a jump, a fault), what they ask of the privilege level, and the
 * replacement of RFLAGS as a whole.
 */
import { FAULT, JUMPED, type Outcome } from '../micro-op';
import { CPL, EFLAGS, FLAG_ALWAYS_1, FLAG_IOPL, RIP, STATUS_FLAGS, VEC_GP } from '../registers';
import type { Cpu } from './cpu';
import { loadStatus } from './flags';

/** Sets RIP, without a check. */
export function jump(cpu: Cpu, lo: number, hi: number): Outcome {
  cpu.r[RIP] = lo;
  cpu.r[RIP + 1] = hi;
  return JUMPED;
}

/** Raises a fault; `error` may be NO_ERROR_CODE. */
export function fail(cpu: Cpu, vector: number, error: number): Outcome {
  cpu.raise(vector, error);
  return FAULT;
}

/** #GP(0) unless at CPL 0. */
export function privileged(cpu: Cpu): boolean {
  return cpu.r[CPL] === 0 || cpu.raise(VEC_GP, 0);
}

/** I/O privilege level: the highest CPL that may execute IN, OUT, CLI and STI (SDM vol. 1, 3.4.3). */
export function iopl(cpu: Cpu): number {
  return (cpu.r[EFLAGS] & FLAG_IOPL) >>> 12;
}

/** Replaces RFLAGS as a whole and everything that hangs on it. */
export function setRflags(cpu: Cpu, flags: number): void {
  loadStatus(cpu.r, flags);
  cpu.r[EFLAGS] = flags & ~STATUS_FLAGS & ~FLAG_ALWAYS_1;
  cpu.attention = 1;
}
