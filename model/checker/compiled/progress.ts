/**
 * Progress of a search, twice a second, with a rough estimate of what is still to come: the levels of a breadth-first
 * search grow, shrink and end, and the ratio of one to the one before falls all the while, so the fall of the last
 * levels is continued.
 */
import type { Progress } from '../search/explore';

export interface CompiledProgress extends Progress {
  /** States of the whole search, roughly; undefined while the levels do not say anything yet. */
  readonly estimate: number | undefined;
}

/** What the reporter looks at. */
export interface Observed {
  readonly states: number;
  readonly open: number;
  readonly depth: number;
  readonly bytes: number;
  readonly sizes: readonly number[];
}

interface ReportOptions {
  readonly onProgress?: (progress: CompiledProgress) => void;
  readonly shouldStop?: () => boolean;
}

const PROGRESS_MS = 500;
const LOOK_BACK = 6;
const FURTHEST = 1000;
/** An estimate of more than so many times what has been met is no estimate. */
const BOLDEST = 50;

const now = performance.now.bind(performance);

export function estimateStates(sizes: readonly number[]): number | undefined {
  const known = sizes.slice(-LOOK_BACK - 1);
  if (known.length <= LOOK_BACK) return undefined;
  const ratios = known.slice(1).map((size, i) => Math.log(size / known[i]));
  const fall = (ratios[LOOK_BACK - 1] - ratios[0]) / (LOOK_BACK - 1);
  const middle = ratios.reduce((sum, ratio) => sum + ratio, 0) / LOOK_BACK;
  let ratio = middle + (fall * (LOOK_BACK - 1)) / 2;
  if (fall >= 0 && ratio >= 0) return undefined;
  const met = sizes.reduce((sum, size) => sum + size, 0);
  let total = met;
  let size = known[known.length - 1];
  for (let level = 0; level < FURTHEST && size >= 1; level++) {
    ratio += Math.min(fall, 0);
    size *= Math.exp(ratio);
    total += size;
  }
  return total > met * BOLDEST ? undefined : Math.round(total);
}

export class Reporter {
  private readonly options: ReportOptions;
  private last = now();
  private lastStates = 0;

  constructor(options: ReportOptions) {
    this.options = options;
  }

  /** Reports if it is time to; answers whether the search is to stop. */
  poll(search: Observed): boolean {
    const { onProgress, shouldStop } = this.options;
    const elapsed = now() - this.last;
    if (onProgress !== undefined && elapsed >= PROGRESS_MS) {
      const { states, open, depth, bytes, sizes } = search;
      const rate = Math.max(0, Math.round(((states - this.lastStates) * 1000) / elapsed));
      onProgress({ states, frontier: open, depth, rate, bytes, estimate: estimateStates(sizes) });
      this.last = now();
      this.lastStates = states;
    }
    return shouldStop?.() ?? false;
  }
}
