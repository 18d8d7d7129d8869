/**
 * Reading and writing the operands of instructions that have no case of their own in the hot switch: registers of all
 * widths (AH..BH included), immediates, memory. A is the destination's old value, B the source; both are zero-extended
 * to a pair.
 */
import { IMM, MEM, type MicroOp, REG } from '../micro-op';
import { A, B, EA, V } from '../registers';
import { sumHigh } from '../words';
import type { Cpu } from './cpu';

/**
 * Effective address into EA: (base + index * scale + displacement), cut to 32 bits by a 67h prefix, plus the segment
 * base.
 */
export function effectiveAddress(r: Int32Array, op: MicroOp): void {
  const lo = (r[op.base] + op.dispLo) | 0;
  r[EA] = lo;
  r[EA + 1] = sumHigh(r[op.base + 1] + op.dispHi, lo, op.dispLo);
  if (op.complex) addIndexAndSegment(r, op);
}

/** The same for a bit string, whose bit offset moves the address by `bytesLo/bytesHi` before it is cut and based. */
export function displacedAddress(r: Int32Array, op: MicroOp, bytesLo: number, bytesHi: number): void {
  const atLo = (r[op.base] + op.dispLo) | 0;
  const atHi = sumHigh(r[op.base + 1] + op.dispHi, atLo, op.dispLo);
  const lo = (atLo + bytesLo) | 0;
  r[EA] = lo;
  r[EA + 1] = sumHigh(atHi + bytesHi, lo, bytesLo);
  if (op.complex) addIndexAndSegment(r, op);
}

function addIndexAndSegment(r: Int32Array, op: MicroOp): void {
  let lo = r[EA];
  let hi = r[EA + 1];
  if (op.index >= 0) {
    const scale = op.scale;
    const xLo = r[op.index] << scale;
    const xHi = scale === 0 ? r[op.index + 1] : (r[op.index + 1] << scale) | (r[op.index] >>> (32 - scale));
    lo = (lo + xLo) | 0;
    hi = sumHigh(hi + xHi, lo, xLo);
  }
  if (op.addr32 !== 0) hi = 0;
  if (op.seg >= 0) {
    lo = (lo + r[op.seg]) | 0;
    hi = sumHigh(hi + r[op.seg + 1], lo, r[op.seg]);
  }
  r[EA] = lo;
  r[EA + 1] = hi;
}

export function readRegister(r: Int32Array, register: number, shift: number, size: number): number {
  const word = r[register];
  return size >= 4 ? word : size === 2 ? word & 0xffff : (word >>> shift) & 0xff;
}

/** 32-bit writes clear the upper half, narrower ones keep it (SDM vol. 1, 3.4.1.1). */
export function writeRegister(
  r: Int32Array,
  register: number,
  shift: number,
  size: number,
  lo: number,
  hi: number,
): void {
  if (size === 8) {
    r[register] = lo;
    r[register + 1] = hi;
  } else if (size === 4) {
    r[register] = lo;
    r[register + 1] = 0;
  } else if (size === 2) {
    r[register] = (r[register] & ~0xffff) | (lo & 0xffff);
  } else {
    r[register] = (r[register] & ~(0xff << shift)) | ((lo & 0xff) << shift);
  }
}

/**
 * Destination into A. With `willWrite` a memory destination is checked for writing first, so that the store cannot
 * fault.
 */
export function loadDestination(cpu: Cpu, op: MicroOp, willWrite: boolean): boolean {
  const r = cpu.r;
  if (op.dKind === REG) {
    r[A] = readRegister(r, op.d, op.dShift, op.size);
    r[A + 1] = op.size === 8 ? r[op.d + 1] : 0;
    return true;
  }
  effectiveAddress(r, op);
  if (willWrite && !cpu.prepareWrite(r[EA], r[EA + 1], op.size)) return false;
  if (!cpu.load(r[EA], r[EA + 1], op.size)) return false;
  r[A] = r[V];
  r[A + 1] = r[V + 1];
  return true;
}

/** Source into B, at the width of the destination. */
export function loadSource(cpu: Cpu, op: MicroOp): boolean {
  const r = cpu.r;
  if (op.sKind === IMM) {
    r[B] = op.immLo;
    r[B + 1] = op.immHi;
    return true;
  }
  if (op.sKind === REG) {
    r[B] = readRegister(r, op.s, op.sShift, op.sSize);
    r[B + 1] = op.sSize === 8 ? r[op.s + 1] : 0;
    return true;
  }
  effectiveAddress(r, op);
  if (!cpu.load(r[EA], r[EA + 1], op.sSize)) return false;
  r[B] = r[V];
  r[B + 1] = r[V + 1];
  return true;
}

export function storeDestination(cpu: Cpu, op: MicroOp, lo: number, hi: number): boolean {
  const r = cpu.r;
  if (op.dKind === MEM) return cpu.store(r[EA], r[EA + 1], op.size, lo, hi);
  writeRegister(r, op.d, op.dShift, op.size, lo, hi);
  return true;
}
