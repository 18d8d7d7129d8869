/**
 * The two streams. Standard output carries the answer and nothing else (with --json exactly one object); everything said on the way goes to standard error.
 */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { SingleBar } from 'cli-progress';

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

/** How this command line was called, for lines that a person copies: the installed name, npm's, or node with the file. */
export function commandName(): string {
  const file = process.argv[1] ?? '';
  if (path.extname(file) !== '.js') return 'pti-check';
  return process.env.npm_lifecycle_event === 'start' ? 'npm start --' : `node ${path.relative(process.cwd(), file)}`;
}

/** Seconds since the process was started, to the millisecond. */
export function sinceStart(): number {
  return rounded(performance.now() / 1000);
}

export function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

/** Three digits and a unit, for numbers that change while one looks: 12345 as 12.3 k. */
export function rough(value: number): string {
  const thousands = value < 999.5 ? 0 : Math.min(3, Math.floor(Math.log10(Number(value.toPrecision(3))) / 3));
  const unit = ['', ' k', ' M', ' G'][thousands];
  return `${Number((value / 1000 ** thousands).toPrecision(3))}${unit}`;
}

/** One line on the terminal that is drawn over and over; silent where standard error is no terminal. */
export class ProgressLine {
  #bar: SingleBar | undefined;

  show(text: () => string): void {
    if (!process.stderr.isTTY) return;
    if (this.#bar === undefined) {
      // biome-ignore lint/style/noCommonJs: loaded late, because few processes have a terminal to draw on
      const { SingleBar } = require('cli-progress') as typeof import('cli-progress');
      this.#bar = new SingleBar({ format: '{text}', clearOnComplete: true, linewrap: false, stream: process.stderr });
      this.#bar.start(1, 0, { text: text() });
    }
    this.#bar.update({ text: text().slice(0, (process.stderr.columns || 80) - 1) });
  }

  clear(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
