/**
 * Threads that perform tasks (piscina), and one word of shared memory that asks all of them to stop. Stopping is polite first: a task that polls
 * answers with what it has. A task that does not is cut off a little later, and its answer is `undefined`.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
// Before any thread starts: all of them inherit what makes a line about the cache be said once.
import '../../model/translate/file-cache';
import { BadInputError } from './bad-input';
import type { Answers, Envelope, Reply, SearchProgress, Task } from './tasks';

/** How long a task may take to notice that it has to stop. */
const GRACE_MS = 1500;

/** More than two gain nothing on the machines that this is made for, and make a laptop useless meanwhile. */
export function defaultWorkers(): number {
  return Math.min(2, availableParallelism());
}

export class WorkerPool {
  readonly size: number;
  readonly #piscina: Piscina;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  /** The workers start at once. `program`: what they load before there is a task. */
  constructor(size: number, program: 'worker' | 'search-worker' = 'worker') {
    this.size = size;
    this.#piscina = new Piscina({
      filename: path.join(__dirname, `${program}.js`),
      name: 'perform',
      recordTiming: false,
      minThreads: size,
      maxThreads: size,
    });
  }

  get stopped(): boolean {
    return Atomics.load(this.#stop, 0) !== 0;
  }

  /**
   * Performs a task. Undefined when the pool was stopped before the task had an answer. Throws BadInputError for bad input.
   */
  async run<K extends Task['kind']>(
    task: Extract<Task, { kind: K }>,
    transfer: MessagePort[] = [],
  ): Promise<Answers[K] | undefined> {
    if (this.stopped) return undefined;
    const envelope: Envelope = { task, stop: this.#stop };
    let reply: Reply;
    try {
      reply = await this.#piscina.run(envelope, { transferList: transfer });
    } catch (error) {
      if (this.stopped) return undefined;
      throw error;
    }
    if (reply.kind === 'bad-input') throw new BadInputError(reply.message);
    return reply.answer as Answers[K];
  }

  /** A search that reports its progress while it runs. */
  async search(
    task: Omit<Extract<Task, { kind: 'search' }>, 'kind' | 'progress'>,
    onProgress: (progress: SearchProgress) => void,
  ): Promise<Answers['search'] | undefined> {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', onProgress);
    try {
      return await this.run({ kind: 'search', ...task, progress: port2 }, [port2]);
    } finally {
      port1.close();
    }
  }

  /** Asks every task to end. */
  stop(): void {
    if (this.stopped) return;
    Atomics.store(this.#stop, 0, 1);
    setTimeout(() => void this.#piscina.destroy(), GRACE_MS).unref();
  }

  async close(): Promise<void> {
    await this.#piscina.destroy();
  }
}
