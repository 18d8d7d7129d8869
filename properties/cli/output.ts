/**
 * The two streams. Standard output carries the answer and nothing else (with --json exactly one object); everything
 * said on the way goes to standard error.
 */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { SingleBar } from 'cli-progress';
import { packageFolder } from '../../model/checker/package-folder';
import { foldedAnswer, terminalWidth } from '../report/terminal';

/** The answer, for people: as wide as their terminal. */
export function say(lines: readonly string[]): void {
  process.stdout.write(`${foldedAnswer(lines, terminalWidth()).join('\n')}\n`);
}

/** The answer, for scripts. */
export function sayJson(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Something on the way. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** How this command line was called, for lines that a person copies. */
export function commandName(): string {
  return nameOfCall(process.argv[1] ?? '', process.env, process.cwd(), packageFolder());
}

/**
 * What to type to call `file` (argv[1]) again: npm's words where npm started it, the bare name where the shell finds
 * it, and otherwise the file. `root` is the folder of this package. npm says in the environment what it was asked for
 * (npm_command; npm_package_json of which package).
 */
export function nameOfCall(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  root: string,
): string {
  if (env.npm_command === 'exec') return 'npx pti-check';
  if (env.npm_lifecycle_event !== undefined) {
    const ofThisPackage = env.npm_package_json === path.join(root, 'package.json');
    return ofThisPackage && env.npm_lifecycle_event === 'start' ? 'npm start --' : 'npx pti-check';
  }
  const near = path.relative(cwd, file);
  if (path.extname(file) === '.js') return `node ${near}`;
  const folders = (env.PATH ?? '').split(path.delimiter);
  if (folders.includes(path.dirname(file))) return path.basename(file);
  return near.startsWith('..') ? near : `.${path.sep}${near}`;
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

/** How often a log hears that work goes on, milliseconds. Many CI systems end a job that is silent for ten minutes. */
const HEARTBEAT_MS = 30_000;

/**
 * One line on the terminal that is drawn over and over. Where standard error is no terminal: the same as a line of its
 * own, every 30 s.
 */
export class ProgressLine {
  private readonly stream: NodeJS.WriteStream;
  private bar: SingleBar | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  private beats = 0;
  private text: () => string = () => '';

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.stream = stream;
  }

  show(text: () => string): void {
    this.text = text;
    if (!this.stream.isTTY) {
      // Work that is never done must not be kept going by its heartbeat.
      this.heartbeat ??= setInterval(() => this.beat(), HEARTBEAT_MS).unref();
      return;
    }
    if (this.bar === undefined) {
      // biome-ignore lint/style/noCommonJs: loaded late, because few processes have a terminal to draw on
      const { SingleBar } = require('cli-progress') as typeof import('cli-progress');
      this.bar = new SingleBar({ format: '{text}', clearOnComplete: true, linewrap: false, stream: this.stream });
      this.bar.start(1, 0, { text: text() });
    }
    this.bar.update({ text: text().slice(0, (this.stream.columns || 80) - 1) });
  }

  clear(): void {
    this.bar?.stop();
    this.bar = undefined;
    clearInterval(this.heartbeat);
    this.heartbeat = undefined;
  }

  private beat(): void {
    this.stream.write(`${(++this.beats * HEARTBEAT_MS) / 1000} s: ${this.text()}\n`);
  }
}

/** A word for a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w./:+@-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The flags that name files with properties of the user's. */
export function propertyWords(files: readonly string[] = []): string[] {
  return files.map((file) => `--property ${quoted(path.relative('', file))}`);
}
