/**
 * IN and OUT (SDM vol. 1, chapter 19). At CPL above IOPL the I/O permission bitmap of the TSS decides (19.5.2). Which
 * ports there are is the platform's.
 *
 *   TSS   | .. | 66h: offset of the bitmap, 16 bits | .. | bitmap: bit n is 0 where port n is allowed | a byte of ones
 * |
 */
import type { Cpu } from '../cpu/cpu';
import { writeRegister } from '../cpu/operands';
import { iopl } from '../cpu/outcome';
import { FAULT, IMM, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { CPL, RAX, RDX, TR_BASE, TR_LIMIT, V, VEC_GP } from '../registers';
import { UnimplementedError } from '../unimplemented';
import { sumHigh } from '../words';

const BITMAP_OFFSET_AT = 0x66;

function portNumber(cpu: Cpu, op: MicroOp): number {
  return op.sKind === IMM ? op.immLo & 0xff : cpu.r[RDX] & 0xffff;
}

export function portIn(cpu: Cpu, op: MicroOp): Outcome {
  const port = portNumber(cpu, op);
  if (!allowed(cpu, port, op.size)) return FAULT;
  const value = cpu.outside.readPort(cpu, port, op.size);
  if (value === undefined) throw new UnimplementedError(`a read of port 0x${port.toString(16)}`, op.va);
  writeRegister(cpu.r, RAX, 0, op.size, value, 0);
  return NEXT;
}

export function portOut(cpu: Cpu, op: MicroOp): Outcome {
  const port = portNumber(cpu, op);
  if (!allowed(cpu, port, op.size)) return FAULT;
  const value = op.size === 4 ? cpu.r[RAX] : cpu.r[RAX] & ((1 << (op.size * 8)) - 1);
  if (!cpu.outside.writePort(cpu, port, op.size, value))
    throw new UnimplementedError(`a write to port 0x${port.toString(16)}`, op.va);
  return NEXT;
}

/** All bits of an access to several ports must be 0, within the limit of the TSS; two bytes are read, always. */
function allowed(cpu: Cpu, port: number, size: number): boolean {
  const r = cpu.r;
  if (r[CPL] <= iopl(cpu)) return true;
  const bitmap = wordOfTss(cpu, BITMAP_OFFSET_AT);
  if (bitmap < 0) return false;
  const bits = wordOfTss(cpu, bitmap + (port >>> 3));
  if (bits < 0) return false;
  const mask = ((1 << size) - 1) << (port & 7);
  return (bits & mask) === 0 || cpu.raise(VEC_GP, 0);
}

/** Two bytes of the TSS, or -1: beyond its limit (#GP(0)), or reading them faulted. */
function wordOfTss(cpu: Cpu, offset: number): number {
  const r = cpu.r;
  if (offset + 1 > r[TR_LIMIT]) {
    cpu.raise(VEC_GP, 0);
    return -1;
  }
  const low = byteOfTss(cpu, offset);
  const high = low < 0 ? -1 : byteOfTss(cpu, offset + 1);
  return high < 0 ? -1 : (high << 8) | low;
}

/** Read with the 8 aligned bytes that it lies in, which no page boundary divides. */
function byteOfTss(cpu: Cpu, offset: number): number {
  const r = cpu.r;
  const lo = (r[TR_BASE] + offset) | 0;
  if (!cpu.loadSystem64(lo & -8, sumHigh(r[TR_BASE + 1], lo, offset))) return -1;
  return (r[V + ((lo >>> 2) & 1)] >>> ((lo & 3) << 3)) & 0xff;
}
