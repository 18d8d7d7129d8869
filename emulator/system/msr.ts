/**
 * Model-specific registers (SDM vol. 4) and the FSGSBASE instructions. Those that every machine has are here, the
 * others in the platform's table.
 */
import type { Cpu } from '../cpu/cpu';
import { readRegister, writeRegister } from '../cpu/operands';
import { fail, privileged } from '../cpu/outcome';
import { X_TSC_DEADLINE } from '../extended-state';
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
import { isCanonical, vaHi } from '../words';

const MSR_EFER = 0xc0000080,
  MSR_FMASK = 0xc0000084;

/** IA32_APIC_BASE: enabled, at the architectural address; and the bit of the bootstrap processor. */
const APIC_BASE_VALUE = 0xfee00800 | 0,
  BOOTSTRAP = 0x100;

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
    default:
      return readOther(cpu, op, number);
  }
}

/** An MSR that is in no table is #GP(0), or a typed error where a guest would mean something that is not there. */
function readOther(cpu: Cpu, op: MicroOp, number: number): Outcome {
  const r = cpu.r;
  const rule = cpu.platform.msrs.get(number);
  switch (rule?.kind) {
    case 'stored':
      return answer(r, cpu.x[rule.word], cpu.x[rule.word + 1]);
    case 'constant':
      return answer(r, rule.lo, rule.hi);
    case 'apic-base':
      return answer(r, APIC_BASE_VALUE | (cpu.index === 0 ? BOOTSTRAP : 0), 0);
    case 'tsc': {
      const tsc = cpu.platform.readTsc();
      return answer(r, tsc | 0, vaHi(tsc));
    }
    case 'tsc-deadline':
      return answer(r, cpu.x[X_TSC_DEADLINE], cpu.x[X_TSC_DEADLINE + 1]);
    case 'command':
      return fail(cpu, VEC_GP, 0);
    default:
      return unknown(cpu, op, `RDMSR of 0x${number.toString(16)}`);
  }
}

function unknown(cpu: Cpu, op: MicroOp, text: string): Outcome {
  if (cpu.platform.otherMsr === 'refused') throw new UnimplementedError(text, op.va);
  return fail(cpu, VEC_GP, 0);
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
  if (number !== MSR_FMASK) return writeOther(cpu, op, number, lo, hi);
  // Only the low half of FMASK is defined.
  if (hi !== 0) return fail(cpu, VEC_GP, 0);
  r[FMASK] = lo;
  return NEXT;
}

function writeOther(cpu: Cpu, op: MicroOp, number: number, lo: number, hi: number): Outcome {
  const text = `WRMSR of 0x${number.toString(16)}`;
  const rule = cpu.platform.msrs.get(number);
  switch (rule?.kind) {
    case 'stored':
      if ((lo & ~rule.writableLo) !== 0 || (hi & ~rule.writableHi) !== 0) return fail(cpu, VEC_GP, 0);
      return store(cpu, rule.word, lo, hi);
    case 'constant':
      if (rule.write === 'refused') throw new UnimplementedError(text, op.va);
      return rule.write === 'ignored' ? NEXT : fail(cpu, VEC_GP, 0);
    case 'command':
      return hi === 0 && (lo & ~rule.allowed) === 0 ? NEXT : fail(cpu, VEC_GP, 0);
    case 'tsc-deadline':
      store(cpu, X_TSC_DEADLINE, lo, hi);
      cpu.platform.deadlineWritten(cpu);
      return NEXT;
    case 'apic-base':
    case 'tsc':
      return fail(cpu, VEC_GP, 0);
    default:
      return unknown(cpu, op, text);
  }
}

function store(cpu: Cpu, word: number, lo: number, hi: number): Outcome {
  cpu.x[word] = lo;
  cpu.x[word + 1] = hi;
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
