/**
 * SYSCALL, SYSRET and SWAPGS (SDM vol. 2). None of the three touches the stack or CR3; that is why entry code is hard.
 *
 *   STAR  | 63:48 SYSRET: CS = +16, SS = +8, RPL 3 | 47:32 SYSCALL: CS, SS = +8 | 31:0 legacy EIP |
 */
import type { Cpu } from '../cpu/cpu';
import { fail, jump, setRflags } from '../cpu/outcome';
import { pendSingleStep } from '../cpu/single-step';
import { type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  CPL,
  CS,
  EFER,
  EFER_SCE,
  EFLAGS,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FMASK,
  GS_BASE,
  KERNEL_GS_BASE,
  LOADABLE_FLAGS,
  LSTAR,
  NO_ERROR_CODE,
  R11,
  RCX,
  SS,
  STAR,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { isCanonical } from '../words';

/** RFLAGS bits that SYSRET takes from R11. */
const SYSRET_FLAGS = LOADABLE_FLAGS | FLAG_VIF | FLAG_VIP;

export function syscall(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if ((r[EFER] & EFER_SCE) === 0) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  const flags = cpu.rflags();
  r[RCX] = op.nextLo;
  r[RCX + 1] = op.nextHi;
  r[R11] = flags & ~FLAG_RF;
  r[R11 + 1] = 0;
  setRflags(cpu, flags & ~r[FMASK] & ~FLAG_RF);
  r[CS] = r[STAR + 1] & 0xfffc;
  r[SS] = (r[CS] + 8) & 0xffff;
  r[CPL] = 0;
  cpu.derive();
  trapIfSingleStepping(cpu);
  return jump(cpu, r[LSTAR], r[LSTAR + 1]);
}

/** A non-canonical RCX is #GP at CPL 0 on Intel's processors only, with whatever rsp the kernel has loaded by then. */
export function sysret(cpu: Cpu): Outcome {
  const r = cpu.r;
  if ((r[EFER] & EFER_SCE) === 0) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  if (r[CPL] !== 0) return fail(cpu, VEC_GP, 0);
  if (cpu.platform.vendor === 'intel' && !isCanonical(r[RCX], r[RCX + 1])) return fail(cpu, VEC_GP, 0);
  const selectors = r[STAR + 1] >>> 16;
  r[CS] = ((selectors + 16) & 0xffff) | 3;
  r[SS] = ((selectors + 8) & 0xffff) | 3;
  r[CPL] = 3;
  setRflags(cpu, r[R11] & SYSRET_FLAGS);
  cpu.derive();
  trapIfSingleStepping(cpu);
  return jump(cpu, r[RCX], r[RCX + 1]);
}

/**
 * Unlike after POPF or IRET, the TF that SYSCALL leaves or SYSRET loads traps before the next instruction; one that
 * FMASK clears does not (SDM vol. 2, SYSCALL and SYSRET).
 */
function trapIfSingleStepping(cpu: Cpu): void {
  if ((cpu.r[EFLAGS] & FLAG_TF) !== 0) pendSingleStep(cpu);
}

export function swapgs(cpu: Cpu): Outcome {
  const r = cpu.r;
  if (r[CPL] !== 0) return fail(cpu, VEC_GP, 0);
  const lo = r[GS_BASE];
  const hi = r[GS_BASE + 1];
  r[GS_BASE] = r[KERNEL_GS_BASE];
  r[GS_BASE + 1] = r[KERNEL_GS_BASE + 1];
  r[KERNEL_GS_BASE] = lo;
  r[KERNEL_GS_BASE + 1] = hi;
  return NEXT;
}
