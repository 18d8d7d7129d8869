/**
 * The registers of a CPU where an event interrupts it, and how they differ when it is back. Compared is what belongs
 * to the code that was interrupted.
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
import { mayComeBackWithOtherBase } from '../safety/null-segment';

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

/** A register of two words, or of one. */
type Named = readonly [name: string, word: number];

const GENERAL: readonly Named[] = GPR_NAMES.map((name, i) => [name, 2 * i]);
const OF_KERNEL: readonly Named[] = [
  ['CS', CS],
  ['SS', SS],
  ['the privilege level', CPL],
  ['the blocking of NMIs', NMI_BLOCKED],
];
const OF_USER: readonly Named[] = [...OF_KERNEL, ['DS', DS], ['ES', ES], ['FS', FS], ['GS', GS]];

/** An NMI, or another exception with a stack of its own, of the kernel: none of them leads to other tasks. */
export function staysOnCpu(event: string, before: SavedRegisters): boolean {
  return event === 'NMI' || (event !== 'interrupt' && before.r[CPL] === 0);
}

/**
 * What has to be the same. After what stays on its CPU that is all of the CPU. A maskable interrupt may lead to other
 * tasks, and what it interrupted may come back on another CPU: then CR2, CR3 and the per-CPU area are other ones, and
 * in the kernel what is loaded at the return to user mode is, too.
 */
interface Compared {
  readonly pairs: readonly Named[];
  readonly words: readonly Named[];
  readonly fpu: boolean;
}

const ALL: Compared = {
  pairs: [
    ...GENERAL,
    ['CR2', CR2],
    ['CR3', CR3],
    ['the FS base', FS_BASE],
    ['the GS base', GS_BASE],
    ['the other GS base', KERNEL_GS_BASE],
  ],
  words: OF_USER,
  fpu: true,
};
const OF_USER_TASK: Compared = {
  pairs: [...GENERAL, ['the FS base', FS_BASE], ['the GS base', GS_BASE]],
  words: OF_USER,
  fpu: true,
};
/** Of a base: the selector. */
const SELECTORS: ReadonlyMap<number, number> = new Map([
  [FS_BASE, FS],
  [GS_BASE, GS],
]);
const OF_TASK_IN_KERNEL: Compared = { pairs: GENERAL, words: OF_KERNEL, fpu: false };

/**
 * The first difference after an event, in words; undefined if it is as if
 * nothing had happened.
 */
export function differenceOf(event: string, before: SavedRegisters, cpu: Cpu): string | undefined {
  const { r } = cpu;
  const { pairs, words, fpu } = staysOnCpu(event, before)
    ? ALL
    : before.r[CPL] === 3
      ? OF_USER_TASK
      : OF_TASK_IN_KERNEL;
  for (const [name, i] of pairs) {
    if (r[i] === before.r[i] && r[i + 1] === before.r[i + 1]) continue;
    const selector = SELECTORS.get(i);
    if (pairs === OF_USER_TASK.pairs && selector !== undefined)
      if (mayComeBackWithOtherBase(cpu, selector, before.r[i], before.r[i + 1])) continue;
    return `${name} = ${hex64(r[i], r[i + 1])}, expected ${hex64(before.r[i], before.r[i + 1])}`;
  }
  for (const [name, i] of words) {
    if (r[i] !== before.r[i]) return `${name} = ${hex(r[i])}, expected ${hex(before.r[i])}`;
  }
  // RF may have gone: it lasts for one instruction, and which one that is nobody can tell.
  if (((cpu.rflags() ^ before.rflags) & ~FLAG_RF) !== 0)
    return `RFLAGS = ${hex(cpu.rflags())}, expected ${hex(before.rflags)}`;
  for (let i = 0; fpu && i < FPU_WORDS; i++) {
    if (cpu.x[X_FPU + i] !== before.fpu[i]) return `another floating-point state, from byte ${4 * i} on`;
  }
  return undefined;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
