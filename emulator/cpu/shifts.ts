/**
 * Shifts and rotates (SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD/SHRD). Counts are masked to 5 or 6 bits; a
 * masked count of zero changes no flag. OF after a count other than 1 is undefined; it gets the value that the one-bit
 * formula has.
 */
import { FAULT, IMM, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { A, B, RCX } from '../registers';
import type { Cpu } from './cpu';
import { carry, setCarryOverflow, setResult } from './flags';
import { loadDestination, loadSource, storeDestination } from './operands';

/** Operation numbers in the order of the opcode map (6 is an alias of SHL). */
export const ROL = 0,
  ROR = 1,
  RCL = 2,
  RCR = 3,
  SHL = 4,
  SHR = 5,
  SAR = 7;

/** Result words of the helpers below. */
let lo = 0;
let hi = 0;

function shiftLeft(aLo: number, aHi: number, n: number): void {
  if (n === 0) {
    lo = aLo;
    hi = aHi;
  } else if (n < 32) {
    lo = aLo << n;
    hi = (aHi << n) | (aLo >>> (32 - n));
  } else {
    lo = 0;
    hi = n < 64 ? aLo << (n - 32) : 0;
  }
}

/** `fill` is 0 for SHR, -1 for SAR of a negative value. */
function shiftRight(aLo: number, aHi: number, n: number, fill: number): void {
  if (n === 0) {
    lo = aLo;
    hi = aHi;
  } else if (n < 32) {
    lo = (aLo >>> n) | (aHi << (32 - n));
    hi = (aHi >>> n) | (fill << (32 - n));
  } else if (n < 64) {
    lo = n === 32 ? aHi : (aHi >>> (n - 32)) | (fill << (64 - n));
    hi = fill;
  } else {
    lo = fill;
    hi = fill;
  }
}

function bitOf(aLo: number, aHi: number, n: number): number {
  return n < 32 ? (aLo >>> n) & 1 : (aHi >>> (n - 32)) & 1;
}

function truncate(size: number): void {
  if (size === 8) return;
  hi = 0;
  if (size < 4) lo &= size === 2 ? 0xffff : 0xff;
}

/** The count operand: an immediate, CL, or the implied 1 (an immediate too). */
function countOf(cpu: Cpu, op: MicroOp): number {
  const raw = op.sKind === IMM ? op.immLo : cpu.r[RCX];
  return raw & (op.size === 8 ? 63 : 31);
}

export function shift(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadDestination(cpu, op, true)) return FAULT;
  const n = countOf(cpu, op);
  if (n === 0) return storeDestination(cpu, op, r[A], r[A + 1]) ? NEXT : FAULT;
  if (op.sub >= SHL) shiftBy(r, op.sub, op.size, n);
  else if (op.sub >= RCL) rotateThroughCarry(r, op.sub, op.size, n);
  else rotate(r, op.sub, op.size, n);
  return storeDestination(cpu, op, lo, hi) ? NEXT : FAULT;
}

function shiftBy(r: Int32Array, kind: number, size: number, n: number): void {
  const bits = size << 3;
  const aLo = r[A];
  const aHi = r[A + 1];
  let cf = 0;
  let of = 0;
  if (kind === SAR) {
    const fill = bitOf(aLo, aHi, bits - 1) !== 0 ? -1 : 0;
    const wideLo = size >= 4 ? aLo : aLo | (fill << bits);
    const wideHi = size === 8 ? aHi : fill;
    shiftRight(wideLo, wideHi, n, fill);
    cf = bitOf(wideLo, wideHi, n - 1);
  } else if (kind === SHR) {
    shiftRight(aLo, aHi, n, 0);
    cf = n <= bits ? bitOf(aLo, aHi, n - 1) : 0;
    of = bitOf(aLo, aHi, bits - 1);
  } else {
    shiftLeft(aLo, aHi, n);
    cf = n <= bits ? bitOf(aLo, aHi, bits - n) : 0;
    of = bitOf(lo, hi, bits - 1) ^ cf;
  }
  truncate(size);
  setResult(r, size, lo, hi);
  setCarryOverflow(r, cf, of);
}

/** Rotates change CF and OF only. */
function rotate(r: Int32Array, kind: number, size: number, count: number): void {
  const bits = size << 3;
  const n = count & (bits - 1);
  const aLo = r[A];
  const aHi = r[A + 1];
  const left = kind === ROL ? n : (bits - n) & (bits - 1);
  rotateLeft(aLo, aHi, bits, left);
  truncate(size);
  const top = bitOf(lo, hi, bits - 1);
  if (kind === ROL) setCarryOverflow(r, lo & 1, top ^ (lo & 1));
  else setCarryOverflow(r, top, top ^ bitOf(lo, hi, bits - 2));
}

function rotateLeft(aLo: number, aHi: number, bits: number, n: number): void {
  shiftRight(aLo, aHi, bits - n, 0);
  const rLo = n === 0 ? 0 : lo;
  const rHi = n === 0 ? 0 : hi;
  shiftLeft(aLo, aHi, n);
  lo |= rLo;
  hi |= rHi;
}

/** RCL and RCR rotate bits + 1 positions, one at a time: rare, so short rather than fast. */
function rotateThroughCarry(r: Int32Array, kind: number, size: number, count: number): void {
  const bits = size << 3;
  const n = count % (bits + 1);
  let cf = carry(r);
  lo = r[A];
  hi = r[A + 1];
  for (let i = 0; i < n; i++) {
    if (kind === RCL) cf = rotateOneLeft(cf, bits);
    else cf = rotateOneRight(cf, bits);
    truncate(size);
  }
  const top = bitOf(lo, hi, bits - 1);
  if (n !== 0) setCarryOverflow(r, cf, kind === RCL ? top ^ cf : top ^ bitOf(lo, hi, bits - 2));
}

function rotateOneLeft(cf: number, bits: number): number {
  const out = bitOf(lo, hi, bits - 1);
  shiftLeft(lo, hi, 1);
  lo |= cf;
  return out;
}

function rotateOneRight(cf: number, bits: number): number {
  const out = lo & 1;
  shiftRight(lo, hi, 1, 0);
  if (bits === 64) hi |= cf << 31;
  else lo |= cf << (bits - 1);
  return out;
}

/**
 * SHLD and SHRD (`op.sub` 0, 1): bits come in from the source register. A count above 16 with 16-bit operands is
 * undefined.
 */
export function shiftDouble(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const bits = op.size << 3;
  // The count is an immediate or CL; the source operand is always the register.
  const n = (op.sub2 === 1 ? op.immLo : r[RCX]) & (op.size === 8 ? 63 : 31);
  if (!loadSource(cpu, op) || !loadDestination(cpu, op, true)) return FAULT;
  if (n === 0) return storeDestination(cpu, op, r[A], r[A + 1]) ? NEXT : FAULT;
  const cf = op.sub === 0 ? bitOf(r[A], r[A + 1], (bits - n) & 63) : bitOf(r[A], r[A + 1], n - 1);
  const signBefore = bitOf(r[A], r[A + 1], bits - 1);
  if (op.sub === 0) merge(bits - n, n, r[B], r[B + 1], r[A], r[A + 1]);
  else merge(n, bits - n, r[A], r[A + 1], r[B], r[B + 1]);
  truncate(op.size);
  setResult(r, op.size, lo, hi);
  setCarryOverflow(r, cf, signBefore ^ bitOf(lo, hi, bits - 1));
  return storeDestination(cpu, op, lo, hi) ? NEXT : FAULT;
}

/** (low >> right) | (high << left) */
function merge(right: number, left: number, lowLo: number, lowHi: number, highLo: number, highHi: number): void {
  shiftRight(lowLo, lowHi, Math.max(right, 0), 0);
  const keepLo = lo;
  const keepHi = hi;
  shiftLeft(highLo, highHi, Math.max(left, 0));
  lo |= keepLo;
  hi |= keepHi;
}
