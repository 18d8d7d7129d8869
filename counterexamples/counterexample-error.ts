/**
 * What can be wrong with a counterexample file, or with the folder that should hold it. Both are bad input (exit code 2
 * on the command line), so every message is one sentence: the file, what was expected, what was found, and how to mend
 * it.
 */
export type CounterexampleErrorKind =
  | 'unreadable' // the file cannot be opened or is far too large
  | 'truncated' // it ends early
  | 'damaged' // it is ours but is not JSON any more, or contradicts the schema
  | 'foreign' // it never was one of ours
  | 'newer' // written by a later pti-check
  | 'unwritable'; // the folder cannot take a file

export class CounterexampleError extends Error {
  readonly kind: CounterexampleErrorKind;

  constructor(kind: CounterexampleErrorKind, file: string, sentence: string) {
    super(oneLine(`${file}: ${sentence}`));
    this.name = 'CounterexampleError';
    this.kind = kind;
  }
}

// What a file says may end up in a message, and a message is printed to a terminal.
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
