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

/**
 * Starts the one worker of a search that is going to be asked for: to start and to load takes it as long as this thread
 * takes to read the command line.
 */
export function prepareForSearch(): void {
  prepared = new WorkerPool(1, 'search-worker');
}

/** The same for a proof. */
export function prepareForProof(): void {
  prepared = new WorkerPool(1, 'prove-worker');
}

/** The workers that were prepared, if they are as many; new ones otherwise. */
function poolOf(size: number): WorkerPool {
  const pool = prepared?.size === size ? prepared : new WorkerPool(size);
  prepared = undefined;
  return pool;
}

/** Runs `body` with a pool of `size` workers, and takes the pool down afterwards. */
export async function withPool<T>(size: number, body: (pool: WorkerPool) => Promise<T>): Promise<T> {
  const pool = poolOf(size);
  let since = Number.POSITIVE_INFINITY;
  const interrupt = () => {
    if (performance.now() - since > SAME_PRESS_MS) process.exit(process.exitCode ?? NO_VERDICT);
    if (pool.stopped) return;
    since = performance.now();
    note('interrupted: stopping with what there is (again: at once)');
    pool.stop();
  };
  // For good: a signal that comes while the workers go or the answer is being written must not take it away.
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await body(pool);
  } finally {
    await pool.close();
  }
}
