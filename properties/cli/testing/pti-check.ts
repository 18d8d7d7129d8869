/**
 * For tests: the built command line as a user has it, a process of its own in an empty folder; and many command lines
 * in one process.
 */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Call } from './session';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const BUILT = path.resolve(__dirname, '../../../dist/properties/cli');
const MAIN = path.join(BUILT, 'main.js');
const SESSION = path.join(BUILT, 'testing', 'session.js');

/** Wide enough that no line of an answer is folded. */
const WIDE = { ...process.env, COLUMNS: '1000' };

/**
 * Runs `pti-check` with the given words in `folder`, and with the settings of V8 that this process has. With
 * `interruptAt`, sends Ctrl-C as soon as standard error holds that text.
 */
export function ptiCheck(folder: string, words: readonly string[], interruptAt?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...process.execArgv, MAIN, ...words],
      { cwd: folder, maxBuffer: 2 ** 26, env: WIDE },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ code, stdout, stderr });
      },
    );
    if (interruptAt === undefined) return;
    let seen = '';
    child.stderr?.on('data', (text) => {
      if (seen.includes(interruptAt)) return;
      seen += text;
      if (seen.includes(interruptAt)) child.kill('SIGINT');
    });
  });
}

/**
 * A process that performs many command lines in one folder, one after the other: where what matters is what they say,
 * and not how a process starts and ends. It starts with the first call.
 */
export class Session {
  private readonly folder: string;
  private child: ChildProcess | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** One call at a time. Rejects if the process ends before it has answered. */
  run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    this.child ??= fork(SESSION, { cwd: this.folder, env: WIDE });
    const child = this.child;
    const call: Call = { words, env };
    return new Promise((resolve, reject) => {
      const lost = (code: number | null) =>
        reject(new Error(`expected an answer to "${words.join(' ')}", found that the process ended with ${code}`));
      child.once('exit', lost);
      child.once('message', (ended: Ended) => {
        child.off('exit', lost);
        resolve(ended);
      });
      child.send(call);
    });
  }

  async all(calls: readonly (readonly string[])[]): Promise<Ended[]> {
    const ended: Ended[] = [];
    for (const words of calls) ended.push(await this.run(words));
    return ended;
  }

  async close(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.disconnect();
    await exit;
  }
}

/** An empty folder, and how to remove it. */
export function emptyFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'pti-check-test-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Every file below a folder, relative to it. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}
