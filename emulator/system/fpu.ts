/**
 * The state of FPU and SSE as a kernel handles it: saved, restored, initialised, never computed with (SDM vol. 1,
 * 10.5 and 8.1). `cpu.x` holds it as the FXSAVE image of 512 bytes. Instructions that compute with it are not
 * implemented, so exceptions are pending only if FXRSTOR loaded them. Left out: CR4.OSFXSR, without which a processor
 * may leave out the XMM registers; FXSAVE and FXSAVE64 differ in the format of two pointers, which are kept as they
 * are.
 *
 *   image, by 4 bytes   0 FSW, FCW | 1 FOP, FTW | 2 FIP, 4 FDP | 6 MXCSR | 7 MXCSR_MASK | 8 ST0..7 | 40 XMM0..15
 *                       104 reserved | 116 software
 */
import type { Cpu } from '../cpu/cpu';
import { effectiveAddress } from '../cpu/operands';
import { fail } from '../cpu/outcome';
import { X_FPU } from '../extended-state';
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { CR0, CR0_EM, CR0_MP, CR0_TS, EA, NO_ERROR_CODE, V, VEC_GP } from '../registers';
import { sumHigh } from '../words';

const VEC_NM = 7,
  VEC_MF = 16;
const IMAGE_BYTES = 512;
/** What FXSAVE writes and FXRSTOR reads; the rest of the image belongs to software. */
const SAVED_BYTES = 416;
const MXCSR = 6,
  MXCSR_MASK = 7;
/** All bits of MXCSR that a processor with SSE2 has. */
const MXCSR_BITS = 0xffff;
const MXCSR_RESET = 0x1f80;
/** FCW after FNINIT: all exceptions masked, extended precision. */
const FCW_RESET = 0x37f;
/** FSW: the six exceptions, stack fault and summary; and the same with B, which FNCLEX clears. */
const FSW_EXCEPTIONS = 0x3f,
  FSW_CLEARED = 0x80ff;

/** The state after RESET, and after INIT (SDM vol. 3, table 9-1): as FNINIT leaves it, and MXCSR. */
export function resetFpu(x: Int32Array): void {
  x.fill(0, X_FPU, X_FPU + IMAGE_BYTES / 4);
  x[X_FPU] = FCW_RESET;
  x[X_FPU + MXCSR] = MXCSR_RESET;
}

export function fxsave(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!prepare(cpu, op)) return FAULT;
  const lo = r[EA];
  const hi = r[EA + 1];
  // Aligned to 16: the first and the last piece are on all the pages there are.
  if (!cpu.prepareWrite(lo, hi, 8) || !at(cpu, lo, hi, IMAGE_BYTES - 8, write)) return FAULT;
  for (let offset = 0; offset < SAVED_BYTES; offset += 8) {
    const word = offset >>> 2;
    r[V] = cpu.x[X_FPU + word];
    r[V + 1] = word + 1 === MXCSR_MASK ? MXCSR_BITS : cpu.x[X_FPU + word + 1];
    if (!at(cpu, lo, hi, offset, storeV)) return FAULT;
  }
  return NEXT;
}

/** A reserved bit of MXCSR is #GP(0), and nothing is loaded then. */
export function fxrstor(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!prepare(cpu, op)) return FAULT;
  const lo = r[EA];
  const hi = r[EA + 1];
  if (!at(cpu, lo, hi, 0, load) || !at(cpu, lo, hi, IMAGE_BYTES - 8, load)) return FAULT;
  if (!at(cpu, lo, hi, MXCSR * 4, load)) return FAULT;
  if ((r[V] & ~MXCSR_BITS) !== 0) return fail(cpu, VEC_GP, 0);
  for (let offset = 0; offset < SAVED_BYTES; offset += 8) {
    if (!at(cpu, lo, hi, offset, load)) return FAULT;
    const word = X_FPU + (offset >>> 2);
    cpu.x[word] = r[V];
    cpu.x[word + 1] = r[V + 1];
  }
  cpu.x[X_FPU + MXCSR_MASK] = 0;
  return NEXT;
}

/** #NM where FPU instructions are to trap, #GP(0) off a boundary of 16 bytes; the address is in EA then. */
function prepare(cpu: Cpu, op: MicroOp): boolean {
  const r = cpu.r;
  if ((r[CR0] & (CR0_TS | CR0_EM)) !== 0) return cpu.raise(VEC_NM, NO_ERROR_CODE);
  effectiveAddress(r, op);
  return (r[EA] & 15) === 0 || cpu.raise(VEC_GP, 0);
}

type Access = (cpu: Cpu, lo: number, hi: number) => boolean;

const load: Access = (cpu, lo, hi) => cpu.load64(lo, hi);
const storeV: Access = (cpu, lo, hi) => cpu.store64(lo, hi, cpu.r[V], cpu.r[V + 1]);
const write: Access = (cpu, lo, hi) => cpu.prepareWrite(lo, hi, 8);

function at(cpu: Cpu, lo: number, hi: number, offset: number, access: Access): boolean {
  const there = (lo + offset) | 0;
  return access(cpu, there, sumHigh(hi, there, offset));
}

/** FNINIT: control, status and tag words, and the pointers to the last instruction; the registers stay. */
export function fninit(cpu: Cpu): Outcome {
  if (!available(cpu)) return FAULT;
  const { x } = cpu;
  x[X_FPU] = FCW_RESET;
  x.fill(0, X_FPU + 1, X_FPU + MXCSR);
  return NEXT;
}

export function fnclex(cpu: Cpu): Outcome {
  if (!available(cpu)) return FAULT;
  cpu.x[X_FPU] &= ~(FSW_CLEARED << 16);
  return NEXT;
}

function available(cpu: Cpu): boolean {
  return (cpu.r[CR0] & (CR0_TS | CR0_EM)) === 0 || cpu.raise(VEC_NM, NO_ERROR_CODE);
}

/** WAIT: #NM only where MP and TS are both set, #MF for an exception that is pending and not masked. */
export function wait(cpu: Cpu): Outcome {
  if ((cpu.r[CR0] & (CR0_MP | CR0_TS)) === (CR0_MP | CR0_TS)) return fail(cpu, VEC_NM, NO_ERROR_CODE);
  const word = cpu.x[X_FPU];
  if (((word >>> 16) & ~word & FSW_EXCEPTIONS) !== 0) return fail(cpu, VEC_MF, NO_ERROR_CODE);
  return NEXT;
}
