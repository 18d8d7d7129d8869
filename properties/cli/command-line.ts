/**
 * The command line. Each command has a file; here they are put together, and every error becomes one sentence and an
 * exit code.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageFolder } from '../../model/checker/package-folder';
import { BadInputError, badInputMessage } from '../bad-input';
import { DESIGNS, MUTANTS } from '../designs/registry';
import { terminalWidth } from '../report/terminal';
import { commandModule, type NamedCommand } from './command-body';
import { didYouMean } from './did-you-mean';
import { BAD_INPUT, INTERNAL } from './exit-codes';
import { commandName, note } from './output';

// biome-ignore-start lint/style/noCommonJs: loaded late, and by require because the first import() of a process loads node's loader of ES modules, too
const COMMANDS: readonly NamedCommand[] = [
  {
    name: '$0',
    describe: 'check every design on both machines, against what it declares',
    body: () => (require('./check-command') as typeof import('./check-command')).checkCommand,
  },
  {
    name: 'verify',
    describe: 'search the abstract machine of a design exhaustively',
    body: () => (require('./verify-command') as typeof import('./verify-command')).verifyCommand,
  },
  {
    name: 'prove',
    describe: 'prove a design for any number of CPUs, tasks and events, or find what breaks it',
    body: () => (require('./prove-command') as typeof import('./prove-command')).proveCommand,
  },
  {
    name: 'fuzz',
    describe: 'run the entry code of a design under random interleavings and sweeps',
    body: () => (require('./fuzz-command') as typeof import('./fuzz-command')).fuzzCommand,
  },
  {
    name: 'kernel <image>',
    describe: 'boot a Linux kernel of yours in the emulator',
    body: () => (require('./kernel-command') as typeof import('./kernel-command')).kernelCommand,
  },
  {
    name: 'why',
    describe: 'say why each step of a design is there: what fails without it',
    body: () => (require('./why-command') as typeof import('./why-command')).whyCommand,
  },
  {
    name: 'replay <file..>',
    describe: 'replay saved counterexamples, step by step if you like',
    body: () => (require('./replay-command') as typeof import('./replay-command')).replayCommand,
  },
  {
    name: 'designs',
    describe: 'list the designs and their mutants, with what each costs',
    body: () => (require('./designs-command') as typeof import('./designs-command')).designsCommand,
  },
  {
    name: 'export',
    describe: 'print the abstract machine for another model checker (SPIN, rumur, or one of circuits)',
    body: () => (require('./export-command') as typeof import('./export-command')).exportCommand,
  },
];

function loadYargs(): typeof import('yargs') {
  return require('yargs');
}
// biome-ignore-end lint/style/noCommonJs: see above

/** The word that asks for a command. */
const wordOf = ({ name }: NamedCommand) => name.split(' ')[0];

const COMPLETION = 'completion';
const WORDS = [...COMMANDS.map(wordOf).filter((word) => word !== '$0'), COMPLETION];

const VERSION_FLAGS = ['-v', '--version'];

const PROGRAM = 'pti-check';
/** Longer lines are hard to read. */
const WIDEST_HELP = 110;

/** A mistake that yargs has found; its message is no whole sentence yet. */
class UsageError extends Error {}

const EPILOGUE =
  'pti-check asks whether x86-64 kernel entry code can be interrupted, scheduled out or migrated at any instruction without breaking page-table isolation or losing ' +
  'a frame. It asks twice: an abstract machine is searched exhaustively (verify) and proved for systems of any size (prove), and the real machine code runs under random interleavings (fuzz).\n\n' +
  'Exit codes: 0 holds, 1 violated, 2 bad usage or input, 3 no verdict, 4 diverged, 5 vacuous.';

function version(): string {
  const { version } = JSON.parse(readFileSync(path.join(packageFolder(), 'package.json'), 'utf8'));
  return String(version);
}

function parser(words: readonly string[]) {
  const called = commandName();
  // The name of a file would fill the help, and a shell completes the name that is installed.
  const isShort = called.startsWith('np') && words[0] !== COMPLETION;
  const yargs = loadYargs()(words)
    .scriptName(isShort ? called : PROGRAM)
    .locale('en')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
    });
  for (const command of COMMANDS) yargs.command(commandModule(command));
  return yargs
    .strict()
    .completion(
      COMPLETION,
      'print a script by which a shell completes commands and flags (bash, zsh)',
      (_current: string, _argv: object, byYargs: Completing, done: (completions: string[]) => void) =>
        complete(words, byYargs, done),
    )
    .version(version())
    .help()
    .alias({ h: 'help', v: 'version' })
    .epilog(EPILOGUE)
    .wrap(Math.min(WIDEST_HELP, terminalWidth()))
    .exitProcess(false)
    .fail((message, error, failing) => refuse(message, error, failing as unknown as Usage));
}

/** Asks yargs for what it would complete. */
type Completing = (onCompleted: (error: Error | null, completions: string[] | undefined) => void) => void;

/** What may stand at the end of `words`: a design, or what yargs knows. It would name the default command `$0`. */
function complete(words: readonly string[], byYargs: Completing, done: (completions: string[]) => void): void {
  if (words.at(-2) === '--design') return done([...DESIGNS, ...MUTANTS].map(({ id }) => id));
  byYargs((_error, completions = []) => done(completions.filter((word) => !word.startsWith('$0'))));
}

/** With a default command yargs would take an unknown command for an argument of that one. */
function refuseUnknownCommand(words: readonly string[]): void {
  const [first] = words;
  if (first === undefined || first.startsWith('-') || WORDS.includes(first)) return;
  throw new BadInputError(
    `expected a command (${WORDS.join(', ')}) or none, found ${JSON.stringify(first)}${didYouMean(first, WORDS) || `; ${commandName()} --help says what they do`}`,
  );
}

/** What yargs finds wrong with the command line is bad input; what a command throws goes on unchanged. */
function refuse(message: string | null, error: Error | undefined, usage: Usage): never {
  if (error !== undefined && error.name !== 'YError') throw error;
  const said = message ?? error?.message ?? '';
  throw new UsageError(`${said}${flagMeant(said, usage)}`);
}

/** What yargs gives to a handler of failures: `help` is the text of the command that was called. */
interface Usage {
  help(): string;
}

/** yargs suggests commands only; the flags are those that the help shows. */
function flagMeant(message: string, usage: Usage): string {
  const [, unknown] = /^Unknown argument: ([a-z][\w-]*)$/.exec(message.trim()) ?? [];
  if (unknown === undefined) return '';
  const flags = [...usage.help().matchAll(/(?<=^ .*)--([a-z-]+)(?= )/gm)].map(([, flag]) => flag);
  return didYouMean(unknown, flags).replace('mean ', 'mean --');
}

/** Does what the words of a command line say; what it answers with is on the two streams and in `process.exitCode`. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  try {
    refuseUnknownCommand(words);
    // yargs would load the default command first.
    if (words.length === 1 && VERSION_FLAGS.includes(words[0])) return void process.stdout.write(`${version()}\n`);
    // The default command would run after the script.
    if (words[0] === COMPLETION) parser(words).showCompletionScript();
    else await parser(words).parseAsync();
  } catch (error) {
    fail(error, words);
  }
}

function fail(error: unknown, words: readonly string[]): void {
  const sentence = error instanceof UsageError ? usageSentence(error.message, words) : badInputMessage(error);
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

function usageSentence(message: string, [first]: readonly string[]): string {
  const sentence = message.replace(/\s+/g, ' ').trim().replace(/\.$/, '');
  if (sentence.endsWith('?')) return sentence;
  const command = first !== undefined && WORDS.includes(first) ? ` ${first}` : '';
  return `${sentence}; ${commandName()}${command} --help says what is expected`;
}
