/** IN and OUT of one byte (SDM vol. 1, 5.1.9). Left out: the I/O permission bitmap, so CPL above IOPL is #GP(0). */
import type { Cpu } from '../cpu/cpu';
import { fail, iopl } from '../cpu/outcome';
import { IMM, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { CPL, RAX, RDX, VEC_GP } from '../registers';
import { UnimplementedError } from '../unimplemented';

/** A write to it takes a microsecond on a PC and does nothing else. */
const DELAY_PORT = 0x80;

function portNumber(cpu: Cpu, op: MicroOp): number {
  return op.sKind === IMM ? op.immLo & 0xff : cpu.r[RDX] & 0xffff;
}

/** Only choice ports answer: see ./bus. */
export function portIn(cpu: Cpu, op: MicroOp): Outcome {
  if (cpu.r[CPL] > iopl(cpu)) return fail(cpu, VEC_GP, 0);
  const port = portNumber(cpu, op);
  const value = cpu.outside.readPort(cpu, port);
  if (value === undefined) throw new UnimplementedError(`a read of port 0x${port.toString(16)}`, op.va);
  cpu.r[RAX] = (cpu.r[RAX] & ~0xff) | value;
  return NEXT;
}

export function portOut(cpu: Cpu, op: MicroOp): Outcome {
  if (cpu.r[CPL] > iopl(cpu)) return fail(cpu, VEC_GP, 0);
  const port = portNumber(cpu, op);
  if (port !== DELAY_PORT) throw new UnimplementedError(`a write to port 0x${port.toString(16)}`, op.va);
  return NEXT;
}
