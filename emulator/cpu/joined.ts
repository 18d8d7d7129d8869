/**
 * Pushes, or pops, or XORs of registers with themselves that follow one another are executed as one: entry code saves,
 * clears and loads all registers. Only where nothing can come in between: no event is pending; a stack is on one page
 * of RAM that the TLB has and that holds no decoded code, and the observer agrees. Anywhere else each is executed by
 * itself, to the same effect.
 */
import { PAGE_CODE, PAGE_WATCHED } from '../memory/physical-memory';
import { IMM, JOINS_POPS, JOINS_PUSHES, type MicroOp } from '../micro-op';
import { ICOUNT, RIP, RSP } from '../registers';
import { differenceHigh } from '../words';
import { logicFlags64 } from './alu';
import type { Cpu } from './cpu';

const WORD_BYTES = 8;
const NOT_WATCHED = -1;
const NO_ADDRESS = -1;

/** Executes `op` and at most `limit - 1` that it is joined with. False: none was executed. */
export function executeJoined(cpu: Cpu, op: MicroOp, limit: number): boolean {
  const r = cpu.r;
  const count = Math.min(op.joinedCount, limit);
  if (!executeAlike(cpu, op, count)) return false;
  cpu.ahead = count - 1;
  const before = r[ICOUNT];
  r[ICOUNT] = (before + count) | 0;
  if (before < 0 && r[ICOUNT] >= 0) r[ICOUNT + 1]++;
  return true;
}

function executeAlike(cpu: Cpu, op: MicroOp, count: number): boolean {
  switch (op.joins) {
    case JOINS_PUSHES:
      return pushJoined(cpu, op, count);
    case JOINS_POPS:
      return popJoined(cpu, op, count);
    default:
      return clearJoined(cpu, op, count);
  }
}

function clearJoined({ r }: Cpu, op: MicroOp, count: number): boolean {
  let last = op;
  for (let left = count; ; left--) {
    r[last.d] = 0;
    r[last.d + 1] = 0;
    if (left === 1) break;
    last = last.joined as MicroOp;
  }
  logicFlags64(r, 0, 0);
  r[RIP] = last.nextLo;
  r[RIP + 1] = last.nextHi;
  return true;
}

function pushJoined(cpu: Cpu, op: MicroOp, count: number): boolean {
  const { r, memory, observer } = cpu;
  const bytes = count * WORD_BYTES;
  const lo = (r[RSP] - bytes) | 0;
  const hi = differenceHigh(r[RSP + 1], r[RSP], bytes);
  const pa = addressOnOnePage(cpu, lo, hi, bytes, cpu.writeMask, cpu.writeWant);
  if (pa === NO_ADDRESS) return false;
  const flags = memory.pageFlags[pa >>> 12];
  if ((flags & PAGE_CODE) !== 0) return false;
  const watched = (flags & PAGE_WATCHED) !== 0 ? pa : NOT_WATCHED;
  if (observer.joinedAccess?.(cpu, lo, hi, bytes, watched, true) !== true) return false;
  let word = (pa + bytes) >>> 2;
  let last = op;
  for (let left = count; ; left--) {
    const isConstant = last.sKind === IMM;
    word -= 2;
    memory.write32(word, isConstant ? last.immLo : r[last.s]);
    memory.write32(word + 1, isConstant ? last.immHi : r[last.s + 1]);
    if (left === 1) break;
    last = last.joined as MicroOp;
  }
  r[RSP] = lo;
  r[RSP + 1] = hi;
  r[RIP] = last.nextLo;
  r[RIP + 1] = last.nextHi;
  return true;
}

function popJoined(cpu: Cpu, op: MicroOp, count: number): boolean {
  const { r, observer } = cpu;
  const { words } = cpu.memory;
  const bytes = count * WORD_BYTES;
  const pa = addressOnOnePage(cpu, r[RSP], r[RSP + 1], bytes, cpu.readMask, cpu.readWant);
  if (pa === NO_ADDRESS) return false;
  if (observer.joinedAccess?.(cpu, r[RSP], r[RSP + 1], bytes, NOT_WATCHED, false) !== true) return false;
  let word = pa >>> 2;
  let last = op;
  for (let left = count; ; left--) {
    r[last.d] = words[word];
    r[last.d + 1] = words[word + 1];
    word += 2;
    if (left === 1) break;
    last = last.joined as MicroOp;
  }
  cpu.moveRsp(bytes);
  r[RIP] = last.nextLo;
  r[RIP + 1] = last.nextHi;
  return true;
}

/** Physical address of words that lie on one page, which the TLB has with these rights; or NO_ADDRESS. */
function addressOnOnePage(cpu: Cpu, lo: number, hi: number, bytes: number, mask: number, want: number): number {
  if ((lo & (WORD_BYTES - 1)) !== 0 || (lo & 0xfff) + bytes > 4096) return NO_ADDRESS;
  const e = cpu.tlb.entries;
  const i = cpu.tlb.base + ((lo >>> 10) & 0x3fc);
  if (e[i] !== ((lo & -4096) | cpu.tlb.gen) || e[i + 1] !== hi || (e[i + 2] & mask) !== want) return NO_ADDRESS;
  return (e[i + 2] & -4096) | (lo & 0xfff);
}
