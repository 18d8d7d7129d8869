/**
 * Model-specific registers (SDM vol. 4) and the FSGSBASE instructions. An MSR that is not in the table is a typed
 * error, not #GP: the guest means something by it that this machine does not have.
 */
import type { Cpu } from '../cpu/cpu';
import { readRegister, writeRegister } from '../cpu/operands';
import { fail, privileged } from '../cpu/outcome';
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  CR0,
  CR0_PG,
  CR4,
  CR4_FSGSBASE,
  CSTAR,
  EFER,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
  FMASK,
  FS_BASE,
  GS_BASE,
  KERNEL_GS_BASE,
  LSTAR,
  NO_ERROR_CODE,
  RAX,
  RCX,
  RDX,
  STAR,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { isCanonical } from '../words';

const MSR_APIC_BASE = 0x1b,
  MSR_EFER = 0xc0000080,
  MSR_FMASK = 0xc0000084;
/** Enabled, bootstrap processor, at the architectural address. */
const APIC_BASE_VALUE = 0xfee00900 | 0;

/** MSRs that are a pair and nothing else; the flag says whether a non-canonical value is #GP(0). */
const PAIRS = new Map<number, { register: number; canonical: boolean }>([
  [0xc0000081, { register: STAR, canonical: false }],
  [0xc0000082, { register: LSTAR, canonical: true }],
  [0xc0000083, { register: CSTAR, canonical: true }],
  [0xc0000100, { register: FS_BASE, canonical: true }],
  [0xc0000101, { register: GS_BASE, canonical: true }],
  [0xc0000102, { register: KERNEL_GS_BASE, canonical: true }],
]);

export function rdmsr(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  const number = r[RCX] >>> 0;
  const pair = PAIRS.get(number);
  if (pair !== undefined) return answer(r, r[pair.register], r[pair.register + 1]);
  switch (number) {
    case MSR_EFER:
      return answer(r, r[EFER], 0);
    case MSR_FMASK:
      return answer(r, r[FMASK], 0);
    case MSR_APIC_BASE:
      return answer(r, APIC_BASE_VALUE, 0);
    default:
      throw new UnimplementedError(`RDMSR of 0x${number.toString(16)}`, op.va);
  }
}

function answer(r: Int32Array, lo: number, hi: number): Outcome {
  r[RAX] = lo;
  r[RAX + 1] = 0;
  r[RDX] = hi;
  r[RDX + 1] = 0;
  return NEXT;
}

export function wrmsr(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  const number = r[RCX] >>> 0;
  const lo = r[RAX];
  const hi = r[RDX];
  const pair = PAIRS.get(number);
  if (pair !== undefined) {
    if (pair.canonical && !isCanonical(lo, hi)) return fail(cpu, VEC_GP, 0);
    r[pair.register] = lo;
    r[pair.register + 1] = hi;
    return NEXT;
  }
  if (number === MSR_EFER) return writeEfer(cpu, lo, hi);
  if (number !== MSR_FMASK) throw new UnimplementedError(`WRMSR of 0x${number.toString(16)}`, op.va);
  // Only the low half of FMASK is defined.
  if (hi !== 0) return fail(cpu, VEC_GP, 0);
  r[FMASK] = lo;
  return NEXT;
}

function writeEfer(cpu: Cpu, lo: number, hi: number): Outcome {
  const r = cpu.r;
  if (hi !== 0 || (lo & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) !== 0) return fail(cpu, VEC_GP, 0);
  if (((lo ^ r[EFER]) & EFER_LME) !== 0 && (r[CR0] & CR0_PG) !== 0) return fail(cpu, VEC_GP, 0);
  // LMA is read-only.
  r[EFER] = (lo & ~EFER_LMA) | (r[EFER] & EFER_LMA);
  cpu.derive();
  return NEXT;
}

/** RDFSBASE, RDGSBASE: `op.s` is the base's pair. #UD unless CR4.FSGSBASE. */
export function readBase(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if ((r[CR4] & CR4_FSGSBASE) === 0) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  writeRegister(r, op.d, 0, op.size, r[op.s], r[op.s + 1]);
  return NEXT;
}

/** WRFSBASE, WRGSBASE: `op.d` is the base's pair. Allowed at CPL 3. */
export function writeBase(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if ((r[CR4] & CR4_FSGSBASE) === 0) return fail(cpu, VEC_UD, NO_ERROR_CODE);
  const lo = readRegister(r, op.s, 0, op.size);
  const hi = op.size === 8 ? r[op.s + 1] : 0;
  if (!isCanonical(lo, hi)) return fail(cpu, VEC_GP, 0);
  r[op.d] = lo;
  r[op.d + 1] = hi;
  return NEXT;
}
