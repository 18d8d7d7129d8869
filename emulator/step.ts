/** One instruction boundary of one CPU: a pending event if one can be taken, else one instruction. */

import type { Cpu } from './cpu/cpu';
import { executeJoined } from './cpu/joined';
import { pendSingleStep } from './cpu/single-step';
import { execute } from './execute';
import { fetchOp } from './fetch';
import { FAULT, OP_LATE_TF, OP_SS, WITHOUT_EXECUTING, WITHOUT_RETIRED } from './micro-op';
import { EFLAGS, FLAG_TF, ICOUNT, IN_SHUTDOWN, SS_SHADOW, VEC_SS } from './registers';
import { FAULTED, RETIRED, SHUTDOWN, type StepResult } from './step-result';
import { attend, PROCEED } from './system/boundary';
import { deliverFault } from './system/delivery';

/** One boundary; up to `limit` of them where instructions are joined, and `cpu.ahead` says how many more than one. */
export function stepCpu(cpu: Cpu, limit = 1): StepResult {
  const r = cpu.r;
  let single = 0;
  if (cpu.attention !== 0) {
    const result = attend(cpu);
    if (result !== PROCEED) return result as StepResult;
    single = r[EFLAGS] & FLAG_TF;
  }
  const op = fetchOp(cpu);
  if (op === undefined) return deliverFault(cpu) ? FAULTED : SHUTDOWN;
  if (op.joinedCount > 1 && limit > 1 && cpu.attention === 0 && executeJoined(cpu, op, limit)) return RETIRED;
  if ((op.unobserved & WITHOUT_EXECUTING) === 0) cpu.observer.executing(cpu, op);
  if (execute(cpu, op) === FAULT) {
    if (cpu.nonCanonical && (op.flags & OP_SS) !== 0) cpu.fault.vector = VEC_SS;
    return deliverFault(cpu) ? FAULTED : SHUTDOWN;
  }
  r[ICOUNT] = (r[ICOUNT] + 1) | 0;
  if (r[ICOUNT] === 0) r[ICOUNT + 1]++;
  if ((op.unobserved & WITHOUT_RETIRED) === 0 || cpu.attention !== 0) cpu.observer.retired(cpu, op);
  if (single !== 0) singleStep(cpu, op.flags);
  return cpu.attention !== 0 && r[IN_SHUTDOWN] !== 0 ? SHUTDOWN : RETIRED;
}

/**
 * TF was set when the instruction began. SYSCALL, SYSRET and INT look at TF afterwards; MOV SS swallows the trap (SDM
 * vol. 3, 6.8.3).
 */
function singleStep(cpu: Cpu, opFlags: number): void {
  const r = cpu.r;
  if ((opFlags & OP_LATE_TF) !== 0 || r[SS_SHADOW] !== 0) return;
  pendSingleStep(cpu);
}
