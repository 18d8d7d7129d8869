/**
 * Where a kernel expects a #DB, and where a machine check. Both have a stack of their own, at the top of which another
 * one would begin again (SDM vol. 3, 6.14.4), so a kernel keeps them off what it does on that stack, or leaves it.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { X_MCG_EXT_CTL, X_MCG_STATUS } from '../../emulator/extended-state';
import { TSS_WORDS } from '../../emulator/linux/image/kernel-offsets';
import type { Machine } from '../../emulator/machine';
import {
  CPL,
  CR3,
  CR4,
  CR4_MCE,
  DB_PENDING,
  DR6,
  IDTR_BASE,
  NMI_BLOCKED,
  RSP,
  TR_BASE,
  VEC_DB,
  VEC_MC,
} from '../../emulator/registers';
import { LMCE_EN, LMCE_S, MCIP } from '../../emulator/system/machine-check';
import { toVa } from '../../emulator/words';

/** DR6: B0 to B3, BS (SDM vol. 3, 17.2.3). */
const DR6_TOLD = 0x400f;
const PAGE_MASK = 0xfffff000 | 0;
const GATE_BYTES = 16;
/** EXCEPTION_STKSZ of Linux. */
const STACK_BYTES = 8192;
/** From the top of a stack down to the CS of a frame without an error code that begins there. */
const CS_BELOW_TOP = 32;

/**
 * The kernel at CPL0 can be hit by a #DB. It cannot while it handles one on the stack that the gate of #DB names, or
 * has not read yet what DR6 says of one: it keeps breakpoints off what it touches until then.
 */
export function mayHitBreakpoint(machine: Machine, cpu: Cpu): boolean {
  const { r } = cpu;
  if (r[CPL] !== 0 || r[NMI_BLOCKED] !== 0 || r[DB_PENDING] !== 0 || (r[DR6] & DR6_TOLD) !== 0) return false;
  return stackInUse(machine, cpu, VEC_DB) === undefined;
}

/**
 * The kernel expects machine checks, and of one CPU alone: others make it wait for all CPUs. It does not while it
 * handles one that has hit the kernel, nor before the handler of one of user mode has cleared MCIP; from then on that
 * one is an exception like others. A trap that is pending would be lost.
 */
export function mayBeChecked(machine: Machine, cpu: Cpu): boolean {
  const { r, x, platform } = cpu;
  const status = platform.machineCheckStatus;
  const isAlone = (status & LMCE_S) === 0 || (x[X_MCG_EXT_CTL] & LMCE_EN) !== 0;
  if (status === 0 || !isAlone || (r[CR4] & CR4_MCE) === 0 || (x[X_MCG_STATUS] & MCIP) !== 0 || r[DB_PENDING] !== 0)
    return false;
  const top = r[CPL] === 3 ? undefined : stackInUse(machine, cpu, VEC_MC);
  return top === undefined || ((read(machine, cpu, top - CS_BELOW_TOP)?.lo ?? 0) & 3) === 3;
}

/** The top of the stack that the gate of a vector names, if rsp is in it. */
function stackInUse(machine: Machine, cpu: Cpu, vector: number): number | undefined {
  const { r } = cpu;
  const gate = read(machine, cpu, toVa(r[IDTR_BASE], r[IDTR_BASE + 1]) + GATE_BYTES * vector);
  const ist = (gate?.hi ?? 0) & 7;
  if (ist === 0) return undefined;
  const word = read(machine, cpu, toVa(r[TR_BASE], r[TR_BASE + 1]) + TSS_WORDS.ist + 8 * (ist - 1));
  if (word === undefined) return undefined;
  const top = toVa(word.lo, word.hi);
  const below = top - toVa(r[RSP], r[RSP + 1]);
  return below >= 0 && below < STACK_BYTES ? top : undefined;
}

function read(machine: Machine, { r }: Cpu, va: number): { lo: number; hi: number } | undefined {
  return machine.readVirtual64(r[CR3] & PAGE_MASK, va);
}
