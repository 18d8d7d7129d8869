/**
 * MOV to and from CR0, CR2, CR3, CR4, CR8 and debug registers, CLTS, INVLPG and INVPCID (SDM vol. 2; TLB effects: vol.
 * 3, 4.10.4.1).
 *
 *   CR3 with PCIDE=1   | 63 NOFLUSH (reads 0) | 51:12 PML4 | 11:0 PCID |
 *   CR3 with PCIDE=0   | 51:12 PML4 | .. | 4 PCD | 3 PWT | .. |
 */
import type { Cpu } from '../cpu/cpu';
import { effectiveAddress } from '../cpu/operands';
import { fail, privileged } from '../cpu/outcome';
import { FAULT, type MicroOp, NEXT, type Outcome } from '../micro-op';
import {
  APIC_TPR,
  CR0,
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR2,
  CR3,
  CR4,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_LA57,
  CR4_PAE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_UMIP,
  DR0,
  DR6,
  DR7,
  EA,
  NO_ERROR_CODE,
  V,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { UnimplementedError } from '../unimplemented';
import { isCanonical, sumHigh } from '../words';

const CR0_DEFINED = CR0_PG | CR0_CD | CR0_NW | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_TS | CR0_EM | CR0_MP | CR0_PE;
/** VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT, and the ones that matter here. */
const CR4_DEFINED = 0x7ff | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;
/** Exist in hardware, mean something here that is not implemented: LA57 VMXE SMXE OSXSAVE PKE CET PKS. */
const CR4_UNIMPLEMENTED = CR4_LA57 | 0x6000 | 0x40000 | 0x1c00000;
const NOFLUSH = 0x80000000 | 0;

/** `op.s` is the control register's number. */
export function movFromControl(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  switch (op.s) {
    case 0:
      return put(r, op.d, r[CR0], 0);
    case 2:
      return put(r, op.d, r[CR2], r[CR2 + 1]);
    case 3:
      return put(r, op.d, r[CR3], r[CR3 + 1]);
    case 4:
      return put(r, op.d, r[CR4], 0);
    default:
      return put(r, op.d, r[APIC_TPR] >> 4, 0);
  }
}

function put(r: Int32Array, register: number, lo: number, hi: number): Outcome {
  r[register] = lo;
  r[register + 1] = hi;
  return NEXT;
}

/** `op.d` is the control register's number. */
export function movToControl(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  const lo = r[op.s];
  const hi = r[op.s + 1];
  switch (op.d) {
    case 0:
      return writeCr0(cpu, op, lo, hi);
    case 2:
      return put(r, CR2, lo, hi);
    case 3:
      return writeCr3(cpu, lo, hi);
    case 4:
      return writeCr4(cpu, op, lo, hi);
    default:
      return writeCr8(cpu, lo, hi);
  }
}

function writeCr0(cpu: Cpu, op: MicroOp, lo: number, hi: number): Outcome {
  if (hi !== 0) return fail(cpu, VEC_GP, 0);
  if ((lo & CR0_PG) !== 0 && (lo & CR0_PE) === 0) return fail(cpu, VEC_GP, 0);
  if ((lo & CR0_NW) !== 0 && (lo & CR0_CD) === 0) return fail(cpu, VEC_GP, 0);
  if ((lo & CR0_PG) === 0) throw new UnimplementedError('turning paging or protection off', op.va);
  cpu.r[CR0] = (lo & CR0_DEFINED) | CR0_ET;
  cpu.derive();
  return NEXT;
}

/** Bit 63 keeps the new PCID's entries; without it every non-Global one of that PCID goes. Other PCIDs always stay. */
function writeCr3(cpu: Cpu, lo: number, hi: number): Outcome {
  const r = cpu.r;
  const pcide = (r[CR4] & CR4_PCIDE) !== 0;
  // MAXPHYADDR is 32 (mmu/page-walk): all of the high word but NOFLUSH is reserved.
  if ((hi & ~(pcide ? NOFLUSH : 0)) !== 0) return fail(cpu, VEC_GP, 0);
  r[CR3] = lo;
  r[CR3 + 1] = 0;
  if (!pcide) cpu.tlb.flushAllButGlobal();
  else if ((hi & NOFLUSH) === 0) cpu.tlb.flushPcid(lo & 0xfff);
  cpu.tlb.select(cpu.pcid());
  cpu.dropCode();
  return NEXT;
}

function writeCr4(cpu: Cpu, op: MicroOp, lo: number, hi: number): Outcome {
  const r = cpu.r;
  if ((lo & CR4_UNIMPLEMENTED) !== 0) throw new UnimplementedError(`CR4 value 0x${(lo >>> 0).toString(16)}`, op.va);
  if (hi !== 0 || (lo & ~CR4_DEFINED) !== 0 || (lo & CR4_PAE) === 0) return fail(cpu, VEC_GP, 0);
  const changed = lo ^ r[CR4];
  const turnedOn = changed & lo;
  if ((turnedOn & CR4_PCIDE) !== 0 && (r[CR3] & 0xfff) !== 0) return fail(cpu, VEC_GP, 0);
  r[CR4] = lo;
  if ((changed & CR4_PGE) !== 0 || (changed & ~lo & CR4_PCIDE) !== 0) cpu.tlb.flushAll();
  else if ((turnedOn & CR4_SMEP) !== 0) cpu.tlb.flushPcid(cpu.pcid());
  cpu.tlb.select(cpu.pcid());
  cpu.derive();
  return NEXT;
}

function writeCr8(cpu: Cpu, lo: number, hi: number): Outcome {
  if (hi !== 0 || (lo & ~15) !== 0) return fail(cpu, VEC_GP, 0);
  cpu.r[APIC_TPR] = lo << 4;
  return NEXT;
}

export function clts(cpu: Cpu): Outcome {
  if (!privileged(cpu)) return FAULT;
  cpu.r[CR0] &= ~CR0_TS;
  return NEXT;
}

/** DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE makes them #UD (SDM vol. 3, 17.2.2). */
function debugRegisterExists(cpu: Cpu, number: number): boolean {
  const alias = number === 4 || number === 5;
  return !alias || (cpu.r[CR4] & CR4_DE) === 0 || cpu.raise(VEC_UD, NO_ERROR_CODE);
}

/** Debug registers are stored; a breakpoint in DR7 would have to hit, so enabling one is not implemented. */
export function movToDebug(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!debugRegisterExists(cpu, op.d) || !privileged(cpu)) return FAULT;
  const lo = r[op.s];
  if (op.d < 4) return put(r, DR0 + op.d * 2, lo, r[op.s + 1]);
  if (r[op.s + 1] !== 0) return fail(cpu, VEC_GP, 0);
  if (op.d === 6 || op.d === 4) {
    r[DR6] = (lo & 0xe00f) | DR6_FIXED;
    return NEXT;
  }
  if ((lo & 0x20ff) !== 0) throw new UnimplementedError('hardware breakpoints (DR7)', op.va);
  r[DR7] = (lo & DR7_WRITABLE) | DR7_FIXED;
  return NEXT;
}

export const DR6_FIXED = 0xffff0ff0 | 0;
const DR7_WRITABLE = 0xffff2bff | 0;
export const DR7_FIXED = 0x400;

export function movFromDebug(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!debugRegisterExists(cpu, op.s) || !privileged(cpu)) return FAULT;
  if (op.s < 4) return put(r, op.d, r[DR0 + op.s * 2], r[DR0 + op.s * 2 + 1]);
  return put(r, op.d, op.s === 6 || op.s === 4 ? r[DR6] : r[DR7], 0);
}

export function invlpg(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  effectiveAddress(r, op);
  // A non-canonical operand makes it a NOP.
  if (isCanonical(r[EA], r[EA + 1])) cpu.tlb.invalidatePage(r[EA], r[EA + 1]);
  cpu.dropCode();
  return NEXT;
}

/**
 * Descriptor in memory: PCID in bits 11:0 of the first word, linear address in the second. The type is the register
 * operand.
 */
export function invpcid(cpu: Cpu, op: MicroOp): Outcome {
  const r = cpu.r;
  if (!privileged(cpu)) return FAULT;
  effectiveAddress(r, op);
  const at = (r[EA] + 8) | 0;
  const atHi = sumHigh(r[EA + 1], at, 8);
  if (!cpu.load64(r[EA], r[EA + 1])) return FAULT;
  const pcid = r[V];
  const reserved = r[V + 1];
  if (!cpu.load64(at, atHi)) return FAULT;
  const type = r[op.d];
  if (r[op.d + 1] !== 0 || type < 0 || type > 3) return fail(cpu, VEC_GP, 0);
  if (reserved !== 0 || (pcid & ~0xfff) !== 0) return fail(cpu, VEC_GP, 0);
  if (pcid !== 0 && type < 2 && (r[CR4] & CR4_PCIDE) === 0) return fail(cpu, VEC_GP, 0);
  if (type === 0 && !isCanonical(r[V], r[V + 1])) return fail(cpu, VEC_GP, 0);
  invalidate(cpu, type, pcid, r[V], r[V + 1]);
  cpu.dropCode();
  return NEXT;
}

function invalidate(cpu: Cpu, type: number, pcid: number, lo: number, hi: number): void {
  switch (type) {
    case 0:
      return cpu.tlb.invalidatePageOf(pcid, lo, hi);
    case 1:
      return cpu.tlb.flushPcid(pcid);
    case 2:
      return cpu.tlb.flushAll();
    default:
      return cpu.tlb.flushAllButGlobal();
  }
}
