/**
 * IRETQ in 64-bit mode (SDM vol. 2, IRET/IRETQ). Every check is made before anything is loaded, selectors before RIP,
 * so a faulting IRET leaves all registers as they were: CPL 0, RIP at the IRETQ, rsp at its frame. Left out: returns to
 * compatibility mode (typed error), task returns, and nulling of data segments whose DPL is below the new CPL.
 *
 *   rsp ->  | RIP | CS | RFLAGS | RSP | SS |
 */
import type { Cpu } from '../cpu/cpu';
import { fail, jump, setRflags } from '../cpu/outcome';
import type { MicroOp, Outcome } from '../micro-op';
import { FAULT } from '../micro-op';
import {
  CPL,
  CS,
  EFLAGS,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  LOADABLE_FLAGS,
  NMI_BLOCKED,
  RSP,
  SS,
  V,
  VEC_GP,
  VEC_NP,
  VEC_SS,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { isCanonical, sumHigh } from '../words';
import {
  DESCRIPTOR_ACCESSED,
  descriptor,
  dplOf,
  isCode,
  isConforming,
  isLongCode,
  isPresent,
  isReservedCode,
  isWritableData,
  markAccessed,
  OUT_OF_LIMIT,
  READ_FAULT,
  readDescriptor,
} from './descriptors';

/** The five words as pairs; one buffer, reused. */
const frame = new Int32Array(10);
const F_RIP = 0,
  F_CS = 2,
  F_RFLAGS = 4,
  F_RSP = 6,
  F_SS = 8;
/** RFLAGS bits that IRET takes from its frame, where the privilege level allows it. */
const IRET_FLAGS = LOADABLE_FLAGS | FLAG_RF | FLAG_VM | FLAG_VIF | FLAG_VIP;

export function iret(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  // NMIs are unblocked by the execution of IRET, also of one that goes on to fault (SDM vol. 3, 6.7.1 and 27.2.3).
  r[NMI_BLOCKED] = 0;
  cpu.attention = 1;
  if ((r[EFLAGS] & FLAG_NT) !== 0) return fail(cpu, VEC_GP, 0);
  if (!readFrame(cpu)) return FAULT;
  const cs = frame[F_CS] & 0xffff;
  const ss = frame[F_SS] & 0xffff;
  if (!checkCode(cpu, cs, op)) return FAULT;
  const codeHi = descriptor.hi;
  if (!checkStack(cpu, ss, cs & 3)) return FAULT;
  if (!isCanonical(frame[F_RIP], frame[F_RIP + 1])) return fail(cpu, VEC_GP, 0);
  // A NULL SS leaves the descriptor of CS.
  if ((codeHi & descriptor.hi & DESCRIPTOR_ACCESSED) === 0 && !(markAccessed(cpu, cs) && markAccessed(cpu, ss)))
    return FAULT;
  const flags = mergeFlags(cpu, frame[F_RFLAGS]);
  r[CS] = cs;
  r[SS] = ss;
  r[RSP] = frame[F_RSP];
  r[RSP + 1] = frame[F_RSP + 1];
  r[CPL] = cs & 3;
  setRflags(cpu, flags);
  cpu.derive();
  return jump(cpu, frame[F_RIP], frame[F_RIP + 1]);
}

function readFrame(cpu: Cpu): boolean {
  const r = cpu.r;
  cpu.observer.stackAccess(cpu, r[RSP], r[RSP + 1], 40, false);
  for (let i = 0; i < 10; i += 2) {
    const offset = i * 4;
    const lo = (r[RSP] + offset) | 0;
    if (!cpu.load64(lo, sumHigh(r[RSP + 1], lo, offset))) return cpu.stackFault();
    frame[i] = r[V];
    frame[i + 1] = r[V + 1];
  }
  return true;
}

function checkCode(cpu: Cpu, cs: number, op: MicroOp): boolean {
  const selector = cs & ~3;
  const rpl = cs & 3;
  if (selector === 0) return cpu.raise(VEC_GP, 0);
  const result = readDescriptor(cpu, cs);
  if (result === READ_FAULT) return false;
  const hi = descriptor.hi;
  if (result === OUT_OF_LIMIT || !isCode(hi) || rpl < cpu.r[CPL]) return cpu.raise(VEC_GP, selector);
  if (isConforming(hi) ? dplOf(hi) > rpl : dplOf(hi) !== rpl) return cpu.raise(VEC_GP, selector);
  if (!isPresent(hi)) return cpu.raise(VEC_NP, selector);
  if (isReservedCode(hi)) return cpu.raise(VEC_GP, selector);
  if (!isLongCode(hi)) throw new UnimplementedError('IRET to compatibility mode', op.va);
  if (rpl === 1 || rpl === 2) throw new UnimplementedError(`IRET to ring ${rpl}`, op.va);
  return true;
}

/** A null SS is allowed on the way to 64-bit code outside ring 3. */
function checkStack(cpu: Cpu, ss: number, cpl: number): boolean {
  const selector = ss & ~3;
  const rpl = ss & 3;
  if (selector === 0) return (cpl !== 3 && rpl === cpl) || cpu.raise(VEC_GP, 0);
  if (rpl !== cpl) return cpu.raise(VEC_GP, selector);
  const result = readDescriptor(cpu, ss);
  if (result === READ_FAULT) return false;
  const hi = descriptor.hi;
  if (result === OUT_OF_LIMIT || !isWritableData(hi) || dplOf(hi) !== cpl) return cpu.raise(VEC_GP, selector);
  return isPresent(hi) || cpu.raise(VEC_SS, selector);
}

/** What the current CPL may not change keeps its value. */
function mergeFlags(cpu: Cpu, wanted: number): number {
  const r = cpu.r;
  let keep = FLAG_VM;
  if (r[CPL] !== 0) keep |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
  if (r[CPL] > (r[EFLAGS] & FLAG_IOPL) >>> 12) keep |= FLAG_IF;
  return (wanted & IRET_FLAGS & ~keep) | (r[EFLAGS] & keep);
}
