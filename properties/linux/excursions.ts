/**
 * An excursion of the program in user mode, followed boundary by boundary from where it is announced to where the next
 * one is. Each begins in the state after the boot, so that none depends on another, and a trace of one is short.
 *
 * Shown to a visitor is every boundary of swept code on any CPU, once for each of its situations: the same instruction
 * on the same CPU, stack, page tables, GS base and flags of interruptibility is one situation. So a loop counts once,
 * and a task that waits for another by yielding does, too.
 */

import type { KernelAction } from '../../counterexamples/kernel-case';
import { joinLanes, mix, remix } from '../../emulator/hash';
import { CPL, CR3, EFLAGS, FLAG_IF, GS_BASE, NMI_BLOCKED, RIP, RSP } from '../../emulator/registers';
import type { InSteps } from './in-steps';
import type { KernelSystem } from './kernel-system';
import type { CodeClass, SweptCode } from './swept-code';

/** Longest excursion, in boundaries; those of the program are shorter by far. */
const LIMIT = 4_000_000;
/** Stacks are 16 KiB and aligned so, or smaller. */
const STACK_SHIFT = 14;

export interface Boundary {
  /** The CPU that is about to execute it. */
  readonly cpu: number;
  readonly class: Exclude<CodeClass, 'body'>;
  /** Boundaries of the excursion before it. */
  readonly at: number;
}

/** What a visitor of a boundary says: stop the excursion there, or go on. It leaves the machine as it was. */
type Visitor = (boundary: Boundary) => 'stop' | undefined;

/** How an excursion went. */
export interface Followed {
  /** Boundaries of all CPUs, and the situations in swept code among them. */
  readonly length: number;
  readonly situations: number;
  /** It came to its end, where the program announces another one. */
  readonly complete: boolean;
}

export interface ExcursionName {
  readonly name: string;
  readonly round: number;
}

/**
 * Follows an excursion; the system is in the state after the boot, and is left where the excursion ends. It pauses
 * after each visit.
 */
export function* follow(
  system: KernelSystem,
  code: SweptCode,
  excursion: ExcursionName,
  visit: Visitor,
): InSteps<Followed> {
  const { interleaving, machine } = system.linux;
  system.perform({ action: 'excursion', ...excursion });
  const seen = new Set<number>();
  system.heard = undefined;
  let at = 0;
  for (; at < LIMIT && system.heard === undefined && system.violation === undefined; at++) {
    const cpu = machine.cpus[interleaving.next()];
    const kind = code.classOf(cpu);
    if (kind !== 'body' && isNew(seen, situation(cpu.index, cpu.r))) {
      if (visit({ cpu: cpu.index, class: kind, at }) === 'stop') break;
      yield;
      system.heard = undefined;
    }
    system.step();
  }
  system.readConsole();
  return { length: at, situations: seen.size, complete: system.heard !== undefined && system.violation === undefined };
}

/** The trace that leads to a boundary of an excursion. */
export function traceTo({ name, round }: ExcursionName, at: number): KernelAction[] {
  const start = { action: 'excursion', name, round } as const;
  return at === 0 ? [start] : [start, { action: 'turns', count: at }];
}

/** Adds a number to a set, and answers whether it was not there. */
export function isNew(seen: Set<number>, key: number): boolean {
  const size = seen.size;
  seen.add(key);
  return seen.size > size;
}

function situation(cpu: number, r: Int32Array): number {
  const flags = cpu | (r[CPL] << 4) | (r[NMI_BLOCKED] << 6) | ((r[EFLAGS] & FLAG_IF) << 8);
  const words = [r[RIP], r[RSP] >>> STACK_SHIFT, r[RSP + 1], r[CR3], r[GS_BASE], r[GS_BASE + 1], flags];
  let lo = 0;
  let hi = 0;
  for (let i = 0; i < words.length; i++) {
    const term = mix(i, words[i]);
    lo = (lo + term) | 0;
    hi = (hi + remix(term)) | 0;
  }
  return joinLanes(lo, hi);
}
