/**
 * `pti-check replay`: saved cases, again.
 */
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Argv } from 'yargs';
import { loadProperties } from '../campaign/property-file';
import { counted } from '../report/numbers';
import { hanging, terminalWidth } from '../report/terminal';
import type { CommandBody } from './command-body';
import { BAD_INPUT, DIVERGED, HOLDS, NO_VERDICT, VIOLATED } from './exit-codes';
import { jsonFlag, propertyFlag, VALUE } from './flags';
import { note, say, sayJson } from './output';
import { type Replayed, type ReplayedFile, replayFile } from './replaying';

interface ReplayFlags {
  readonly file: string[];
  readonly property?: readonly string[] | undefined;
  readonly step: boolean;
  readonly kernel?: string | undefined;
  readonly json: boolean;
}

function options(yargs: Argv): Argv<ReplayFlags> {
  return propertyFlag(jsonFlag(yargs))
    .positional('file', { type: 'string', array: true, demandOption: true, describe: 'a counterexample file' })
    .option('step', {
      type: 'boolean',
      default: false,
      describe: 'print each step: instruction, CR3, stack, GS, and what changed',
    })
    .option('kernel', { ...VALUE, describe: 'the image of the kernel, for cases that were found in one' })
    .example('$0 replay pti-check-found/*.json', 'do they still fail?')
    .example('$0 replay --step FILE', 'follow one by hand')
    .epilog(
      'Exit code 0: every file fails as it says; 1: one runs to its end without failing (it is fixed, or the code has changed); 4: one fails in another way; 2: one cannot be read.',
    ) as unknown as Argv<ReplayFlags>;
}

/** A file that is named twice is replayed once. */
function once(files: readonly string[]): string[] {
  return [...new Map(files.map((file) => [path.resolve(file), file] as const).reverse()).values()].reverse();
}

/** The worst of 2 (invalid), 4 (diverged), 1 (passed). */
function replayExitCode(results: readonly Replayed[]): number {
  const verdicts = results.map((result) => result.verdict);
  if (verdicts.includes('invalid')) return BAD_INPUT;
  if (verdicts.includes('diverged')) return DIVERGED;
  return verdicts.includes('passed') ? VIOLATED : HOLDS;
}

function inWords({ file, verdict, property, step, message }: Replayed): string[] {
  const what = property === undefined ? verdict : `${verdict}, ${property}`;
  const when = step === undefined ? '' : ` after ${counted(step, 'step')}`;
  return [`${file}: ${what}${when}`, ...(message === undefined ? [] : hanging('  ', message, terminalWidth()))];
}

async function replay(flags: ReplayFlags): Promise<void> {
  const properties = flags.property ?? [];
  await loadProperties(properties);
  const results: Replayed[] = [];
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  for (const file of once(flags.file)) {
    // A signal is seen between two files.
    await nextTurn();
    if (interrupted) break;
    const replayed = replayFile(file, flags.step, properties, flags.kernel);
    results.push(replayed.result);
    report(flags, replayed);
  }
  process.off('SIGINT', interrupt);
  process.exitCode = interrupted ? NO_VERDICT : replayExitCode(results);
  if (flags.json) sayJson({ results });
}

function report(flags: ReplayFlags, { result, narration }: ReplayedFile): void {
  if (result.verdict === 'invalid') note(result.message ?? result.file);
  if (flags.json) for (const line of narration) note(line);
  else if (result.verdict !== 'invalid') say([...narration, ...(narration.length > 0 ? [''] : []), ...inWords(result)]);
}

export const replayCommand: CommandBody<ReplayFlags> = {
  builder: options,
  handler: replay,
};
