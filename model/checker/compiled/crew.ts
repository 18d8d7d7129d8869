/**
 * The worker threads of searches. They load while the first thread loads the model, and take part in one search after
 * the other; none of them is waited for (barrier.ts).
 */
import { Worker } from 'node:worker_threads';
import type { BulkPlan } from './bulk/bulk-plan';
import type { Sent } from './shared-search';

/** A search that workers may take part in. */
export type Work =
  | { readonly kind: 'blocks'; readonly shared: Sent }
  | { readonly kind: 'bulk'; readonly plan: BulkPlan };

const WORKER = require.resolve('./parallel-worker');

/** From the TypeScript sources (tests, benchmarks) a worker has to load the compiler hook first. */
const FROM_SOURCE = `const { workerData } = require('node:worker_threads');
require(workerData.hook).register({ target: 'es2022' });
require(workerData.worker);`;

function startWorker(): Worker {
  const worker = WORKER.endsWith('.ts')
    ? new Worker(FROM_SOURCE, {
        eval: true,
        workerData: { worker: WORKER, hook: require.resolve('esbuild-register/dist/node') },
      })
    : new Worker(WORKER);
  // The search goes on without a thread that does not start, and says with how many it was; one that fails later has
  // stopped it.
  worker.on('error', (error) => process.emitWarning(`a thread of the search ended: ${error.message}`));
  worker.unref();
  return worker;
}

/** The workers of one search after the other. They load while this thread loads the model. */
export class Crew {
  private readonly workers: readonly Worker[];

  constructor(size: number) {
    this.workers = Array.from({ length: size }, startWorker);
  }

  takePart(work: Work): void {
    for (const worker of this.workers) worker.postMessage(work);
  }

  dismiss(): void {
    for (const worker of this.workers) void worker.terminate();
  }
}
