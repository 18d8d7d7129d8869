/**
 * Files of computed data, a convenience: whatever goes wrong here costs only the time to compute the data again, and
 * never changes an answer.
 *
 * - The files lie in a folder of the user's, outside of any checkout, that nobody else can write to: a cache that came
 *   with a checkout was written by somebody else, and is not looked at.
 * - The name of a file is its kind and a hash of everything that its content was made from (origin.ts).
 * - Each file is sealed: | SHA-256 of format, name and content | content |. A file that was damaged, cut off, or
 *   written under another name is removed, with one line on stderr, and its content is computed anew.
 * - What is kept is data. Nothing that can be executed is; code is generated from data whose form has been checked.
 */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { Malformed } from './words';

/** A change of the seal makes every file of before worthless. */
const FORMAT = 'pti-check cache 1';
const SEAL_BYTES = 32;
const MOST_FILES = 400;

/** Says once in a process, whatever the number of its threads, that there is no cache: threads inherit the word. */
const SAID = 'pti-check: has said that it keeps nothing';
if (isMainThread) setEnvironmentData(SAID, new Int32Array(new SharedArrayBuffer(4)));

function say(line: string): void {
  process.stderr.write(`pti-check: ${line}\n`);
}

function sayOnce(line: string): void {
  const said = getEnvironmentData(SAID) as unknown as Int32Array | undefined;
  if (said === undefined || Atomics.exchange(said, 0, 1) === 0) say(line);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where the platform wants caches of this user; undefined where it names no such place. */
function userCaches(): string | undefined {
  // The XDG Base Directory Specification: a path that is not absolute is invalid and ignored.
  const named = process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME;
  if (named !== undefined && isAbsolute(named)) return named;
  const home = homedir();
  return isAbsolute(home) ? join(home, '.cache') : undefined;
}

/** Why the folder cannot be trusted, if it cannot. */
function distrust(path: string): string | undefined {
  const found = lstatSync(path);
  if (!found.isDirectory()) return 'is no folder';
  if (process.getuid === undefined) return undefined;
  if (found.uid !== process.getuid()) return 'belongs to another user';
  return (found.mode & 0o022) === 0 ? undefined : 'can be written by others (chmod 700 mends it)';
}

/** The folder that is used if it can be; it need not exist. */
export function cachePath(): string | undefined {
  const caches = userCaches();
  return caches && join(caches, 'pti-check');
}

let looked: { readonly path: string | undefined; readonly folder: string | undefined } | undefined;

function cacheFolder(): string | undefined {
  const path = cachePath();
  if (looked === undefined || looked.path !== path) looked = { path, folder: usable(path) };
  return looked.folder;
}

function usable(path: string | undefined): string | undefined {
  try {
    if (path === undefined) throw new Error('the user has no home folder');
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const reason = distrust(path);
    if (reason === undefined) return path;
    throw new Error(`${path} ${reason}`);
  } catch (error) {
    sayOnce(`nothing is kept for the next run: ${reasonOf(error)}; XDG_CACHE_HOME may name another folder`);
    return undefined;
  }
}

function sealOf(name: string, content: Uint8Array): Buffer {
  return createHash('sha256').update(`${FORMAT}\0${name}\0${content.length}\0`).update(content).digest();
}

/** Removes the oldest files, where there are too many. Another process may be doing the same. */
function prune(at: string): void {
  const files = readdirSync(at);
  if (files.length <= MOST_FILES) return;
  const byAge = files
    .map((file) => join(at, file))
    .map((file) => ({ file, age: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.age - b.age);
  for (const { file } of byAge.slice(0, MOST_FILES / 4)) rmSync(file, { force: true });
}

/** The content of a file, if it is what was written under this name; undefined for none. */
function contentOf(at: string, name: string): Buffer | undefined {
  const path = join(at, name);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') discard(path, `cannot be read (${reasonOf(error)})`);
    return undefined;
  }
  const content = bytes.subarray(SEAL_BYTES);
  if (sealOf(name, content).equals(bytes.subarray(0, SEAL_BYTES))) return content;
  discard(path, 'is damaged');
  return undefined;
}

function discard(path: string, reason: string): void {
  say(`${path} ${reason}; what it held is computed anew`);
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It will be found to be damaged again.
  }
}

/**
 * What was kept under this name, if anything. `read` makes it of the content of the file, and throws Malformed for what
 * is not of the form that it expects.
 */
export function recall<T>(name: string, read: (content: Buffer) => T): T | undefined {
  const at = cacheFolder();
  const content = at === undefined ? undefined : contentOf(at, name);
  if (at === undefined || content === undefined) return undefined;
  try {
    return read(content);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    discard(join(at, name), `is not of the form expected (${error.message})`);
    return undefined;
  }
}

/** Written beside and renamed: another process sees a whole file or none. */
export function keep(name: string, content: Uint8Array): void {
  const at = cacheFolder();
  if (at === undefined) return;
  const path = join(at, name);
  const half = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(half, Buffer.concat([sealOf(name, content), content]), { mode: 0o600 });
    renameSync(half, path);
    prune(at);
  } catch (error) {
    rmSync(half, { force: true });
    sayOnce(`nothing is kept for the next run: ${reasonOf(error)}`);
  }
}

/** Removes the files whose names end so: what they were for is then computed again. */
export function forget(ending: string): void {
  const at = cacheFolder();
  if (at === undefined) return;
  for (const file of readdirSync(at)) if (file.endsWith(ending)) rmSync(join(at, file), { force: true });
}
