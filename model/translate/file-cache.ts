/**
 * Files of generated data, by a name that is a hash of everything that they were made from. A convenience: whatever goes wrong here costs only the time
 * to make the data again. Generated code is among them, so a folder that others could write to is not used.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

let folder: string | undefined | null = null;

/** The package's node_modules, where it is the package's own and not that of who installed it. */
function besideThePackage(): string[] {
  for (let at = __dirname; dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'node_modules')))
      return [join(at, 'node_modules', '.cache', 'pti-check')];
  }
  return [];
}

function isOurs(path: string): boolean {
  const { uid, mode } = statSync(path);
  return (
    (process.getuid === undefined || uid === process.getuid()) && (process.platform === 'win32' || (mode & 0o022) === 0)
  );
}

function cacheFolder(): string | undefined {
  if (folder !== null) return folder;
  for (const candidate of [...besideThePackage(), join(tmpdir(), `pti-check-${process.getuid?.() ?? 'user'}`)]) {
    try {
      mkdirSync(candidate, { recursive: true, mode: 0o700 });
      if (isOurs(candidate)) {
        folder = candidate;
        return folder;
      }
    } catch {
      // The next one may be writable.
    }
  }
  folder = undefined;
  return folder;
}

const MOST_FILES = 400;

/** Removes the oldest files, where there are too many. */
function prune(at: string): void {
  const files = readdirSync(at).map((file) => join(at, file));
  if (files.length <= MOST_FILES) return;
  const byAge = files.map((file) => ({ file, age: statSync(file).mtimeMs })).sort((a, b) => a.age - b.age);
  for (const { file } of byAge.slice(0, MOST_FILES / 4)) rmSync(file, { force: true });
}

/** What was kept under this name, if anything. */
export function kept<T>(name: string): T | undefined {
  const bytes = keptBytes(`${name}.json`);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch {
    return undefined;
  }
}

export function keep(name: string, data: unknown): void {
  keepBytes(`${name}.json`, Buffer.from(JSON.stringify(data)));
}

export function keptBytes(file: string): Buffer | undefined {
  const at = cacheFolder();
  if (at === undefined) return undefined;
  try {
    return readFileSync(join(at, file));
  } catch {
    return undefined;
  }
}

/** Written beside and renamed: another process sees a whole file or none. What is there already is not written again. */
export function keepBytes(file: string, data: Uint8Array): void {
  const at = cacheFolder();
  if (at === undefined || keptBytes(file)?.equals(data)) return;
  try {
    const path = join(at, file);
    const half = `${path}.${randomBytes(6).toString('hex')}`;
    writeFileSync(half, data);
    renameSync(half, path);
    prune(at);
  } catch {
    // The next process makes it again.
  }
}

/** Removes the files whose names end so: what they were for is then made again. */
export function forget(ending: string): void {
  const at = cacheFolder();
  if (at === undefined) return;
  for (const file of readdirSync(at)) if (file.endsWith(ending)) rmSync(join(at, file), { force: true });
}
