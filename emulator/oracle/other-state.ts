/** A row of ./accepted-divergences, and what its predicate sees of the other machine. */
import { RIP } from '../registers';
import type { Difference } from './accepted-differences';
import type { Step } from './observed-cpu';

/** What is known of one divergence. */
export interface AcceptedDivergence {
  readonly name: string;
  readonly vendor: 'Intel and AMD' | 'Intel' | 'open';
  readonly section: string;
  readonly why: string;
  readonly smallestInput: string;
  explains(step: Step, theirs: OtherState): boolean;
}

/** The other machine after the step. */
export class OtherState {
  private readonly step: Step;
  private readonly differences: readonly Difference[];

  constructor(step: Step, differences: readonly Difference[]) {
    this.step = step;
    this.differences = differences;
  }

  /** Undefined: as ours. */
  register(name: string): bigint | undefined {
    for (const difference of this.differences)
      if (difference.kind === 'register' && difference.name === name) return difference.theirs;
    return undefined;
  }

  /** It has met a triple fault, and begins anew. */
  get isReset(): boolean {
    return this.register('cs') === 0xf000n;
  }

  get rip(): bigint {
    return this.register('rip') ?? this.step.cpu.get64(RIP);
  }
}

/** One row of the list. */
export function row(
  name: string,
  section: string,
  why: string,
  smallestInput: string,
  explains: AcceptedDivergence['explains'],
  vendor: AcceptedDivergence['vendor'] = 'Intel and AMD',
): AcceptedDivergence {
  return { name, vendor, section, why, smallestInput, explains };
}
