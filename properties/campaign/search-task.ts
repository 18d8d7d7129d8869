/** The exhaustive search as a task. */

import { exploreCompiled } from '../../model/checker/compiled/explore-compiled';
import type { Exploration } from '../../model/checker/search/explore';
import { entryModel, isOpen } from '../../model/entry-model';
import { BadInputError } from '../bad-input';
import type { SearchAnswer, SearchProgress, SearchTask, ShouldStop } from './tasks';

const OUT_OF_MEMORY: Exploration = { verdict: 'unknown', reason: 'memory', states: 0, transitions: 0, depth: 0 };

function search(task: SearchTask, shouldStop: ShouldStop): Exploration {
  const model = entryModel(task.table ?? task.design, task.bounds);
  if (model === undefined)
    throw new BadInputError(`expected a design that the abstract machine can express, found ${task.design}`);
  const { progress, memoryMiB, threads = 1, symmetry = false, por = false } = task;
  // With events that nothing counts there is no partial-order reduction: the answer says that it was not used.
  const reduces = por && model.partialOrder !== undefined;
  const options = {
    shouldStop,
    threads,
    symmetry,
    por: reduces,
    bulk: isOpen(task.bounds),
    probe: true,
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(progress === undefined ? {} : { onProgress: (p: SearchProgress) => progress.postMessage(p) }),
  };
  try {
    const found = exploreCompiled(model, options);
    return por && !reduces ? { ...found, reductions: symmetry ? ['symmetry'] : [] } : found;
  } catch (error) {
    // The machine has less memory than it was allowed to use.
    if (error instanceof RangeError && /allocation failed/i.test(error.message)) return OUT_OF_MEMORY;
    throw error;
  } finally {
    progress?.close();
  }
}

export function searchAnswer(task: SearchTask, shouldStop: ShouldStop): SearchAnswer {
  const started = performance.now();
  const exploration = search(task, shouldStop);
  return { exploration, seconds: (performance.now() - started) / 1000 };
}
