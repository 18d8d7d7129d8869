/**
 * A command with workers: Ctrl-C (or a polite kill) asks them to stop, and the command answers with what it has. A second Ctrl-C ends the process.
 */
import { WorkerPool } from '../campaign-pool/worker-pool';
import { NO_VERDICT } from './exit-codes';
import { note } from './output';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs `body` with a pool of `size` workers, and takes the pool down afterwards. */
export async function withPool<T>(size: number, body: (pool: WorkerPool) => Promise<T>): Promise<T> {
  const pool = new WorkerPool(size);
  const interrupt = () => {
    if (pool.stopped) process.exit(NO_VERDICT);
    note('interrupted: stopping with what there is (again: at once)');
    pool.stop();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await body(pool);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    await pool.close();
  }
}
