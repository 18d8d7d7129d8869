/**
 * The registers of a CPU where an event interrupts it, and how they differ when it is back. Compared is what belongs
 * to the code that was interrupted: general registers, flags, segments, their bases, CR2, CR3 and the floating-point
 * state.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { X_FPU } from '../../emulator/extended-state';
import {
  CPL,
  CR2,
  CR3,
  CS,
  DS,
  ES,
  FLAG_RF,
  FS,
  FS_BASE,
  GPR_NAMES,
  GS,
  GS_BASE,
  KERNEL_GS_BASE,
  NMI_BLOCKED,
  SS,
} from '../../emulator/registers';
import { hex64 } from '../../emulator/words';

/** Words of the floating-point state. */
const FPU_WORDS = 128;

export interface SavedRegisters {
  readonly r: Int32Array;
  readonly fpu: Int32Array;
  readonly rflags: number;
}

export function registersOf(cpu: Cpu): SavedRegisters {
  return { r: cpu.r.slice(), fpu: cpu.x.slice(X_FPU, X_FPU + FPU_WORDS), rflags: cpu.rflags() };
}

const PAIRS: readonly (readonly [string, number])[] = [
  ...GPR_NAMES.map((name, i) => [name, 2 * i] as const),
  ['CR2', CR2],
  ['CR3', CR3],
  ['the FS base', FS_BASE],
  ['the GS base', GS_BASE],
  ['the other GS base', KERNEL_GS_BASE],
];

const WORDS: readonly (readonly [string, number])[] = [
  ['CS', CS],
  ['SS', SS],
  ['DS', DS],
  ['ES', ES],
  ['FS', FS],
  ['GS', GS],
  ['the privilege level', CPL],
  ['the blocking of NMIs', NMI_BLOCKED],
];

/** The first difference, in words; undefined if it is as if nothing had happened. */
export function differenceOf(before: SavedRegisters, cpu: Cpu): string | undefined {
  const { r } = cpu;
  for (const [name, i] of PAIRS) {
    if (r[i] === before.r[i] && r[i + 1] === before.r[i + 1]) continue;
    return `${name} = ${hex64(r[i], r[i + 1])}, expected ${hex64(before.r[i], before.r[i + 1])}`;
  }
  for (const [name, i] of WORDS) {
    if (r[i] !== before.r[i]) return `${name} = ${hex(r[i])}, expected ${hex(before.r[i])}`;
  }
  // RF may have gone: it lasts for one instruction, and which one that is nobody can tell.
  if (((cpu.rflags() ^ before.rflags) & ~FLAG_RF) !== 0)
    return `RFLAGS = ${hex(cpu.rflags())}, expected ${hex(before.rflags)}`;
  for (let i = 0; i < FPU_WORDS; i++) {
    if (cpu.x[X_FPU + i] !== before.fpu[i]) return `another floating-point state, from byte ${4 * i} on`;
  }
  return undefined;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
