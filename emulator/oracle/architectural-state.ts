/**
 * The registers that two machines are compared by, in one order, and how ours are read. Names are those of QEMU's
 * target description. `cpl` is no register there: the other side answers with CS[1:0].
 */
import type { Cpu } from '../cpu/cpu';
import {
  APIC_TPR,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CS,
  DS,
  EFER,
  ES,
  FS,
  FS_BASE,
  GPR_NAMES,
  GS,
  GS_BASE,
  KERNEL_GS_BASE,
  RIP,
  SS,
} from '../registers';
import { toBigInt } from '../words';
import type { RegisterDifference } from './accepted-differences';

/** Word of `cpu.r`, and whether it is the low word of a pair. */
export type Source = readonly [name: string, word: number, pair: boolean];

export const SOURCES: readonly Source[] = [
  ...GPR_NAMES.map((name, i): Source => [name, 2 * i, true]),
  ['rip', RIP, true],
  ['cs', CS, false],
  ['ss', SS, false],
  ['ds', DS, false],
  ['es', ES, false],
  ['fs', FS, false],
  ['gs', GS, false],
  ['fs_base', FS_BASE, true],
  ['gs_base', GS_BASE, true],
  ['k_gs_base', KERNEL_GS_BASE, true],
  ['cr0', CR0, false],
  ['cr2', CR2, true],
  ['cr3', CR3, true],
  ['cr4', CR4, false],
  ['efer', EFER, false],
  ['cpl', CPL, false],
];

/** In the order of the words of a state; `eflags` and `cr8` are computed, so they come last. */
export const STATE_NAMES: readonly string[] = [...SOURCES.map(([name]) => name), 'cr8', 'eflags'];
export const STATE_WORDS = 2 * STATE_NAMES.length;

/** Register i of `STATE_NAMES` is the pair of words 2 * i, 2 * i + 1. */
export type State = Int32Array;

export function stateIndex(name: string): number {
  const index = STATE_NAMES.indexOf(name);
  if (index < 0) throw new RangeError(`expected one of ${STATE_NAMES.join(' ')}, found "${name}"`);
  return 2 * index;
}

export function readState(cpu: Cpu, into: State): void {
  const r = cpu.r;
  let i = 0;
  for (const [, word, pair] of SOURCES) {
    into[i++] = r[word];
    into[i++] = pair ? r[word + 1] : 0;
  }
  into[i++] = (r[APIC_TPR] >> 4) & 15;
  into[i++] = 0;
  into[i++] = cpu.rflags();
  into[i++] = 0;
}

export function registerValue(state: State, index: number): bigint {
  return toBigInt(state[index], state[index + 1]);
}

export function sameState(a: State, b: State): boolean {
  for (let i = 0; i < STATE_WORDS; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The registers in which two states differ. */
export function registerDifferences(ours: State, theirs: State): RegisterDifference[] {
  if (sameState(ours, theirs)) return [];
  return STATE_NAMES.map((name, i) => ({
    kind: 'register' as const,
    name,
    ours: registerValue(ours, 2 * i),
    theirs: registerValue(theirs, 2 * i),
  })).filter((difference) => difference.ours !== difference.theirs);
}
