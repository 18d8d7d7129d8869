/**
 * For tests: a process that performs one command line after the other, because most of what a small one costs is the
 * start of a process and of its workers, which stay here. A message is a call, and is answered by how it ended; the
 * process goes when nobody listens any more.
 */
import { runCommandLine } from '../command-line';
import { endWorkers, keepWorkers } from '../with-pool';
import type { Ended } from './pti-check';

export interface Call {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

type Write = typeof process.stdout.write;

/** Does `work` while what is written to a stream is kept instead. */
async function kept(stream: NodeJS.WriteStream, work: () => Promise<void>): Promise<string> {
  const write = stream.write;
  let text = '';
  stream.write = ((chunk: string) => {
    text += chunk;
    return true;
  }) as Write;
  try {
    await work();
  } finally {
    stream.write = write;
  }
  return text;
}

async function run({ words, env }: Call): Promise<Ended> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  process.exitCode = 0;
  let stdout = '';
  const stderr = await kept(process.stderr, async () => {
    stdout = await kept(process.stdout, () => runCommandLine(words));
  });
  const code = Number(process.exitCode);
  process.exitCode = 0;
  for (const name of Object.keys(env)) delete process.env[name];
  Object.assign(process.env, before);
  return { code, stdout, stderr };
}

keepWorkers();
process.on('message', (call: Call) => void run(call).then((ended) => process.send?.(ended)));
process.on('disconnect', () => void endWorkers());
