/**
 * The two streams. Standard output carries the answer and nothing else (with --json exactly one object); everything said on the way goes to standard error.
 */
import { performance } from 'node:perf_hooks';

const CLEAR_LINE = '\r\x1b[K';
const PROGRESS_MS = 100;

/** The answer, for people. */
export function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The answer, for scripts. */
export function sayJson(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Something on the way. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Seconds since the process was started, to the millisecond. */
export function sinceStart(): number {
  return rounded(performance.now() / 1000);
}

export function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

/** One line on the terminal that is written over again and again; silent where standard error is no terminal. */
export class ProgressLine {
  #last = 0;
  #shown = false;

  show(text: () => string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#last < PROGRESS_MS) return;
    this.#last = now;
    this.#shown = true;
    process.stderr.write(CLEAR_LINE + text().slice(0, (process.stderr.columns || 80) - 1));
  }

  clear(): void {
    if (this.#shown) process.stderr.write(CLEAR_LINE);
    this.#shown = false;
  }
}
