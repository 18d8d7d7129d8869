/**
 * Finds the TypeScript sources of the rules and their translation. A translation is kept in memory and in a file whose
 * name is a hash of every source that can influence it, so the half second that ts-morph takes is spent once after each
 * edit, and a stale answer is impossible.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SourceProgram } from './ir';

/** Folders of model/ whose files the rules may read, or that read the rules. */
const FOLDERS: readonly string[] = ['.', 'rules', 'translate', 'language'];

const inMemory = new Map<string, SourceProgram>();

/** The package's model/ folder with TypeScript in it: this file may run from there or from dist/. */
export function modelFolder(): string {
  for (let at = __dirname; dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return join(at, 'model');
  }
  throw new Error(`no package.json above ${__dirname}: the model's sources cannot be found`);
}

const isSource = (name: string) => name.endsWith('.ts') && !/\.(test|bench)\.ts$/.test(name);

function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter(isSource)
    .sort()
    .map((name) => join(folder, name));
}

/** Where the rules and the invariants of the entry model are. */
export function ruleFiles(root = modelFolder()): string[] {
  return [...sourcesIn(join(root, 'rules')), join(root, 'invariants.ts')];
}

function contentHash(root: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of [...FOLDERS.flatMap((folder) => sourcesIn(join(root, folder))), ...files]) {
    const text = readFileSync(file);
    hash.update(`${file.slice(root.length)}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 32);
}

/** A folder for generated files: in the package where it may be written, otherwise among the temporary files. */
function cacheFolder(root: string): string | undefined {
  const user = process.getuid?.() ?? 0;
  for (const folder of [join(dirname(root), 'node_modules', '.cache', 'pti-check'), join(tmpdir(), `pti-check-${user}`)]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return folder;
    } catch {
      // The next one may be writable; a cache is a convenience.
    }
  }
  return undefined;
}

function fromFile(path: string): SourceProgram | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SourceProgram;
  } catch {
    return undefined;
  }
}

/** Written beside and renamed: another process sees a whole file or none. */
function toFile(path: string, program: SourceProgram): void {
  try {
    const half = `${path}.${randomBytes(6).toString('hex')}`;
    writeFileSync(half, JSON.stringify(program));
    renameSync(half, path);
  } catch {
    // Without a cache the next process translates again.
  }
}

/** The translation of these files (by default those of the entry model), from memory, from a file, or made now. */
export function sourceProgram(files?: readonly string[], root = modelFolder()): SourceProgram {
  const sources = files ?? ruleFiles(root);
  const key = contentHash(root, sources);
  const known = inMemory.get(key);
  if (known !== undefined) return known;
  const folder = cacheFolder(root);
  const path = folder === undefined ? undefined : join(folder, `rules-${key}.json`);
  const program = (path === undefined ? undefined : fromFile(path)) ?? translate(sources, root, path);
  inMemory.set(key, program);
  return program;
}

function translate(files: readonly string[], root: string, path: string | undefined): SourceProgram {
  // Required here and not above: a process that finds a translation never loads ts-morph.
  const { readSources } = require('./front-end') as typeof import('./front-end');
  const program = readSources(files, root);
  if (path !== undefined) toFile(path, program);
  return program;
}
