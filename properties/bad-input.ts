/**
 * What a user can get wrong: a sentence for the terminal and exit code 2, never a stack trace. Each reader of input has
 * an error class of its own; this file is the one list of them, because a class does not survive the way back from a
 * worker and the command line must tell bad input from a bug.
 */

/**
 * Bad usage or bad input. One sentence: what was expected, what was found, how to mend it; lines of details may follow.
 */
export class BadInputError extends Error {
  /** What tells it from a bug, also where the class is another one. */
  override readonly name = 'BadInputError';
  /** Further lines for the user. */
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super(message);
    this.details = details;
  }
}

/** The classes are known by their names, because their modules load what most commands do without. */
const NAMES: readonly string[] = [
  'BadInputError',
  'BootError',
  'CounterexampleError',
  'CpuFeatureError',
  'ElfError',
  'KernelImageError',
  'LinuxBootError',
  'LoadError',
  'ManifestError',
  'UnimplementedError',
  'UnknownSubjectError',
  'WorkerLostError',
];

/**
 * The sentence for the user, with its details on lines of their own, or undefined for an error that is a bug of ours.
 */
export function badInputMessage(error: unknown): string | undefined {
  if (!(error instanceof Error) || !NAMES.includes(error.name)) return undefined;
  const details = 'details' in error ? (error as BadInputError).details : [];
  return [error.message, ...details].map(onOneLine).join('\n');
}

/** What `badInputMessage` said, as an error again: in the thread that gets it from a worker. */
export function badInputFrom(message: string): BadInputError {
  const [sentence, ...details] = message.split('\n');
  return new BadInputError(sentence, details);
}

/** A name in a file may hold anything, and a message goes to a terminal. */
function onOneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
