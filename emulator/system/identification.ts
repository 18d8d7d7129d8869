/**
 * What a processor tells of itself and of time: CPUID, RDTSC, RDTSCP, RDPID, XGETBV (SDM vol. 2). The answers are the
 * platform's. CR4.TSD keeps user code from the time-stamp counter.
 */
import type { Cpu } from '../cpu/cpu';
import { writeRegister } from '../cpu/operands';
import { fail } from '../cpu/outcome';
import { X_TSC_AUX } from '../extended-state';
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { CPL, CR4, NO_ERROR_CODE, RAX, RBX, RCX, RDX, VEC_GP, VEC_UD } from '../registers';
import { vaHi } from '../words';

const CR4_TSD = 4;
const answer = new Int32Array(4);

export function cpuid(cpu: Cpu): Outcome {
  const r = cpu.r;
  cpu.platform.cpuid(cpu, r[RAX] >>> 0, r[RCX] >>> 0, answer);
  [RAX, RBX, RCX, RDX].forEach((register, i) => {
    writeRegister(r, register, 0, 4, answer[i], 0);
  });
  return NEXT;
}

/** `op.sub` 1: RDTSCP, which also reads IA32_TSC_AUX. */
export function rdtsc(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if ((r[CR4] & CR4_TSD) !== 0 && r[CPL] !== 0) return fail(cpu, VEC_GP, 0);
  const tsc = cpu.platform.readTsc();
  writeRegister(r, RAX, 0, 4, tsc | 0, 0);
  writeRegister(r, RDX, 0, 4, vaHi(tsc), 0);
  if (op.sub === 1) writeRegister(r, RCX, 0, 4, cpu.x[X_TSC_AUX], 0);
  return NEXT;
}

export function rdpid(cpu: Cpu, op: MicroOp): Outcome {
  writeRegister(cpu.r, op.d, 0, 8, cpu.x[X_TSC_AUX], 0);
  return NEXT;
}

/** Always #UD: CR4.OSXSAVE cannot be set (control-registers.ts). */
export function xgetbv(cpu: Cpu): Outcome {
  cpu.raise(VEC_UD, NO_ERROR_CODE);
  return FAULT;
}
