/**
 * Instructions that raise an event (INT n, INT3, UD2) or wait for one (HLT), and those that have no effect here because
 * caches and the order of memory accesses are not modelled: PAUSE, fences, prefetches, CLFLUSH, WBINVD, INVD; and
 * NOP.
 */
import type { Cpu } from '../cpu/cpu';
import { effectiveAddress } from '../cpu/operands';
import { fail, jump, privileged } from '../cpu/outcome';
import { FAULT, JUMPED, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { EA, IN_HLT, NO_ERROR_CODE, RIP, VEC_UD } from '../registers';
import { enter } from './delivery';

/**
 * INT3 and INT n push the address after them; a fault on the way is the instruction's own and pushes that of the INT.
 */
export function softwareInterrupt(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const lo = r[RIP];
  const hi = r[RIP + 1];
  jump(cpu, op.nextLo, op.nextHi);
  if (enter(cpu, op.immLo & 0xff, 'software', NO_ERROR_CODE)) return JUMPED;
  jump(cpu, lo, hi);
  return FAULT;
}

export function ud2(cpu: Cpu): Outcome {
  return fail(cpu, VEC_UD, NO_ERROR_CODE);
}

export function hlt(cpu: Cpu): Outcome {
  if (!privileged(cpu)) return FAULT;
  cpu.r[IN_HLT] = 1;
  cpu.attention = 1;
  return NEXT;
}

export function nop(): Outcome {
  return NEXT;
}

/** CLFLUSH is a load of a byte as far as translation and its faults are concerned. */
export function flushLine(cpu: Cpu, op: MicroOp): Outcome {
  effectiveAddress(cpu.r, op);
  return cpu.load(cpu.r[EA], cpu.r[EA + 1], 1) ? NEXT : FAULT;
}

/** WBINVD, INVD. */
export function privilegedNop(cpu: Cpu): Outcome {
  return privileged(cpu) ? NEXT : FAULT;
}
