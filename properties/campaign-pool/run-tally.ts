/**
 * What the runs of a campaign come to. Chunks end in any order; they are added up in the order of their numbers, so that a campaign of any length keeps sums
 * and a few chunks that wait for an earlier one.
 */
import type { Found, RunsDone } from './tasks';

export interface RunCounts {
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
}

interface Chunk extends RunsDone {
  /** Every run that was asked for was done, and none failed. */
  readonly isWhole: boolean;
}

export class RunTally {
  /** Runs that have ended, whatever their numbers. */
  done = 0;
  #sums: RunCounts = { runs: 0, steps: 0, instructions: 0 };
  /** The first run that is not in the sums. */
  #next = 0;
  readonly #waiting = new Map<number, Chunk>();
  #lowest = Number.POSITIVE_INFINITY;
  #found: Found | undefined;

  /** Adds the runs `first` .. `first + count - 1`. Answers whether a failure was found, and in a lower run than any before. */
  add(first: number, count: number, { runs, found }: RunsDone): boolean {
    this.done += runs.length;
    this.#waiting.set(first, { runs, isWhole: found === undefined && runs.length === count });
    for (let next = this.#waiting.get(this.#next); next?.isWhole; next = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next);
      this.#count(next);
      this.#next += next.runs.length;
    }
    const failing = found === undefined ? Number.POSITIVE_INFINITY : runs[runs.length - 1].k;
    if (failing >= this.#lowest) return false;
    this.#lowest = failing;
    this.#found = found;
    return true;
  }

  /** The counts up to and including the lowest run that failed, and its failure. To be asked once, at the end. */
  end(): RunCounts & { readonly found: Found | undefined } {
    for (const chunk of this.#waiting.values()) this.#count(chunk);
    this.#waiting.clear();
    return { ...this.#sums, found: this.#found };
  }

  #count(chunk: RunsDone): void {
    for (const { k, steps, instructions } of chunk.runs) {
      if (k > this.#lowest) continue;
      const sums = this.#sums;
      this.#sums = {
        runs: sums.runs + 1,
        steps: sums.steps + steps,
        instructions: sums.instructions + instructions,
      };
    }
  }
}
