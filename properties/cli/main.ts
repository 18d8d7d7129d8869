#!/usr/bin/env node
/**
 * The command line. Each command has a file; here they are put together, and every error becomes one sentence and an exit code.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import yargs from 'yargs';
import { BadInputError, badInputMessage } from '../campaign-pool/bad-input';
import { packageRoot } from '../designs/registry';
import { command } from './command-body';
import { BAD_INPUT, INTERNAL } from './exit-codes';
import { note } from './output';

const COMMANDS = ['verify', 'fuzz', 'replay', 'designs', 'export'];

/** A mistake that yargs has found; its message is no whole sentence yet. */
class UsageError extends Error {}

const EPILOGUE =
  'pti-check asks whether x86-64 kernel entry code can be interrupted, scheduled out or migrated at any instruction without breaking page-table isolation or losing ' +
  'a frame. It asks twice: an abstract machine is searched exhaustively (verify), and the real machine code runs under random interleavings (fuzz).\n\n' +
  'Exit codes: 0 holds, 1 violated, 2 bad usage or input, 3 no verdict, 4 diverged, 5 vacuous.';

function version(): string {
  const { version } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'));
  return String(version);
}

function parser(words: readonly string[]) {
  return yargs(words)
    .scriptName('pti-check')
    .locale('en')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
    })
    .command(
      command(
        '$0',
        'check every design on both machines and print one table',
        async () => (await import('./check-command.js')).checkCommand,
      ),
    )
    .command(
      command(
        'verify',
        'search the abstract machine of a design exhaustively',
        async () => (await import('./verify-command.js')).verifyCommand,
      ),
    )
    .command(
      command(
        'fuzz',
        'run the entry code of a design under random interleavings and sweeps',
        async () => (await import('./fuzz-command.js')).fuzzCommand,
      ),
    )
    .command(
      command(
        'replay <file..>',
        'replay saved counterexamples, step by step if you like',
        async () => (await import('./replay-command.js')).replayCommand,
      ),
    )
    .command(
      command(
        'designs',
        'list the designs and their mutants, with what each costs',
        async () => (await import('./designs-command.js')).designsCommand,
      ),
    )
    .command(
      command(
        'export',
        'print the abstract machine for another model checker (SPIN, rumur)',
        async () => (await import('./export-command.js')).exportCommand,
      ),
    )
    .strict()
    .version(version())
    .help()
    .epilog(EPILOGUE)
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .fail(refuse);
}

/** With a default command yargs would take an unknown command for an argument of that one. */
function refuseUnknownCommand(words: readonly string[]): void {
  const [first] = words;
  if (first === undefined || first.startsWith('-') || COMMANDS.includes(first)) return;
  throw new BadInputError(
    `expected a command (${COMMANDS.join(', ')}) or none, found ${JSON.stringify(first)}; pti-check --help says what they do`,
  );
}

/** What yargs finds wrong with the command line is bad input; what a command throws goes on unchanged. */
function refuse(message: string | null, error: Error | undefined): never {
  if (error !== undefined && error.name !== 'YError') throw error;
  throw new UsageError(message ?? error?.message ?? '');
}

async function main(words: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', () => process.exit());
  try {
    refuseUnknownCommand(words);
    await parser(words).parseAsync();
  } catch (error) {
    fail(error, words);
  }
}

function fail(error: unknown, words: readonly string[]): void {
  const sentence = isUsageError(error) ? usageSentence(error.message, words) : badInputMessage(error);
  if (sentence === undefined) {
    note(
      `pti-check: internal error, please report it with the command line: ${error instanceof Error ? error.stack : String(error)}`,
    );
    process.exitCode = INTERNAL;
    return;
  }
  note(`pti-check: ${sentence}`);
  process.exitCode = BAD_INPUT;
}

/** While the body of a command is being loaded, yargs throws some of its own errors past `refuse`. */
function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && error.name === 'YError');
}

function usageSentence(message: string, [first]: readonly string[]): string {
  const help = first !== undefined && COMMANDS.includes(first) ? `pti-check ${first} --help` : 'pti-check --help';
  return `${message.replace(/\s+/g, ' ').trim().replace(/\.$/, '')}; ${help} says what is expected`;
}

void main(process.argv.slice(2));
