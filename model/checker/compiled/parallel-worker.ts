/**
 * The program of a worker thread of parallel searches. It is let in when a level ends, so nobody waits for it to start.
 */
import { parentPort } from 'node:worker_threads';
import { SearchThread } from './search-thread';
import { CRASHED, receive, type Sent, type Shared } from './shared-search';

function takePart(shared: Shared): void {
  const thread = new SearchThread(shared, () => false);
  try {
    thread.join();
    thread.run();
  } catch (error) {
    // The others would wait at a barrier for ever.
    thread.stop(CRASHED);
    throw error;
  }
}

parentPort?.on('message', (sent: Sent) => takePart(receive(sent)));
