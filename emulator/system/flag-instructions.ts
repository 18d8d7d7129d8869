/**
 * Instructions on RFLAGS (SDM vol. 1, 5.1.11): STI, CLI, PUSHF, POPF, LAHF, SAHF, CLC, STC, CMC, CLD, STD; and STAC and
 * CLAC.
 */
import type { Cpu } from '../cpu/cpu';
import { carry, loadStatus, materialise, setCarry } from '../cpu/flags';
import { fail, iopl, setRflags } from '../cpu/outcome';
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  CPL,
  EFLAGS,
  FLAG_AC,
  FLAG_ALWAYS_1,
  FLAG_DF,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_OF,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  LOADABLE_FLAGS,
  NO_ERROR_CODE,
  RAX,
  STATUS_FLAGS,
  STI_SHADOW,
  V,
  VEC_GP,
  VEC_UD,
} from '../registers';

/** Interrupts stay off for one more instruction, when they were off (SDM vol. 2, STI). */
export function sti(cpu: Cpu): Outcome {
  const r = cpu.r;
  if (iopl(cpu) < r[CPL]) return fail(cpu, VEC_GP, 0);
  if ((r[EFLAGS] & FLAG_IF) === 0) {
    r[STI_SHADOW] = 1;
    cpu.attention = 1;
  }
  r[EFLAGS] |= FLAG_IF;
  return NEXT;
}

export function cli(cpu: Cpu): Outcome {
  if (iopl(cpu) < cpu.r[CPL]) return fail(cpu, VEC_GP, 0);
  cpu.r[EFLAGS] &= ~FLAG_IF;
  return NEXT;
}

/** `op.sub` 0: CLAC, 1: STAC. CR4.SMAP does not matter: this CPU has SMAP, so only CPL > 0 is #UD (SDM vol. 2). */
export function setAccessCheck(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (r[CPL] !== 0) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  r[EFLAGS] = op.sub === 1 ? r[EFLAGS] | FLAG_AC : r[EFLAGS] & ~FLAG_AC;
  cpu.derive();
  return NEXT;
}

/** `op.sub` 0: CLD, 1: STD. */
export function setDirection(cpu: Cpu, op: MicroOp): Outcome {
  cpu.r[EFLAGS] = op.sub === 1 ? cpu.r[EFLAGS] | FLAG_DF : cpu.r[EFLAGS] & ~FLAG_DF;
  return NEXT;
}

/** `op.sub` 0: CLC, 1: STC, 2: CMC. */
export function setCarryFlag(cpu: Cpu, op: MicroOp): Outcome {
  setCarry(cpu.r, op.sub === 2 ? carry(cpu.r) ^ 1 : op.sub);
  return NEXT;
}

export function pushf(cpu: Cpu): Outcome {
  return cpu.push64(cpu.rflags() & ~(FLAG_VM | FLAG_RF), 0) ? NEXT : FAULT;
}

/** IOPL changes at CPL 0 only, IF only where CPL <= IOPL; neither is a fault (SDM vol. 2, POPF). RF is cleared. */
export function popf(cpu: Cpu): Outcome {
  const r = cpu.r;
  if (!cpu.peek64()) return FAULT;
  cpu.moveRsp(8);
  let keep = FLAG_VM | FLAG_VIF | FLAG_VIP;
  if (r[CPL] !== 0) keep |= FLAG_IOPL;
  if (r[CPL] > iopl(cpu)) keep |= FLAG_IF;
  setRflags(cpu, (r[V] & LOADABLE_FLAGS & ~keep) | (r[EFLAGS] & keep));
  cpu.derive();
  return NEXT;
}

const LAHF_FLAGS = STATUS_FLAGS & 0xff;

export function lahf(cpu: Cpu): Outcome {
  const r = cpu.r;
  r[RAX] = (r[RAX] & ~0xff00) | (((materialise(r) & LAHF_FLAGS) | FLAG_ALWAYS_1) << 8);
  return NEXT;
}

export function sahf(cpu: Cpu): Outcome {
  const r = cpu.r;
  loadStatus(r, (materialise(r) & FLAG_OF) | ((r[RAX] >>> 8) & LAHF_FLAGS));
  return NEXT;
}
