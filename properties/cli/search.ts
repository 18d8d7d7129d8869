/**
 * One exhaustive search, asked for and waited for.
 */
import type { Answers, SearchProgress, SearchRequest } from '../campaign/tasks';
import type { WorkerPool } from '../campaign/worker-pool';
import { grouped } from '../report/numbers';
import { rough } from './output';
import type { Searched } from './search-result';

const STOPPED: Answers['search'] = {
  exploration: { verdict: 'unknown', reason: 'interrupted', states: 0, transitions: 0, depth: 0 },
  seconds: 0,
};

/** What tells the answer; loaded when a worker has begun to look for one. */
export function searchResult(): typeof import('./search-result') {
  // biome-ignore lint/style/noCommonJs: loaded late, and by require because the first import() of a process loads node's loader of ES modules, too
  return require('./search-result');
}

export async function searchDesign(
  pool: WorkerPool,
  request: SearchRequest,
  onProgress: (progress: SearchProgress) => void,
): Promise<Searched> {
  const searching = pool.search(request, onProgress);
  const { searched } = searchResult();
  return searched(request, (await searching) ?? STOPPED);
}

/** What a terminal of 80 columns may cut off stands last. */
export function searchProgress(design: string, { states, frontier, rate, bytes, estimate }: SearchProgress): string {
  const parts = [
    `${rough(states)}${estimate === undefined ? '' : ` of ~${rough(estimate)}`} states`,
    ...(estimate === undefined || rate === 0 ? [] : [`~${grouped(Math.max(0, estimate - states) / rate)} s left`]),
    `${rough(rate)}/s`,
    `frontier ${rough(frontier)}`,
    `${grouped(bytes / 2 ** 20)} MiB`,
  ];
  return `${design}: ${parts.join(', ')}`;
}
