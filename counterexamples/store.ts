/**
 * A folder of counterexample files. A case is written whole or not at all, and a file that is there is never changed:
 * what was found once is worth more than what is found now.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { canonicalTrace, caseFileName } from './canonical-trace';
import { CounterexampleError } from './counterexample-error';
import type { Counterexample } from './format';
import type { KernelCase } from './kernel-case';

// biome-ignore-start lint/style/noCommonJs: loaded late, because most processes save nothing, and the schema takes a tenth of a second to load
const schema = (): typeof import('./schema') => require('./schema');
const serialize = (): typeof import('./serialize') => require('./serialize');
const kernelCases = (): typeof import('./kernel-case') => require('./kernel-case');
// biome-ignore-end lint/style/noCommonJs: see above

/** Far above any trace with an embedded image; a larger file is a mistake that would only fill the memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Where a case is. */
export interface Saved {
  /** Its file. */
  readonly path: string;
  /** False if the folder already held this case; its file is untouched. */
  readonly created: boolean;
}

/**
 * Creates `folder` if need be and proves that a file can be written there, so that a long run does not end without a
 * place for its result.
 */
export function probeFolder(folder: string): void {
  try {
    makeFolder(folder);
    fs.unlinkSync(writeTemporary(folder, 'probe\n'));
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** Saves a case under its own name. Safe against other processes that save into the same folder. */
export function saveCounterexample(folder: string, c: Counterexample): Saved {
  const trace = canonicalTrace(c);
  const isThere = (file: string) => canonicalTrace(readCounterexample(file)) === trace;
  return save(folder, serialize().serializeCounterexample(c), (attempt) => caseFileName(c, attempt), isThere);
}

/** The same for a case of a kernel. */
export function saveKernelCase(folder: string, c: KernelCase): Saved {
  const { kernelCaseFileName, sameKernelCase, serializeKernelCase } = kernelCases();
  const isThere = (file: string) => {
    const other = readKernelCase(file);
    return other !== undefined && sameKernelCase(other) === sameKernelCase(c);
  };
  return save(folder, serializeKernelCase(c), (attempt) => kernelCaseFileName(c, attempt), isThere);
}

function save(
  folder: string,
  text: string,
  nameOf: (attempt: number) => string,
  isThere: (file: string) => boolean,
): Saved {
  for (let attempt = 0; ; attempt++) {
    const target = path.join(folder, nameOf(attempt));
    if (writeNew(target, text)) return { path: target, created: true };
    if (holdsCase(target, isThere)) return { path: target, created: false };
    // Another case with the same eight digits, or a file that cannot be read: neither may be overwritten.
  }
}

/**
 * Saves a case in place of one that was saved earlier by the same run of the program: the new one is on the disk before
 * the old one goes. What was in the folder before this program began stays.
 */
export function replaceCounterexample(folder: string, old: Saved, c: Counterexample): Saved {
  const saved = saveCounterexample(folder, c);
  // The same case: its file is still the one that the old one made.
  if (saved.path === old.path) return old;
  if (old.created) fs.rmSync(old.path, { force: true });
  return saved;
}

/** The case in a file. Throws CounterexampleError, which says what is wrong with it and what to do. */
export function readCounterexample(file: string): Counterexample {
  return schema().parseCounterexample(decode(readBounded(file), file), file);
}

/** The case of a kernel in a file; undefined if it is none, whatever else it is. */
export function readKernelCase(file: string): KernelCase | undefined {
  return kernelCases().parseKernelCase(decode(readBounded(file), file), file);
}

/** The paths of the cases in `folder`, in a fixed order; none if there is no such folder. */
export function listCounterexamples(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).filter((file) => file.endsWith('.json') && !file.startsWith('.'));
  return names.sort().map((file) => path.join(folder, file));
}

function readBounded(file: string): Uint8Array {
  try {
    const { size } = fs.statSync(file);
    if (size <= MAX_BYTES) return fs.readFileSync(file);
    throw unreadable(file, `expected at most ${MAX_BYTES} bytes, found ${size}; give a file that pti-check saved.`);
  } catch (error) {
    if (error instanceof CounterexampleError) throw error;
    throw unreadable(file, `expected a readable file, found ${reason(error)}; check its name and permissions.`);
  }
}

function unreadable(file: string, sentence: string): CounterexampleError {
  return new CounterexampleError('unreadable', file, sentence);
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // A flipped bit in one of ours still begins like one of ours.
    const kind = bytes[0] === 0x7b ? 'damaged' : 'foreign';
    throw new CounterexampleError(
      kind,
      file,
      'expected a counterexample (JSON text), found bytes that are no text; give a file that pti-check saved.',
    );
  }
}

function holdsCase(file: string, isThere: (file: string) => boolean): boolean {
  try {
    return isThere(file);
  } catch (error) {
    if (error instanceof CounterexampleError) return false;
    throw error;
  }
}

/** Writes `text` to `target` if there is no such file yet; says whether it did. */
function writeNew(target: string, text: string): boolean {
  const folder = path.dirname(target);
  try {
    // Kept even if another process makes the file now: placing is what decides.
    if (fs.existsSync(target)) return false;
    makeFolder(folder);
    const temporary = writeTemporary(folder, text);
    try {
      return place(temporary, target);
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/**
 * Parents included. Not by mkdir's own `recursive`, which in Node 20 never comes back where the system answers "no such
 * file" to a mkdir (below /proc).
 */
function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  makeFolder(path.dirname(path.resolve(folder)));
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    if (code(error) !== 'EEXIST') throw error;
  }
}

/** A complete file in `folder` whose bytes are on the disk. */
function writeTemporary(folder: string, text: string): string {
  const temporary = path.join(folder, `.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = fs.openSync(temporary, 'wx');
    try {
      fs.writeFileSync(handle, text);
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  return temporary;
}

/**
 * Gives the temporary file its name in one step. A hard link, unlike a rename, refuses to replace what another process
 * just put there.
 */
function place(temporary: string, target: string): boolean {
  try {
    fs.linkSync(temporary, target);
  } catch (error) {
    if (code(error) === 'EEXIST') return false;
    // A file system without hard links: a rename is as atomic, and only its race with another process is left.
    fs.renameSync(temporary, target);
  }
  syncFolder(path.dirname(target));
  return true;
}

// Makes the name as durable as the bytes; some systems cannot open a folder, and then the name follows a little later.
function syncFolder(folder: string): void {
  try {
    const handle = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return;
  }
}

function unwritable(folder: string, error: unknown): Error {
  if (error instanceof CounterexampleError || code(error) === undefined) return error as Error;
  return new CounterexampleError(
    'unwritable',
    folder,
    `expected a folder that can be written, found ${reason(error)}; give another one with --save.`,
  );
}

function code(error: unknown): string | undefined {
  // By shape, not by class: an error of node:fs may come from another realm than ours (a test runner's, say).
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const REASONS = new Map([
  ['ENOENT', 'no such file'],
  ['EACCES', 'no permission'],
  ['EPERM', 'no permission'],
  ['EROFS', 'a read-only file system'],
  ['ENOSPC', 'a full disk'],
  ['EISDIR', 'a folder'],
  ['ENOTDIR', 'a file where a folder should be'],
  ['EEXIST', 'a file where a folder should be'],
]);

function reason(error: unknown): string {
  const found = code(error);
  return found === undefined ? 'an unknown failure' : (REASONS.get(found) ?? found);
}
