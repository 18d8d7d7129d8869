/**
 * Between two instructions (SDM vol. 3, 6.9): what is pending, what may be taken, in order of priority: machine check,
 * #DB trap of the previous instruction, NMI, maskable interrupt. `cpu.attention` is non-zero while there is anything to
 * ask; this file keeps it.
 */
import type { Cpu } from '../cpu/cpu';
import {
  DB_PENDING,
  EFLAGS,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  IN_HLT,
  IN_SHUTDOWN,
  MC_PENDING,
  NMI_BLOCKED,
  NMI_PENDING,
  NO_ERROR_CODE,
  ONLINE,
  SS_SHADOW,
  STI_SHADOW,
  VEC_DB,
  VEC_NMI,
} from '../registers';
import { DELIVERED, HALTED, SHUTDOWN } from '../step-result';
import { deliver } from './delivery';
import { acknowledge, deliverableVector, hasRequest } from './local-apic';
import { takeMachineCheck } from './machine-check';

/** Nothing to take: execute. */
export const PROCEED = -1;

export function attend(cpu: Cpu): number {
  const r = cpu.r;
  if (r[ONLINE] === 0) return HALTED;
  if (r[IN_SHUTDOWN] !== 0) return SHUTDOWN;
  if (r[MC_PENDING] !== 0) return takeMachineCheck(cpu) ? DELIVERED : SHUTDOWN;
  // MOV SS holds everything back but machine checks, STI only maskable interrupts (SDM vol. 3, 6.8.3).
  if (r[SS_SHADOW] === 0) {
    if (r[DB_PENDING] !== 0) return takeTrap(cpu);
    if (r[NMI_PENDING] !== 0 && r[NMI_BLOCKED] === 0) return takeNmi(cpu);
    if (r[STI_SHADOW] === 0 && (r[EFLAGS] & FLAG_IF) !== 0) {
      const vector = deliverableVector(r);
      if (vector >= 0) return takeIrq(cpu, vector);
    }
  }
  if (r[IN_HLT] !== 0) return HALTED;
  // A shadow covers the boundary before one instruction: that one.
  r[STI_SHADOW] = 0;
  r[SS_SHADOW] = 0;
  // RF lasts for one instruction (SDM vol. 3, 17.3.1.1). It may go before that one: a fault pushes 1 in any case, INT n
  // and PUSHF push 0, and IRET and an unfinished repetition set it themselves.
  r[EFLAGS] &= ~FLAG_RF;
  cpu.attention = (r[EFLAGS] & FLAG_TF) | r[NMI_PENDING] | r[DB_PENDING] | (hasRequest(r) ? 1 : 0);
  return PROCEED;
}

function takeTrap(cpu: Cpu): number {
  cpu.r[DB_PENDING] = 0;
  return deliver(cpu, VEC_DB, 'trap', NO_ERROR_CODE) ? DELIVERED : SHUTDOWN;
}

function takeNmi(cpu: Cpu): number {
  return deliver(cpu, VEC_NMI, 'nmi', NO_ERROR_CODE) ? DELIVERED : SHUTDOWN;
}

function takeIrq(cpu: Cpu, vector: number): number {
  acknowledge(cpu.r, vector);
  return deliver(cpu, vector, 'irq', NO_ERROR_CODE) ? DELIVERED : SHUTDOWN;
}
