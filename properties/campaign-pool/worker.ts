/**
 * The program of a worker. It loads what its first task needs: a search does without the emulator, which takes longer to load than a small model to search.
 */
import { badInputMessage } from './bad-input';
import type { Answers, Envelope, Reply, ShouldStop, Task } from './tasks';

async function answerOf(task: Task, shouldStop: ShouldStop): Promise<Answers[Task['kind']]> {
  if (task.kind === 'search') return (await import('./search-task.js')).searchAnswer(task, shouldStop);
  return (await import('./campaign-tasks.js')).campaignAnswer(task, shouldStop);
}

/** The function that the pool calls. */
export async function perform({ task, stop }: Envelope): Promise<Reply> {
  try {
    return { kind: 'answer', answer: await answerOf(task, () => Atomics.load(stop, 0) !== 0) };
  } catch (error) {
    const message = badInputMessage(error);
    if (message === undefined) throw error;
    return { kind: 'bad-input', message };
  }
}
