/**
 * Instructions on RFLAGS and on the processor's own state: STI, CLI, PUSHF, POPF, STAC, CLAC, HLT, LAHF, IN, OUT, INT,
 * UD2, loops.
 */
import type { Cpu } from '../cpu/cpu';
import { carry, loadStatus, materialise, setCarry } from '../cpu/flags';
import { FAULT, IMM, JUMPED, type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  CPL,
  EFLAGS,
  F_HI,
  F_LO,
  FLAG_AC,
  FLAG_DF,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_OF,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  HALTED,
  RAX,
  RCX,
  RDX,
  RIP,
  STATUS_FLAGS,
  STI_SHADOW,
  V,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { enter } from './delivery';
import { fail, jump, privileged, setRflags } from './syscall';

function iopl(cpu: Cpu): number {
  return (cpu.r[EFLAGS] & FLAG_IOPL) >>> 12;
}

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
  if (r[CPL] !== 0) return fail(cpu, VEC_UD, -1);
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

const POPF_FLAGS = 0x247fd5;

/** IOPL changes at CPL 0 only, IF only where CPL <= IOPL; neither is a fault (SDM vol. 2, POPF). RF is cleared. */
export function popf(cpu: Cpu): Outcome {
  const r = cpu.r;
  if (!cpu.peek64()) return FAULT;
  cpu.moveRsp(8);
  let keep = FLAG_VM | FLAG_VIF | FLAG_VIP;
  if (r[CPL] !== 0) keep |= FLAG_IOPL;
  if (r[CPL] > iopl(cpu)) keep |= FLAG_IF;
  setRflags(cpu, (r[V] & POPF_FLAGS & ~keep) | (r[EFLAGS] & keep));
  cpu.derive();
  return NEXT;
}

const LAHF_FLAGS = STATUS_FLAGS & 0xff;

export function lahf(cpu: Cpu): Outcome {
  const r = cpu.r;
  r[RAX] = (r[RAX] & ~0xff00) | (((materialise(r) & LAHF_FLAGS) | 2) << 8);
  return NEXT;
}

export function sahf(cpu: Cpu): Outcome {
  const r = cpu.r;
  loadStatus(r, (materialise(r) & FLAG_OF) | ((r[RAX] >>> 8) & LAHF_FLAGS));
  return NEXT;
}

export function hlt(cpu: Cpu): Outcome {
  if (!privileged(cpu)) return FAULT;
  cpu.r[HALTED] = 1;
  cpu.attention = 1;
  return NEXT;
}

export function nop(): Outcome {
  return NEXT;
}

/** Caches are not modelled. */
export function privilegedNop(cpu: Cpu): Outcome {
  return privileged(cpu) ? NEXT : FAULT;
}

export function ud2(cpu: Cpu): Outcome {
  return fail(cpu, VEC_UD, -1);
}

/**
 * INT3 and INT n push the address after them; a fault on the way is the instruction's own and pushes that of the INT.
 */
export function softwareInterrupt(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const lo = r[RIP];
  const hi = r[RIP + 1];
  jump(cpu, op.nextLo, op.nextHi);
  if (enter(cpu, op.immLo & 0xff, 'software', -1)) return JUMPED;
  jump(cpu, lo, hi);
  return FAULT;
}

function portNumber(cpu: Cpu, op: MicroOp): number {
  return op.sKind === IMM ? op.immLo & 0xff : cpu.r[RDX] & 0xffff;
}

/** No I/O permission bitmap: ports are for CPL <= IOPL. Only choice ports answer. */
export function portIn(cpu: Cpu, op: MicroOp): Outcome {
  if (cpu.r[CPL] > iopl(cpu)) return fail(cpu, VEC_GP, 0);
  const port = portNumber(cpu, op);
  const value = cpu.outside.readPort(cpu, port);
  if (value === undefined) throw new UnimplementedError(`a read of port 0x${port.toString(16)}`, op.va);
  cpu.r[RAX] = (cpu.r[RAX] & ~0xff) | value;
  return NEXT;
}

/** Port 0x80 is the traditional delay and is ignored. */
export function portOut(cpu: Cpu, op: MicroOp): Outcome {
  if (cpu.r[CPL] > iopl(cpu)) return fail(cpu, VEC_GP, 0);
  const port = portNumber(cpu, op);
  if (port !== 0x80) throw new UnimplementedError(`a write to port 0x${port.toString(16)}`, op.va);
  return NEXT;
}

/** `op.sub` 0: LOOP, 1: LOOPE, 2: LOOPNE. */
export function loop(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (r[RCX] === 0) r[RCX + 1] = (r[RCX + 1] - 1) | 0;
  r[RCX] = (r[RCX] - 1) | 0;
  const zero = (r[F_LO] | r[F_HI]) === 0;
  const wanted = op.sub === 0 || zero === (op.sub === 1);
  return wanted && (r[RCX] | r[RCX + 1]) !== 0 ? jump(cpu, op.immLo, op.immHi) : NEXT;
}

/** `op.sub` 0: JRCXZ, 1: JECXZ. */
export function jumpIfRcxZero(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  return (r[RCX] | (op.sub === 0 ? r[RCX + 1] : 0)) === 0 ? jump(cpu, op.immLo, op.immHi) : NEXT;
}
