/**
 * Status flags in the lazy form that registers.ts describes. The carry vector of an addition has, at each bit, the
 * carry out of that bit: `(a & b) | ((a | b) & ~sum)`; for a subtraction it is the borrow. CF, AF and OF all come from
 * it.
 */
import { F_CHI, F_CLO, F_HI, F_LO, FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF } from '../registers';

/** RFLAGS' six status bits. */
export function materialise(r: Int32Array): number {
  const hi = r[F_HI];
  const chi = r[F_CHI];
  let flags = chi >>> 31;
  if ((r[F_LO] | hi) === 0) flags |= FLAG_ZF;
  if ((hi ^ r[F_CLO]) < 0) flags |= FLAG_SF;
  if ((chi ^ (chi << 1)) < 0) flags |= FLAG_OF;
  if (parity(r)) flags |= FLAG_PF;
  return flags | ((r[F_CLO] & 8) << 1);
}

/** The inverse: any combination of flags, even ones that no result has (ZF with SF). */
export function loadStatus(r: Int32Array, flags: number): void {
  const zero = (flags & FLAG_ZF) !== 0;
  r[F_LO] = zero ? 0 : 1;
  r[F_HI] = 0;
  const cf = flags & FLAG_CF;
  const of = (flags & FLAG_OF) !== 0 ? 1 : 0;
  r[F_CHI] = (cf << 31) | ((cf ^ of) << 30);
  // Result byte 0 has even parity, 1 has odd: invert when that is not what was asked for.
  const wrongParity = ((flags & FLAG_PF) !== 0) !== zero ? 1 : 0;
  r[F_CLO] = ((flags & FLAG_AF) >>> 1) | ((flags & FLAG_SF) << 24) | wrongParity;
}

/** Bits 0..15 of this constant say whether a nibble has even parity. */
const EVEN_NIBBLES = 0x9669;

function parity(r: Int32Array): boolean {
  const byte = r[F_LO] ^ (r[F_CLO] & 1);
  return ((EVEN_NIBBLES >>> ((byte ^ (byte >>> 4)) & 0xf)) & 1) !== 0;
}

export function carry(r: Int32Array): number {
  return r[F_CHI] >>> 31;
}

/** Replaces CF and OF, keeps the rest. */
export function setCarryOverflow(r: Int32Array, cf: number, of: number): void {
  r[F_CHI] = (cf << 31) | ((cf ^ of) << 30);
}

export function setCarry(r: Int32Array, cf: number): void {
  const chi = r[F_CHI];
  const of = (chi >>> 31) ^ ((chi >>> 30) & 1);
  setCarryOverflow(r, cf, of);
}

/** Result flags ZF, SF, PF of a value of `size` bytes; clears AF. `lo` must be zero-extended. */
export function setResult(r: Int32Array, size: number, lo: number, hi: number): void {
  r[F_LO] = lo;
  r[F_HI] = size === 8 ? hi : lo << (32 - (size << 3));
  r[F_CLO] = 0;
}

/** Condition codes in encoding order: o no b ae e ne be a s ns p np l ge le g. */
export function condition(r: Int32Array, cc: number): boolean {
  switch (cc) {
    case 0:
      return (r[F_CHI] ^ (r[F_CHI] << 1)) < 0;
    case 1:
      return (r[F_CHI] ^ (r[F_CHI] << 1)) >= 0;
    case 2:
      return r[F_CHI] < 0;
    case 3:
      return r[F_CHI] >= 0;
    case 4:
      return (r[F_LO] | r[F_HI]) === 0;
    case 5:
      return (r[F_LO] | r[F_HI]) !== 0;
    case 6:
      return r[F_CHI] < 0 || (r[F_LO] | r[F_HI]) === 0;
    case 7:
      return r[F_CHI] >= 0 && (r[F_LO] | r[F_HI]) !== 0;
    case 8:
      return (r[F_HI] ^ r[F_CLO]) < 0;
    case 9:
      return (r[F_HI] ^ r[F_CLO]) >= 0;
    case 10:
      return parity(r);
    case 11:
      return !parity(r);
    case 12:
      return less(r);
    case 13:
      return !less(r);
    case 14:
      return less(r) || (r[F_LO] | r[F_HI]) === 0;
    default:
      return !less(r) && (r[F_LO] | r[F_HI]) !== 0;
  }
}

/** SF differs from OF. */
function less(r: Int32Array): boolean {
  return (r[F_HI] ^ r[F_CLO] ^ r[F_CHI] ^ (r[F_CHI] << 1)) < 0;
}

export function setZero(r: Int32Array, zero: boolean): void {
  loadStatus(r, (materialise(r) & ~FLAG_ZF) | (zero ? FLAG_ZF : 0));
}
