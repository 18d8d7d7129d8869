/**
 * Threads that perform tasks (piscina), and one word of shared memory that asks all of them to stop. Stopping is polite
 * first: a task that polls answers with what it has. A task that does not is cut off a little later, and its answer is
 * `undefined`.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
// Before any thread starts: all of them inherit what makes a line about the cache be said once.
import '../../model/checker/translate/file-cache';
import { BadInputError, badInputFrom } from '../bad-input';
import type { Answers, Envelope, Progresses, Reply, SearchProgress, Task } from './tasks';

/** How long a task may take to notice that it has to stop. */
const GRACE_MS = 1500;

/** More than two gain nothing on the machines that this is made for, and make a laptop useless meanwhile. */
export function defaultWorkers(): number {
  return Math.min(2, availableParallelism());
}

/** How often a task is begun whose worker dies under it. What a task answers does not depend on who does it. */
const ATTEMPTS = 3;

/** The worker of a task died, again and again. One sentence. */
export class WorkerLostError extends Error {
  override readonly name = 'WorkerLostError';
}

/** Kinds of tasks that tell something while they are under way. */
type Telling = keyof Progresses;

type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>;

export class WorkerPool {
  readonly size: number;
  private readonly piscina: Piscina;
  private readonly stopWord = new Int32Array(new SharedArrayBuffer(4));

  /** The workers start at once. `program`: what they load before there is a task, a file beside this one. */
  constructor(size: number, program = 'worker') {
    this.size = size;
    this.piscina = new Piscina({
      filename: path.join(__dirname, `${program}.js`),
      name: 'perform',
      recordTiming: false,
      minThreads: size,
      maxThreads: size,
    });
    // A worker that dies without a task takes nothing along, and is replaced like any other.
    this.piscina.on('error', () => {});
  }

  get stopped(): boolean {
    return Atomics.load(this.stopWord, 0) !== 0;
  }

  /**
   * Performs a task. Undefined when the pool was stopped before the task had an answer. A task whose worker dies is
   * begun again by another one. Throws BadInputError for bad input, and WorkerLostError when no worker survives the
   * task.
   */
  async run<K extends Task['kind']>(task: TaskOf<K>): Promise<Answers[K] | undefined> {
    return this.attempts<K>(task, () => this.perform(task, []));
  }

  /** The same, for a task that tells how it gets on. What a worker tells that dies is told again by the next one. */
  async runTelling<K extends Telling>(
    task: TaskOf<K>,
    onProgress: (progress: Progresses[K]) => void,
  ): Promise<Answers[K] | undefined> {
    return this.attempts<K>(task, async () => {
      const { port1, port2 } = new MessageChannel();
      port1.on('message', onProgress);
      try {
        return await this.perform({ ...task, progress: port2 }, [port2]);
      } finally {
        port1.close();
      }
    });
  }

  /** A search that reports its progress while it runs. */
  async search(
    task: Omit<TaskOf<'search'>, 'kind' | 'progress'>,
    onProgress: (progress: SearchProgress) => void,
  ): Promise<Answers['search'] | undefined> {
    return this.runTelling<'search'>({ kind: 'search', ...task }, onProgress);
  }

  private async attempts<K extends Task['kind']>(
    { kind }: Pick<Task, 'kind'>,
    perform: () => Promise<Reply>,
  ): Promise<Answers[K] | undefined> {
    // A search that needs more memory than there is needs it the next time as well, and takes long.
    const attempts = kind === 'search' ? 1 : ATTEMPTS;
    for (let attempt = 1; !this.stopped; attempt++) {
      try {
        const reply = await perform();
        if (reply.kind === 'bad-input') throw badInputFrom(reply.message);
        return reply.answer as Answers[K];
      } catch (error) {
        if (this.stopped && !(error instanceof BadInputError)) return undefined;
        const cause = causeOfDeath(error);
        if (cause === undefined) throw error;
        // Workers that die before they have a task are not replaced.
        if (attempt === attempts || this.piscina.threads.length === 0) throw lost(kind, attempt, cause);
      }
    }
    return undefined;
  }

  private perform(task: Task, transferList: MessagePort[]): Promise<Reply> {
    const envelope: Envelope = { task, stop: this.stopWord };
    return this.piscina.run(envelope, { transferList });
  }

  /** Asks every task to end. */
  stop(): void {
    if (this.stopped) return;
    Atomics.store(this.stopWord, 0, 1);
    setTimeout(() => void this.close(), GRACE_MS).unref();
  }

  async close(): Promise<void> {
    await this.piscina.destroy();
  }
}

/** Why the worker of a task died, in words; undefined for an error that it threw. */
function causeOfDeath(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out of memory';
  return /^worker exited with code/.test(error.message) ? error.message : undefined;
}

function lost(kind: Task['kind'], attempts: number, cause: string): WorkerLostError {
  const often = attempts === 1 ? '' : ` ${attempts} times`;
  return new WorkerLostError(
    `expected a worker to end its task (${kind}), found that it died${often} (${cause}); give it more memory (NODE_OPTIONS=--max-old-space-size=MIB), or begin fewer at a time`,
  );
}
