/** A command with workers, which a signal asks to stop (stop-on-signal.ts). */
import { WorkerPool } from '../campaign/worker-pool';
import { stopOnSignal } from './stop-on-signal';

/** Workers that no command has taken yet. */
let prepared: WorkerPool | undefined;

let areKept = false;

/** From now on workers stay when a command ends, for the next one: for a process of many command lines. */
export function keepWorkers(): void {
  areKept = true;
}

/** Ends the workers that were kept. */
export async function endWorkers(): Promise<void> {
  await prepared?.close();
  prepared = undefined;
}

/**
 * Starts the one worker of a search that is going to be asked for: to start and to load takes it as long as this thread
 * takes to read the command line.
 */
export function prepareForSearch(): void {
  prepared ??= new WorkerPool(1, 'search-worker');
}

/** The same for a proof. */
export function prepareForProof(): void {
  prepared ??= new WorkerPool(1, 'prove-worker');
}

/** The workers that were prepared, if they are as many; new ones otherwise. */
async function poolOf(size: number): Promise<WorkerPool> {
  const pool = prepared;
  prepared = undefined;
  if (pool?.size === size) return pool;
  await pool?.close();
  return new WorkerPool(size);
}

/** Takes the pool down, or keeps it. One that was stopped does nothing more. */
async function leave(pool: WorkerPool): Promise<void> {
  if (areKept && !pool.stopped) prepared = pool;
  else await pool.close();
}

/** Runs `body` with a pool of `size` workers, and takes the pool down afterwards (`keepWorkers` keeps it). */
export async function withPool<T>(size: number, body: (pool: WorkerPool) => Promise<T>): Promise<T> {
  const pool = await poolOf(size);
  stopOnSignal(pool);
  try {
    return await body(pool);
  } finally {
    await leave(pool);
  }
}
