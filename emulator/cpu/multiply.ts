/**
 * MUL, IMUL, DIV, IDIV (SDM vol. 2). A 64-bit operand is worked on as 32-bit limbs; no BigInt, which is the oracle in
 * the tests. Flags after a division are undefined and stay as they were; SF, ZF, PF and AF after a multiplication come
 * from the low half.
 */
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { A, B, NO_ERROR_CODE, RAX, RDX, V, VEC_DE } from '../registers';
import { differenceHigh } from '../words';
import type { Cpu } from './cpu';
import { setCarryOverflow, setResult } from './flags';
import { loadSource, readRegister, writeRegister } from './operands';

const imul = Math.imul;

/** The 128-bit product or dividend, least significant limb first. */
const limbs = new Int32Array(4);

/** High 32 bits of an unsigned 32 x 32 product. */
function mulHigh(a: number, b: number): number {
  const aL = a & 0xffff,
    aH = a >>> 16,
    bL = b & 0xffff,
    bH = b >>> 16;
  // Both partial sums fit 33 bits: unsigned Numbers hold them exactly.
  const carryPart = (imul(aH, bL) >>> 0) + (imul(aL, bL) >>> 16);
  const second = (imul(aL, bH) >>> 0) + (carryPart % 0x10000);
  return (imul(aH, bH) + Math.floor(carryPart / 0x10000) + Math.floor(second / 0x10000)) | 0;
}

function addLimb(at: number, value: number): void {
  let carryIn = value;
  for (let i = at; i < 4 && carryIn !== 0; i++) {
    const sum = (limbs[i] >>> 0) + (carryIn >>> 0);
    limbs[i] = sum | 0;
    carryIn = sum > 0xffffffff ? 1 : 0;
  }
}

function multiply64(aLo: number, aHi: number, bLo: number, bHi: number): void {
  limbs[0] = imul(aLo, bLo);
  limbs[1] = mulHigh(aLo, bLo);
  limbs[2] = imul(aHi, bHi);
  limbs[3] = mulHigh(aHi, bHi);
  addLimb(1, imul(aLo, bHi));
  addLimb(2, mulHigh(aLo, bHi));
  addLimb(1, imul(aHi, bLo));
  addLimb(2, mulHigh(aHi, bLo));
}

/** Signed from unsigned: a negative factor subtracts the other one from the upper half. */
function signCorrect(aLo: number, aHi: number, bLo: number, bHi: number): void {
  if (aHi < 0) subtractUpper(bLo, bHi);
  if (bHi < 0) subtractUpper(aLo, aHi);
}

function subtractUpper(lo: number, hi: number): void {
  limbs[3] = differenceHigh(limbs[3] - hi, limbs[2], lo);
  limbs[2] = (limbs[2] - lo) | 0;
}

function signExtend(value: number, size: number): number {
  const shift = 32 - (size << 3);
  return size >= 4 ? value : (value << shift) >> shift;
}

/**
 * Product of A and B into `limbs`: 128 bits for 64-bit operands, else sign- or zero-extended operands of up to 32 bits.
 */
function multiply(r: Int32Array, size: number, signed: boolean): void {
  if (size === 8) {
    multiply64(r[A], r[A + 1], r[B], r[B + 1]);
    if (signed) signCorrect(r[A], r[A + 1], r[B], r[B + 1]);
    return;
  }
  const a = signed ? signExtend(r[A], size) : r[A];
  const b = signed ? signExtend(r[B], size) : r[B];
  limbs[0] = imul(a, b);
  limbs[1] = mulHigh(a, b);
  if (signed) limbs[1] = (limbs[1] - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

/** CF and OF: the upper half is more than the extension of the lower one. */
function overflows(size: number, signed: boolean): boolean {
  if (size === 8) {
    const fill = signed ? limbs[1] >> 31 : 0;
    return limbs[2] !== fill || limbs[3] !== fill;
  }
  if (size === 4) return limbs[1] !== (signed ? limbs[0] >> 31 : 0);
  const low = signed ? signExtend(limbs[0], size) : limbs[0] & (size === 2 ? 0xffff : 0xff);
  return low !== limbs[0];
}

function setMultiplyFlags(r: Int32Array, size: number, signed: boolean): void {
  const mask = size >= 4 ? -1 : size === 2 ? 0xffff : 0xff;
  setResult(r, size, limbs[0] & mask, limbs[1]);
  const over = overflows(size, signed) ? 1 : 0;
  setCarryOverflow(r, over, over);
}

/** One-operand MUL and IMUL (`op.sub` 0, 1): rdx:rax (or ax) = rax * source. */
export function mulAccumulator(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const size = op.size;
  if (!loadSource(cpu, op)) return FAULT;
  r[A] = readRegister(r, RAX, 0, size);
  r[A + 1] = r[RAX + 1];
  multiply(r, size, op.sub === 1);
  setMultiplyFlags(r, size, op.sub === 1);
  if (size === 1) {
    writeRegister(r, RAX, 0, 2, limbs[0], 0);
    return NEXT;
  }
  writeRegister(r, RAX, 0, size, limbs[0], limbs[1]);
  writeRegister(r, RDX, 0, size, size === 8 ? limbs[2] : size === 4 ? limbs[1] : limbs[0] >>> 16, limbs[3]);
  return NEXT;
}

/** IMUL with two or three operands: `op.sub` 1 when the second factor is the immediate, else the destination. */
export function imulTruncating(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const size = op.size;
  if (!loadSource(cpu, op)) return FAULT;
  r[A] = op.sub === 1 ? op.immLo : readRegister(r, op.d, 0, size);
  r[A + 1] = op.sub === 1 ? op.immHi : r[op.d + 1];
  multiply(r, size, true);
  setMultiplyFlags(r, size, true);
  writeRegister(r, op.d, 0, size, limbs[0], limbs[1]);
  return NEXT;
}

/** DIV and IDIV (`op.sub` 0, 1) of rdx:rax (or ax). #DE for a zero divisor and for a quotient that does not fit. */
export function divide(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const size = op.size;
  const signed = op.sub === 1;
  if (!loadSource(cpu, op)) return FAULT;
  loadDividend(r, size, signed);
  const bHi = size === 8 ? r[B + 1] : signed ? signExtend(r[B], size) >> 31 : 0;
  const bLo = signed ? signExtend(r[B], size) : r[B];
  const negativeDividend = signed && limbs[3] < 0;
  const negativeDivisor = signed && bHi < 0;
  if (negativeDividend) negateLimbs();
  divideUnsigned(r, negativeDivisor ? -bLo | 0 : bLo, negativeDivisor ? differenceHigh(-bHi, 0, bLo) : bHi);
  if ((r[B] | (size === 8 ? r[B + 1] : 0)) === 0 || !quotientFits(size, signed, negativeDividend !== negativeDivisor)) {
    cpu.raise(VEC_DE, NO_ERROR_CODE);
    return FAULT;
  }
  storeQuotient(r, size, negativeDividend !== negativeDivisor, negativeDividend);
  return NEXT;
}

function loadDividend(r: Int32Array, size: number, signed: boolean): void {
  const rax = r[RAX];
  const rdx = r[RDX];
  if (size === 8) {
    limbs[0] = rax;
    limbs[1] = r[RAX + 1];
    limbs[2] = rdx;
    limbs[3] = r[RDX + 1];
    return;
  }
  limbs[0] = size === 4 ? rax : size === 2 ? (rax & 0xffff) | (rdx << 16) : signed ? (rax << 16) >> 16 : rax & 0xffff;
  limbs[1] = size === 4 ? rdx : signed ? limbs[0] >> 31 : 0;
  limbs[2] = signed ? limbs[1] >> 31 : 0;
  limbs[3] = limbs[2];
}

function negateLimbs(): void {
  let carryIn = 1;
  for (let i = 0; i < 4; i++) {
    const sum = (~limbs[i] >>> 0) + carryIn;
    limbs[i] = sum | 0;
    carryIn = sum > 0xffffffff ? 1 : 0;
  }
}

/** Long division, one bit at a time: `limbs` becomes the quotient, the remainder goes to V. */
function divideUnsigned(r: Int32Array, bLo: number, bHi: number): void {
  let remLo = 0;
  let remHi = 0;
  for (let i = 0; i < 128; i++) {
    const out = remHi >>> 31;
    remHi = (remHi << 1) | (remLo >>> 31);
    remLo = (remLo << 1) | (limbs[3] >>> 31);
    for (let j = 3; j > 0; j--) limbs[j] = (limbs[j] << 1) | (limbs[j - 1] >>> 31);
    limbs[0] <<= 1;
    const reaches = out !== 0 || remHi >>> 0 > bHi >>> 0 || (remHi === bHi && remLo >>> 0 >= bLo >>> 0);
    if (!reaches) continue;
    remHi = differenceHigh(remHi - bHi, remLo, bLo);
    remLo = (remLo - bLo) | 0;
    limbs[0] |= 1;
  }
  r[V] = remLo;
  r[V + 1] = remHi;
}

/** A negative quotient reaches one further than a positive one. */
function quotientFits(size: number, signed: boolean, negative: boolean): boolean {
  if ((limbs[2] | limbs[3]) !== 0) return false;
  const value = (limbs[1] >>> 0) * 4294967296 + (limbs[0] >>> 0);
  if (size === 8) {
    if (!signed || limbs[1] >= 0) return true;
    return negative && limbs[1] === (0x80000000 | 0) && limbs[0] === 0;
  }
  const limit = signed ? 2 ** (size * 8 - 1) : 2 ** (size * 8);
  return negative ? value <= limit : value < limit;
}

/** The remainder has the dividend's sign. */
function storeQuotient(r: Int32Array, size: number, negateQuotient: boolean, negateRemainder: boolean): void {
  if (negateQuotient) negateLimbs();
  let remLo = r[V];
  let remHi = r[V + 1];
  if (negateRemainder) {
    remHi = differenceHigh(-remHi, 0, remLo);
    remLo = -remLo | 0;
  }
  if (size === 1) {
    writeRegister(r, RAX, 0, 1, limbs[0], 0);
    writeRegister(r, RAX, 8, 1, remLo, 0);
    return;
  }
  writeRegister(r, RAX, 0, size, limbs[0], limbs[1]);
  writeRegister(r, RDX, 0, size, remLo, remHi);
}
