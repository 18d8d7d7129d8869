/**
 * What the runs of a campaign come to. Chunks end in any order; they are added up in the order of their numbers, so
 * that a campaign of any length keeps sums and a few chunks that wait for an earlier one.
 */
import { type Found, RUNS_AFTER_DIVERGENCE, type RunsDone } from './tasks';

interface RunCounts {
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
}

interface Chunk extends RunsDone {
  /** Every run that was asked for was done. */
  readonly isWhole: boolean;
}

interface Failing {
  readonly k: number;
  readonly found: Found;
}

export class RunTally {
  /** Runs that have ended, whatever their numbers. */
  done = 0;
  private sums: RunCounts = { runs: 0, steps: 0, instructions: 0 };
  /** The first run that is not in the sums. */
  private next = 0;
  private readonly waiting = new Map<number, Chunk>();
  private violated: Failing | undefined;
  private diverged: Failing | undefined;

  /**
   * Adds the runs `first` .. `first + count - 1`. Answers what is to be reported from now on, if that has changed: the
   * lowest run that violates a property, or without one the lowest that diverges.
   */
  add(first: number, count: number, { runs, found, diverged }: RunsDone): Found | undefined {
    const before = this.reported;
    this.done += runs.length;
    if (found !== undefined) this.violated = lowest(this.violated, { k: runs[runs.length - 1].k, found });
    if (diverged !== undefined) this.diverged = lowest(this.diverged, diverged);
    this.waiting.set(first, { runs, isWhole: found === undefined && runs.length === count });
    for (let next = this.waiting.get(this.next); next?.isWhole; next = this.waiting.get(this.next)) {
      this.waiting.delete(this.next);
      this.count(next);
      this.next += next.runs.length;
    }
    return this.reported === before ? undefined : this.reported?.found;
  }

  /** The counts of the runs that had to be made for the answer, and the failure. To be asked once, at the end. */
  end(): RunCounts & { readonly found: Found | undefined } {
    for (const chunk of this.waiting.values()) this.count(chunk);
    this.waiting.clear();
    return { ...this.sums, found: this.reported?.found };
  }

  private get reported(): Failing | undefined {
    return this.violated ?? this.diverged;
  }

  /** The last run that counts: what came later depends on how fast the workers were. */
  private get last(): number {
    const afterDivergence = (this.diverged?.k ?? Number.POSITIVE_INFINITY) + RUNS_AFTER_DIVERGENCE;
    return Math.min(this.violated?.k ?? Number.POSITIVE_INFINITY, afterDivergence);
  }

  private count(chunk: RunsDone): void {
    for (const { k, steps, instructions } of chunk.runs) {
      if (k > this.last) continue;
      const sums = this.sums;
      this.sums = {
        runs: sums.runs + 1,
        steps: sums.steps + steps,
        instructions: sums.instructions + instructions,
      };
    }
  }
}

function lowest(known: Failing | undefined, other: Failing): Failing {
  return known === undefined || other.k < known.k ? other : known;
}
