/**
 * For tests: the program of a worker that dies. The seed of a campaign names a file with one line for each death that
 * is still to come: the kind of the task that it dies of. Each death takes its line away, so that the next worker finds
 * one fewer.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Envelope, Reply } from '../tasks';
import { perform as performReally } from '../worker';

export async function perform(envelope: Envelope): Promise<Reply> {
  const { task } = envelope;
  if ('seed' in task && existsSync(task.seed)) dieOnce(task.seed, task.kind);
  return performReally(envelope);
}

function dieOnce(file: string, kind: string): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  if (!lines.includes(kind)) return;
  lines.splice(lines.indexOf(kind), 1);
  writeFileSync(file, lines.join('\n'));
  process.exit(1);
}
