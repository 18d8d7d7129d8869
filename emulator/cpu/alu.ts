/**
 * Addition, subtraction and logic on 8 to 64 bits (SDM vol. 2), with flags. 64-bit results go to the pair `into`,
 * others to V; narrow operands and results are zero-extended.
 */
import { F_CHI, F_CLO, F_HI, F_LO, V } from '../registers';
import { carry, setCarryOverflow } from './flags';

/** Operation numbers in the order of the opcode map. */
export const ADD = 0,
  OR = 1,
  ADC = 2,
  SBB = 3,
  AND = 4,
  SUB = 5,
  XOR = 6,
  CMP = 7,
  TEST = 8;

export function add64(
  r: Int32Array,
  into: number,
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
  carryIn: number,
): void {
  const lo = (aLo + bLo + carryIn) | 0;
  const cLo = (aLo & bLo) | ((aLo | bLo) & ~lo);
  const hi = (aHi + bHi + (cLo >>> 31)) | 0;
  r[into] = lo;
  r[into + 1] = hi;
  r[F_LO] = lo;
  r[F_HI] = hi;
  r[F_CLO] = cLo & 8;
  r[F_CHI] = (aHi & bHi) | ((aHi | bHi) & ~hi);
}

export function sub64(
  r: Int32Array,
  into: number,
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
  borrowIn: number,
): void {
  const lo = (aLo - bLo - borrowIn) | 0;
  const cLo = (~aLo & bLo) | ((~aLo | bLo) & lo);
  const hi = (aHi - bHi - (cLo >>> 31)) | 0;
  r[into] = lo;
  r[into + 1] = hi;
  r[F_LO] = lo;
  r[F_HI] = hi;
  r[F_CLO] = cLo & 8;
  r[F_CHI] = (~aHi & bHi) | ((~aHi | bHi) & hi);
}

/** AND, OR, XOR, TEST: CF, OF and AF become 0. At 32 bits `hi` is `lo` again, as the lazy flags want it. */
export function logicFlags64(r: Int32Array, lo: number, hi: number): void {
  r[F_LO] = lo;
  r[F_HI] = hi;
  r[F_CLO] = 0;
  r[F_CHI] = 0;
}

function logic64(r: Int32Array, lo: number, hi: number): void {
  r[V] = lo;
  r[V + 1] = hi;
  logicFlags64(r, lo, hi);
}

/** `size` 1, 2 or 4. The carry vector is shifted so that the operand's top bit is bit 31. */
function addNarrow(r: Int32Array, size: number, a: number, b: number, carryIn: number): void {
  const shift = 32 - (size << 3);
  const sum = (a + b + carryIn) | 0;
  const c = (a & b) | ((a | b) & ~sum);
  narrowResult(r, shift, sum, c);
}

function subNarrow(r: Int32Array, size: number, a: number, b: number, borrowIn: number): void {
  const shift = 32 - (size << 3);
  const difference = (a - b - borrowIn) | 0;
  const c = (~a & b) | ((~a | b) & difference);
  narrowResult(r, shift, difference, c);
}

function narrowResult(r: Int32Array, shift: number, value: number, carries: number): void {
  const top = value << shift;
  const masked = top >>> shift;
  r[V] = masked;
  r[V + 1] = 0;
  r[F_LO] = masked;
  r[F_HI] = top;
  r[F_CLO] = carries & 8;
  r[F_CHI] = carries << shift;
}

function logicNarrow(r: Int32Array, size: number, value: number): void {
  narrowResult(r, 32 - (size << 3), value, 0);
}

/** A op B into V with flags, any size; CMP and TEST leave a V that nobody stores. */
export function alu(
  r: Int32Array,
  kind: number,
  size: number,
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
): void {
  const wide = size === 8;
  switch (kind) {
    case 0:
      return wide ? add64(r, V, aLo, aHi, bLo, bHi, 0) : addNarrow(r, size, aLo, bLo, 0);
    case 1:
      return wide ? logic64(r, aLo | bLo, aHi | bHi) : logicNarrow(r, size, aLo | bLo);
    case 2:
      return wide ? add64(r, V, aLo, aHi, bLo, bHi, carry(r)) : addNarrow(r, size, aLo, bLo, carry(r));
    case 3:
      return wide ? sub64(r, V, aLo, aHi, bLo, bHi, carry(r)) : subNarrow(r, size, aLo, bLo, carry(r));
    case 6:
      return wide ? logic64(r, aLo ^ bLo, aHi ^ bHi) : logicNarrow(r, size, aLo ^ bLo);
    case 5:
    case 7:
      return wide ? sub64(r, V, aLo, aHi, bLo, bHi, 0) : subNarrow(r, size, aLo, bLo, 0);
    default:
      return wide ? logic64(r, aLo & bLo, aHi & bHi) : logicNarrow(r, size, aLo & bLo);
  }
}

/** INC and DEC keep CF. */
export function step(r: Int32Array, size: number, aLo: number, aHi: number, up: boolean): void {
  const cf = carry(r);
  alu(r, up ? ADD : SUB, size, aLo, aHi, 1, 0);
  const chi = r[F_CHI];
  setCarryOverflow(r, cf, (chi >>> 31) ^ ((chi >>> 30) & 1));
}
