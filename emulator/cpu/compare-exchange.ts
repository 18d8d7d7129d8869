/** CMPXCHG8B and CMPXCHG16B (SDM vol. 2): two words of memory against rdx:rax, and rcx:rbx into their place. */
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import { EA, RAX, RBX, RCX, RDX, V, VEC_GP } from '../registers';
import { sumHigh } from '../words';
import type { Cpu } from './cpu';
import { setZero } from './flags';
import { effectiveAddress } from './operands';
import { fail } from './outcome';

/** Memory is written either way (with its old value on failure), so it must be writable either way. Only ZF changes. */
export function cmpxchg8b(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  effectiveAddress(r, op);
  const lo = r[EA];
  const hi = r[EA + 1];
  if (!cpu.prepareWrite(lo, hi, 8) || !cpu.load64(lo, hi)) return FAULT;
  const equal = r[V] === r[RAX] && r[V + 1] === r[RDX];
  if (!cpu.store64(lo, hi, equal ? r[RBX] : r[V], equal ? r[RCX] : r[V + 1])) return FAULT;
  if (!equal) {
    r[RAX] = r[V];
    r[RDX] = r[V + 1];
    r[RAX + 1] = 0;
    r[RDX + 1] = 0;
  }
  setZero(r, equal);
  return NEXT;
}

/** Off a boundary of 16 bytes it is #GP(0); so all of it is on one page. */
export function cmpxchg16b(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  effectiveAddress(r, op);
  const lo = r[EA];
  const hi = r[EA + 1];
  if ((lo & 15) !== 0) return fail(cpu, VEC_GP, 0);
  const upper = (lo + 8) | 0;
  const upperHi = sumHigh(hi, upper, 8);
  if (!cpu.prepareWrite(lo, hi, 8) || !cpu.prepareWrite(upper, upperHi, 8) || !cpu.load64(lo, hi)) return FAULT;
  const firstLo = r[V];
  const firstHi = r[V + 1];
  if (!cpu.load64(upper, upperHi)) return FAULT;
  const lowEqual = firstLo === r[RAX] && firstHi === r[RAX + 1];
  const equal = lowEqual && r[V] === r[RDX] && r[V + 1] === r[RDX + 1];
  if (equal) {
    if (!cpu.store64(lo, hi, r[RBX], r[RBX + 1]) || !cpu.store64(upper, upperHi, r[RCX], r[RCX + 1])) return FAULT;
  } else {
    r[RAX] = firstLo;
    r[RAX + 1] = firstHi;
    r[RDX] = r[V];
    r[RDX + 1] = r[V + 1];
  }
  setZero(r, equal);
  return NEXT;
}
