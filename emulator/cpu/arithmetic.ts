/**
 * Two-operand ALU instructions in their general form, INC, DEC, NEG, NOT, XADD, CMPXCHG, and the bit tests (SDM vol.
 * 2).
 */
import { FAULT, MEM, type MicroOp, NEXT, type Outcome, REG } from '../micro-op';
import { A, B, EA, F_CHI, F_CLO, F_HI, F_LO, RAX, V } from '../registers';
import { alu, CMP, SUB, step, TEST } from './alu';
import type { Cpu } from './cpu';
import { setCarry, setCarryOverflow, setResult } from './flags';
import {
  displacedAddress,
  loadDestination,
  loadSource,
  readRegister,
  storeDestination,
  writeRegister,
} from './operands';

/** `op.sub` is the operation of ./alu. */
export function aluGeneral(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const stores = op.sub !== CMP && op.sub !== TEST;
  // A memory source is loaded first: it and a memory destination never occur together, so EA stays the destination's.
  if (!loadSource(cpu, op) || !loadDestination(cpu, op, stores)) return FAULT;
  alu(r, op.sub, op.size, r[A], r[A + 1], r[B], r[B + 1]);
  return !stores || storeDestination(cpu, op, r[V], r[V + 1]) ? NEXT : FAULT;
}

/** `op.sub` 0: INC, 1: DEC. */
export function stepGeneral(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadDestination(cpu, op, true)) return FAULT;
  step(r, op.size, r[A], r[A + 1], op.sub === 0);
  return storeDestination(cpu, op, r[V], r[V + 1]) ? NEXT : FAULT;
}

export function neg(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadDestination(cpu, op, true)) return FAULT;
  alu(r, SUB, op.size, 0, 0, r[A], r[A + 1]);
  return storeDestination(cpu, op, r[V], r[V + 1]) ? NEXT : FAULT;
}

/** The only one without flags. */
export function not(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadDestination(cpu, op, true)) return FAULT;
  return storeDestination(cpu, op, ~r[A], ~r[A + 1]) ? NEXT : FAULT;
}

/**
 * The source register gets the old destination, then the destination the sum: with both the same register the sum wins.
 */
export function xadd(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op) || !loadDestination(cpu, op, true)) return FAULT;
  alu(r, 0, op.size, r[A], r[A + 1], r[B], r[B + 1]);
  const sumLo = r[V];
  const sumHi = r[V + 1];
  if (op.dKind === MEM && !cpu.store(r[EA], r[EA + 1], op.size, sumLo, sumHi)) return FAULT;
  writeRegister(r, op.s, op.sShift, op.size, r[A], r[A + 1]);
  if (op.dKind === REG) writeRegister(r, op.d, op.dShift, op.size, sumLo, sumHi);
  return NEXT;
}

/** The destination is written either way (with its old value on failure), so it must be writable either way. */
export function cmpxchg(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op) || !loadDestination(cpu, op, true)) return FAULT;
  const size = op.size;
  alu(r, CMP, size, readRegister(r, RAX, 0, size), r[RAX + 1], r[A], r[A + 1]);
  if ((r[F_LO] | r[F_HI]) === 0) return storeDestination(cpu, op, r[B], r[B + 1]) ? NEXT : FAULT;
  if (op.dKind === MEM && !cpu.store(r[EA], r[EA + 1], size, r[A], r[A + 1])) return FAULT;
  writeRegister(r, RAX, 0, size, r[A], r[A + 1]);
  return NEXT;
}

/**
 * `op.sub` 0: BT, 1: BTS, 2: BTR, 3: BTC. With a register offset a memory operand is a bit string: the offset moves the
 * address.
 */
export function bitTest(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  const bits = op.size << 3;
  if (!loadSource(cpu, op)) return FAULT;
  const bit = r[B] & (bits - 1);
  if (op.dKind === MEM && op.sKind === REG) {
    if (!loadBitString(cpu, op)) return FAULT;
  } else if (!loadDestination(cpu, op, op.sub !== 0)) return FAULT;
  const word = A + (bit >>> 5);
  const mask = 1 << (bit & 31);
  setCarry(r, (r[word] >>> (bit & 31)) & 1);
  if (op.sub === 0) return NEXT;
  if (op.sub === 1) r[word] |= mask;
  else if (op.sub === 2) r[word] &= ~mask;
  else r[word] ^= mask;
  return storeDestination(cpu, op, r[A], r[A + 1]) ? NEXT : FAULT;
}

/** Address of the operand-sized piece that holds the (signed) bit offset. */
function loadBitString(cpu: Cpu, op: MicroOp): boolean {
  const r = cpu.r;
  const unit = op.size === 8 ? 6 : op.size === 4 ? 5 : 4;
  let lo = op.size === 2 ? (r[B] << 16) >> 16 : r[B];
  let hi = op.size === 8 ? r[B + 1] : lo >> 31;
  // Arithmetic shift right by `unit`, then scale by the unit's bytes.
  lo = (lo >>> unit) | (hi << (32 - unit));
  hi >>= unit;
  const bytes = unit - 3;
  hi = (hi << bytes) | (lo >>> (32 - bytes));
  lo <<= bytes;
  displacedAddress(r, op, lo, hi);
  if (op.sub !== 0 && !cpu.prepareWrite(r[EA], r[EA + 1], op.size)) return false;
  if (!cpu.load(r[EA], r[EA + 1], op.size)) return false;
  r[A] = r[V];
  r[A + 1] = r[V + 1];
  return true;
}

const clz32 = Math.clz32;

/** `op.sub` 0: BSF, 1: BSR. A zero source sets ZF and leaves the destination (documented for AMD, done by both). */
export function bitScan(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  const lo = r[B];
  const hi = r[B + 1];
  if ((lo | hi) === 0) {
    setResult(r, 4, 0, 0);
    setCarryOverflow(r, 0, 0);
    return NEXT;
  }
  const index = op.sub === 0 ? lowestBit(lo, hi) : highestBit(lo, hi);
  setResult(r, 4, 1, 0);
  setCarryOverflow(r, 0, 0);
  writeRegister(r, op.d, 0, op.size, index, 0);
  return NEXT;
}

function lowestBit(lo: number, hi: number): number {
  return lo !== 0 ? 31 - clz32(lo & -lo) : 63 - clz32(hi & -hi);
}

function highestBit(lo: number, hi: number): number {
  return hi !== 0 ? 63 - clz32(hi) : 31 - clz32(lo);
}

function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function popcnt(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!loadSource(cpu, op)) return FAULT;
  const count = ones(r[B]) + ones(r[B + 1]);
  // All flags are cleared but ZF, so a non-zero result must not leave its parity.
  r[F_LO] = count === 0 ? 0 : 1;
  r[F_HI] = 0;
  r[F_CHI] = 0;
  r[F_CLO] = count === 0 ? 1 : 0;
  writeRegister(r, op.d, 0, op.size, count, 0);
  return NEXT;
}
