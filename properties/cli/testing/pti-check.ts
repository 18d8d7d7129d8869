/**
 * For tests: the built command line as a user has it, a process of its own in an empty folder.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const BUILT = path.resolve(__dirname, '../../../dist/properties/cli');
const MAIN = path.join(BUILT, 'main.js');
const SEVERAL = path.join(BUILT, 'testing', 'several.js');

/**
 * Runs `pti-check` with the given words in `folder`. With `interruptAt`, sends Ctrl-C as soon as standard error holds
 * that text.
 */
export function ptiCheck(
  folder: string,
  words: readonly string[],
  interruptAt?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...words],
      // Wide enough that no line of an answer is folded.
      { cwd: folder, maxBuffer: 2 ** 26, env: { ...process.env, COLUMNS: '1000', ...env } },
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

/** Runs all of them, two at a time, and answers in their order. */
export async function ptiCheckAll(folder: string, calls: readonly (readonly string[])[]): Promise<Ended[]> {
  const ended: Ended[] = [];
  let next = 0;
  const lane = async () => {
    while (next < calls.length) {
      const i = next++;
      ended[i] = await ptiCheck(folder, calls[i]);
    }
  };
  await Promise.all([lane(), lane()]);
  return ended;
}

/**
 * Runs all of them one after the other in a single process: where what matters is what they say, and not how a process
 * ends.
 */
export async function ptiCheckInOne(folder: string, calls: readonly (readonly string[])[]): Promise<Ended[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [SEVERAL, JSON.stringify(calls)], {
    cwd: folder,
    maxBuffer: 2 ** 26,
    env: { ...process.env, COLUMNS: '1000' },
  });
  return JSON.parse(stdout);
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
