/**
 * The arithmetic of the SDM's pseudo-code in BigInt, written for clarity and sharing nothing with the emulator: the
 * oracle of the arithmetic tests. `undefinedFlags` are those that the manual leaves undefined; tests ignore them.
 */
export interface Result {
  value: bigint;
  flags: number;
  undefinedFlags: number;
}

const CF = 1,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  OF = 0x800;
export const STATUS = CF | PF | AF | ZF | SF | OF;

export function maskOf(size: number): bigint {
  return (1n << BigInt(size * 8)) - 1n;
}

export function signed(size: number, value: bigint): bigint {
  return BigInt.asIntN(size * 8, value);
}

function resultFlags(size: number, value: bigint): number {
  let ones = 0;
  for (let i = 0n; i < 8n; i++) ones += Number((value >> i) & 1n);
  const parity = ones % 2 === 0 ? PF : 0;
  return parity | (value === 0n ? ZF : 0) | (signed(size, value) < 0n ? SF : 0);
}

export function add(size: number, a: bigint, b: bigint, carry: bigint): Result {
  const sum = a + b + carry;
  const value = sum & maskOf(size);
  const over = signed(size, a) + signed(size, b) + carry !== signed(size, value);
  const half = (a & 15n) + (b & 15n) + carry > 15n;
  const flags = resultFlags(size, value) | (sum > maskOf(size) ? CF : 0) | (over ? OF : 0) | (half ? AF : 0);
  return { value, flags, undefinedFlags: 0 };
}

export function subtract(size: number, a: bigint, b: bigint, borrow: bigint): Result {
  const value = (a - b - borrow) & maskOf(size);
  const over = signed(size, a) - signed(size, b) - borrow !== signed(size, value);
  const half = (a & 15n) < (b & 15n) + borrow;
  const flags = resultFlags(size, value) | (a < b + borrow ? CF : 0) | (over ? OF : 0) | (half ? AF : 0);
  return { value, flags, undefinedFlags: 0 };
}

function logic(size: number, value: bigint): Result {
  return { value, flags: resultFlags(size, value), undefinedFlags: AF };
}

/** Operation numbers of the opcode map: add or adc sbb and sub xor cmp. */
export function binary(kind: number, size: number, a: bigint, b: bigint, carry: bigint): Result {
  switch (kind) {
    case 0:
      return add(size, a, b, 0n);
    case 1:
      return logic(size, a | b);
    case 2:
      return add(size, a, b, carry);
    case 3:
      return subtract(size, a, b, carry);
    case 4:
      return logic(size, a & b);
    case 6:
      return logic(size, a ^ b);
    default:
      return subtract(size, a, b, 0n);
  }
}

/** One bit at a time: rol ror rcl rcr shl shr - sar. */
export function shift(kind: number, size: number, a: bigint, rawCount: number, flagsIn: number): Result {
  const bits = BigInt(size * 8);
  const count = rawCount & (size === 8 ? 63 : 31);
  if (count === 0) return { value: a, flags: flagsIn, undefinedFlags: 0 };
  let value = a;
  let cf = BigInt(flagsIn & CF);
  const top = (v: bigint) => (v >> (bits - 1n)) & 1n;
  for (let i = 0; i < count; i++) {
    const high = top(value);
    const low = value & 1n;
    const carry = cf;
    cf = kind === 0 || kind === 2 || kind === 4 ? high : low;
    if (kind === 0) value = (value << 1n) | high;
    else if (kind === 1) value = (value >> 1n) | (low << (bits - 1n));
    else if (kind === 2) value = (value << 1n) | carry;
    else if (kind === 3) value = (value >> 1n) | (carry << (bits - 1n));
    else if (kind === 4) value <<= 1n;
    else if (kind === 5) value >>= 1n;
    else value = (value >> 1n) | (high << (bits - 1n));
    value &= maskOf(size);
  }
  return { value, ...shiftFlags(kind, size, a, value, count, flagsIn, cf) };
}

function shiftFlags(kind: number, size: number, a: bigint, value: bigint, count: number, flagsIn: number, cf: bigint) {
  const bits = BigInt(size * 8);
  const bit = (v: bigint, n: bigint) => Number((v >> n) & 1n);
  const top = bit(value, bits - 1n);
  const left = kind === 0 || kind === 2 || kind === 4;
  let of = top ^ (left ? Number(cf) : bit(value, bits - 2n));
  if (kind === 5) of = bit(a, bits - 1n);
  if (kind === 7) of = 0;
  const changed = Number(cf) | (of !== 0 ? OF : 0);
  let undefinedFlags = count === 1 ? 0 : OF;
  if (kind < 4) return { flags: (flagsIn & STATUS & ~(CF | OF)) | changed, undefinedFlags };
  undefinedFlags |= AF;
  if (count > size * 8) undefinedFlags |= CF;
  return { flags: resultFlags(size, value) | changed, undefinedFlags };
}
