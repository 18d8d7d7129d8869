/**
 * The program of a worker thread of searches. It is let in between two levels, or two phases, so nobody waits for it to
 * start.
 */
import { parentPort } from 'node:worker_threads';
import { BulkThread } from './bulk/bulk-thread';
import type { Work } from './crew';
import { SearchThread } from './search-thread';
import { CRASHED, receive } from './shared-search';

function takePart(work: Work): void {
  const thread =
    work.kind === 'bulk' ? new BulkThread(work.plan, () => false) : new SearchThread(receive(work.shared), () => false);
  try {
    thread.join();
    thread.run();
  } catch (error) {
    // The others would wait at a barrier for ever.
    thread.stop(CRASHED);
    throw error;
  }
}

parentPort?.on('message', takePart);
