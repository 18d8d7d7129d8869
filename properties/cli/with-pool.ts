/**
 * A command with workers: Ctrl-C (or a polite kill) asks them to stop, and the command answers with what it has. A
 * second Ctrl-C ends the process, with the exit code of what was found until then.
 */
import { WorkerPool } from '../campaign/worker-pool';
import { NO_VERDICT } from './exit-codes';
import { note } from './output';

/**
 * One Ctrl-C arrives twice where a parent (npm, timeout) passes it on to a child that the terminal has told already.
 */
const SAME_PRESS_MS = 700;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

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

/** What a signal does now; undefined until the first command with workers. */
let onSignal: (() => void) | undefined;

/** For good: a signal that comes while the workers go or the answer is being written must not end the process. */
function listen(handler: () => void): void {
  if (onSignal === undefined) for (const signal of SIGNALS) process.on(signal, () => onSignal?.());
  onSignal = handler;
}

/** Runs `body` with a pool of `size` workers, and takes the pool down afterwards (`keepWorkers` keeps it). */
export async function withPool<T>(size: number, body: (pool: WorkerPool) => Promise<T>): Promise<T> {
  const pool = await poolOf(size);
  let since = Number.POSITIVE_INFINITY;
  listen(() => {
    if (performance.now() - since > SAME_PRESS_MS) process.exit(process.exitCode ?? NO_VERDICT);
    if (pool.stopped) return;
    since = performance.now();
    note('interrupted: stopping with what there is (again: at once)');
    pool.stop();
  });
  try {
    return await body(pool);
  } finally {
    await leave(pool);
  }
}
