/**
 * MOVS, STOS, LODS, SCAS, CMPS (SDM vol. 2). One step of the CPU is one iteration: a repeated instruction stays at its
 * RIP until rcx or the condition ends it, so interrupts between iterations and restarts after faults need no extra
 * state. RF is 1 between two iterations, because that is what an interrupt there has to push (SDM vol. 3, 17.3.1.1).
 */
import { FAULT, JUMPED, type MicroOp, NEXT, OP_REP, type Outcome } from '../micro-op';
import { A, EA, EFLAGS, F_HI, F_LO, FLAG_DF, FLAG_RF, RAX, RCX, RDI, RSI, V, W } from '../registers';
import { differenceHigh, sumHigh } from '../words';
import { alu, CMP } from './alu';
import type { Cpu } from './cpu';
import { readRegister, writeRegister } from './operands';

/** `op.sub2`: what ends a repetition besides rcx. */
export const WHILE_EQUAL = 1,
  WHILE_NOT_EQUAL = 2;

function advance(r: Int32Array, register: number, bytes: number): void {
  const old = r[register];
  if ((r[EFLAGS] & FLAG_DF) !== 0) {
    r[register] = (old - bytes) | 0;
    r[register + 1] = differenceHigh(r[register + 1], old, bytes);
  } else {
    r[register] = (old + bytes) | 0;
    r[register + 1] = sumHigh(r[register + 1], r[register], bytes);
  }
}

/** Nothing to do: a repeated instruction with rcx = 0. */
function exhausted(r: Int32Array, op: MicroOp): boolean {
  return (op.flags & OP_REP) !== 0 && (r[RCX] | r[RCX + 1]) === 0;
}

/** After one iteration: stay or go on. `compared` says that ZF counts. */
function again(cpu: Cpu, op: MicroOp, compared: boolean): Outcome {
  const r = cpu.r;
  if ((op.flags & OP_REP) === 0) return NEXT;
  r[RCX + 1] = differenceHigh(r[RCX + 1], r[RCX], 1);
  r[RCX] = (r[RCX] - 1) | 0;
  if ((r[RCX] | r[RCX + 1]) === 0) return NEXT;
  const equal = (r[F_LO] | r[F_HI]) === 0;
  if (compared && equal !== (op.sub2 === WHILE_EQUAL)) return NEXT;
  r[EFLAGS] |= FLAG_RF;
  cpu.attention = 1;
  return JUMPED;
}

/** The source may have a segment override; the destination never has. */
function sourceAddress(r: Int32Array, op: MicroOp): void {
  let lo = r[RSI];
  let hi = r[RSI + 1];
  if (op.seg >= 0) {
    lo = (lo + r[op.seg]) | 0;
    hi = sumHigh(hi + r[op.seg + 1], lo, r[op.seg]);
  }
  r[EA] = lo;
  r[EA + 1] = hi;
}

export function movs(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (exhausted(r, op)) return NEXT;
  sourceAddress(r, op);
  if (!cpu.load(r[EA], r[EA + 1], op.size) || !cpu.store(r[RDI], r[RDI + 1], op.size, r[V], r[V + 1])) return FAULT;
  advance(r, RSI, op.size);
  advance(r, RDI, op.size);
  return again(cpu, op, false);
}

export function stos(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (exhausted(r, op)) return NEXT;
  if (!cpu.store(r[RDI], r[RDI + 1], op.size, r[RAX], r[RAX + 1])) return FAULT;
  advance(r, RDI, op.size);
  return again(cpu, op, false);
}

export function lods(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (exhausted(r, op)) return NEXT;
  sourceAddress(r, op);
  if (!cpu.load(r[EA], r[EA + 1], op.size)) return FAULT;
  writeRegister(r, RAX, 0, op.size, r[V], r[V + 1]);
  advance(r, RSI, op.size);
  return again(cpu, op, false);
}

export function scas(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (exhausted(r, op)) return NEXT;
  if (!cpu.load(r[RDI], r[RDI + 1], op.size)) return FAULT;
  alu(r, CMP, op.size, readRegister(r, RAX, 0, op.size), r[RAX + 1], r[V], r[V + 1]);
  advance(r, RDI, op.size);
  return again(cpu, op, true);
}

/** If both operands fault it is the one at RDI that does, as processors have it; the manual has no order. */
export function cmps(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (exhausted(r, op)) return NEXT;
  if (!cpu.load(r[RDI], r[RDI + 1], op.size)) return FAULT;
  r[A] = r[V];
  r[W] = r[V + 1];
  sourceAddress(r, op);
  if (!cpu.load(r[EA], r[EA + 1], op.size)) return FAULT;
  alu(r, CMP, op.size, r[V], r[V + 1], r[A], r[W]);
  advance(r, RSI, op.size);
  advance(r, RDI, op.size);
  return again(cpu, op, true);
}
