/**
 * The program of a worker. It loads what its first task needs: a search does without the emulator, which takes longer
 * to load than a small model to search.
 */
import { badInputMessage } from '../bad-input';
import type { Answers, Envelope, Reply, ShouldStop, Task } from './tasks';

// biome-ignore-start lint/style/noCommonJs: loaded late, and by require because the first import() of a thread loads node's loader of ES modules, too
function searching(): typeof import('./search-task') {
  return require('./search-task');
}

function proving(): typeof import('./prove-task') {
  return require('./prove-task');
}

function campaigning(): typeof import('./campaign-tasks') {
  return require('./campaign-tasks');
}

function kernels(): typeof import('./kernel-task') {
  return require('./kernel-task');
}

function propertyFiles(): typeof import('./property-file') {
  return require('./property-file');
}
// biome-ignore-end lint/style/noCommonJs: see above

function answerOf(task: Task, shouldStop: ShouldStop): Answers[Task['kind']] {
  switch (task.kind) {
    case 'search':
      return searching().searchAnswer(task, shouldStop);
    case 'prove':
      return proving().proveAnswer(task);
    case 'kernel-sweep':
    case 'kernel-run':
    case 'kernel-shrink':
    case 'kernel-cover':
    case 'kernel-mutant':
      return kernels().kernelAnswer(task, shouldStop);
    default:
      return campaigning().campaignAnswer(task, shouldStop);
  }
}

/** The function that the pool calls. */
export async function perform({ task, stop }: Envelope): Promise<Reply> {
  try {
    if ('subject' in task && task.subject.properties !== undefined)
      await propertyFiles().loadProperties(task.subject.properties);
    return { kind: 'answer', answer: answerOf(task, () => Atomics.load(stop, 0) !== 0) };
  } catch (error) {
    const message = badInputMessage(error);
    if (message === undefined) throw error;
    return { kind: 'bad-input', message };
  }
}
