/**
 * 64-bit quantities as two 32-bit words, and the three forms an address takes here:
 * the hi/lo pair that registers hold, the sign-folded Number used in tables, and BigInt at the edges.
 *
 *   63          48 47                      0
 *   |  sign copies |  48-bit linear address |      canonical: bits 63..47 all equal
 *
 * A canonical address fits a Number exactly: kernel addresses become negative (`va < 0`).
 */

const TWO_32 = 4294967296;

/** Folds a canonical hi/lo pair into one Number. */
export function toVa(lo: number, hi: number): number {
  return hi * TWO_32 + (lo >>> 0);
}

export function vaLo(va: number): number {
  return va | 0;
}

/** `| 0` works modulo 2^32 for any exact integer, so the floor is the only subtle part: it carries the sign. */
export function vaHi(va: number): number {
  return Math.floor(va / TWO_32) | 0;
}

export function isCanonical(_lo: number, hi: number): boolean {
  return (hi << 16) >> 16 === hi;
}

export function toBigInt(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function bigLo(value: bigint): number {
  return Number(value & 0xffffffffn) | 0;
}

export function bigHi(value: bigint): number {
  return Number((value >> 32n) & 0xffffffffn) | 0;
}

/** Sixteen digits, as a debugger prints it. */
export function hex64(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}

export function hexVa(va: number): string {
  return hex64(vaLo(va), vaHi(va));
}

/**
 * The high word of hi:x + n, where lo = x + n modulo 2^32 and 0 <= n < 2^32: the sum of the low words has carried if
 * and only if lo < n, so it is hi + (lo < n). Of a sum of two pairs it is the high word if `hi` is the sum of both.
 */
export function sumHigh(hi: number, lo: number, n: number): number {
  return (hi + (lo >>> 0 < n >>> 0 ? 1 : 0)) | 0;
}

/** The high word of hi:lo - n, where 0 <= n < 2^32: hi - (lo < n). The same holds for the difference of two pairs. */
export function differenceHigh(hi: number, lo: number, n: number): number {
  return (hi - (lo >>> 0 < n >>> 0 ? 1 : 0)) | 0;
}
