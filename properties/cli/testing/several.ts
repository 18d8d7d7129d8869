/**
 * For tests: several command lines in one process, one after the other, because most of what a mistaken one costs is
 * the start of a process. The command lines are a JSON array of word lists in argv[2]; the answer is a JSON array of
 * how each ended, on standard output.
 */
import { runCommandLine } from '../command-line';
import type { Ended } from './pti-check';

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

async function run(words: readonly string[]): Promise<Ended> {
  process.exitCode = 0;
  let stdout = '';
  const stderr = await kept(process.stderr, async () => {
    stdout = await kept(process.stdout, () => runCommandLine(words));
  });
  return { code: Number(process.exitCode), stdout, stderr };
}

async function main(calls: readonly (readonly string[])[]): Promise<void> {
  const ended: Ended[] = [];
  for (const words of calls) ended.push(await run(words));
  process.exitCode = 0;
  process.stdout.write(JSON.stringify(ended));
}

void main(JSON.parse(process.argv[2]));
