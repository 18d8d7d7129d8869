/**
 * From RIP to a micro-op: the page that RIP was on last is the fast path, then TLB and code cache, then the decoder.
 * Undefined means that the fetch faulted. Instructions that continue on the next page are translated on both pages
 * every time.
 */

import { DEVICE, EXECUTE, mmuAddress, NO_ADDRESS } from './cpu/access';
import { type CodePage, MAX_LENGTH } from './cpu/code-cache';
import type { Cpu } from './cpu/cpu';
import { decodeAt } from './decode/decoder';
import type { MicroOp } from './micro-op';
import { RIP } from './registers';
import { UnimplementedError } from './unimplemented';
import { sumHigh, toVa } from './words';

export function fetchOp(cpu: Cpu): MicroOp | undefined {
  const lo = cpu.r[RIP];
  if ((lo & -4096) === cpu.codeLo && cpu.r[RIP + 1] === cpu.codeHi) {
    const op = cpu.codeOps[lo & 0xfff];
    if (op !== undefined) return op;
  }
  return fetchSlow(cpu, lo, cpu.r[RIP + 1]);
}

function fetchSlow(cpu: Cpu, lo: number, hi: number): MicroOp | undefined {
  const pa = fetchAddress(cpu, lo, hi);
  if (pa === NO_ADDRESS) return undefined;
  const page = cpu.codeCache.page(pa >>> 12, lo & -4096, hi);
  cpu.codeOps = page.ops;
  cpu.codeLo = lo & -4096;
  cpu.codeHi = hi;
  const offset = lo & 0xfff;
  const known = page.ops[offset];
  if (known !== undefined) return known;
  const room = 4096 - offset;
  const op = decodeAt(cpu.memory.readBytes(pa, Math.min(room, MAX_LENGTH)), lo, hi, cpu.platform);
  if (op === undefined) return fetchCrossing(cpu, page, lo, hi, pa, room);
  introduce(cpu, op);
  page.put(offset, op);
  return op;
}

function fetchAddress(cpu: Cpu, lo: number, hi: number): number {
  const e = cpu.tlb.entries;
  const i = cpu.tlb.base + ((lo >>> 10) & 0x3fc);
  if (e[i] === ((lo & -4096) | cpu.tlb.gen) && e[i + 1] === hi && (e[i + 2] & cpu.execMask) === cpu.execWant)
    return (e[i + 2] & -4096) | (lo & 0xfff);
  const pa = mmuAddress(cpu, lo, hi, EXECUTE);
  if (pa === DEVICE)
    throw new UnimplementedError('fetching an instruction from a device or from beyond RAM', toVa(lo, hi));
  return pa;
}

/** The first page did not hold the whole instruction. */
function fetchCrossing(
  cpu: Cpu,
  page: CodePage,
  lo: number,
  hi: number,
  pa: number,
  room: number,
): MicroOp | undefined {
  const nextLo = ((lo & -4096) + 4096) | 0;
  const next = fetchAddress(cpu, nextLo, sumHigh(hi, nextLo, 4096));
  if (next === NO_ADDRESS) return undefined;
  const bytes = new Uint8Array(MAX_LENGTH);
  bytes.set(cpu.memory.readBytes(pa, room));
  bytes.set(cpu.memory.readBytes(next, MAX_LENGTH - room), room);
  const known = page.crossing.get(lo & 0xfff);
  if (known !== undefined && sameBytes(known.bytes, bytes, known.op.length)) return known.op;
  const op = decodeAt(bytes, lo, hi, cpu.platform) as MicroOp;
  introduce(cpu, op);
  page.crossing.set(lo & 0xfff, { op, bytes });
  return op;
}

/** The observer says once what it has to say about an instruction. */
function introduce(cpu: Cpu, op: MicroOp): void {
  op.tag = cpu.observer.classify(op.va);
  op.unobserved = cpu.observer.unobserved?.(op) ?? 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}
