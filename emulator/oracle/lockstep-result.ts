/** What lock-step is asked to do, what it counts, and how it ends. */
import type { Machine } from '../machine';
import type { Difference } from './accepted-differences';

export interface LockstepOptions {
  readonly steps: number;
  readonly cpus: number;
  readonly tasks: number;
  readonly mms: number;
  /** Uniform numbers in [0, 1); the only source of choices and events. */
  readonly random: () => number;
  /** Probability of an NMI, and of an interrupt, before a step once the guest has reached user mode. */
  readonly nmiRate: number;
  readonly irqRate: number;
  /** Probability that a CPU is chosen anew before a step; until CPU 0 has reached user mode no other one runs. */
  readonly switchRate: number;
  /** One of these at random. */
  readonly vectors: readonly number[];
  /** Steps between two comparisons of all of RAM and of the descriptor-table registers. */
  readonly interval: number;
}

export interface LockstepCounts {
  steps: number;
  /** Steps until CPU 0 first reached user mode. */
  boot: number;
  /** Delivered ones; raised ones may be masked or lost. */
  nmis: number;
  irqs: number;
  faults: number;
  halts: number;
  /** How often another CPU came to run. */
  switches: number;
  /** Comparisons of all RAM. */
  wholeComparisons: number;
  /** Repaired differences by name. */
  readonly accepted: Map<string, number>;
}

/** What the first unexplained difference, or a guest that cannot go on, looks like. */
export interface LockstepEnd {
  readonly reason: 'difference' | 'halted' | 'shutdown';
  readonly step: number;
  /** The last step after which the differing state was known to be equal. */
  readonly equalAfter: number;
  /** Of the instruction at RIP before the step. */
  readonly va: number;
  readonly root: number;
  readonly event: string;
  readonly differences: readonly Difference[];
}

export interface LockstepResult {
  readonly counts: LockstepCounts;
  /** Undefined if all steps were done without an unexplained difference. */
  readonly end: LockstepEnd | undefined;
  /** Our machine as it was left. */
  readonly machine: Machine;
}

export function newCounts(): LockstepCounts {
  return {
    steps: 0,
    boot: 0,
    nmis: 0,
    irqs: 0,
    faults: 0,
    halts: 0,
    switches: 0,
    wholeComparisons: 0,
    accepted: new Map(),
  };
}
