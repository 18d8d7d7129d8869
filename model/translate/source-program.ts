/**
 * Finds the TypeScript sources of the rules and their translation. A translation is kept in memory and in a file whose
 * name is a hash of every source that can influence it, so the half second that ts-morph takes is spent once after each
 * edit, and a stale answer is impossible.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keep, kept } from './file-cache';
import type { SourceProgram } from './ir';

/** Folders of model/ whose files the rules may read, or that make code of the rules: an edit in any of them makes what is kept worthless. */
const FOLDERS: readonly string[] = [
  '.',
  'rules',
  'language',
  'translate',
  'translate/packed',
  'search',
  'search/compiled',
];

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

const hashes = new Map<string, string>();

/** A name for the contents of the sources, read once in a process. */
export function contentHash(files: readonly string[] = [], root = modelFolder()): string {
  const known = hashes.get([root, ...files].join());
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(process.version);
  for (const file of [...FOLDERS.flatMap((folder) => sourcesIn(join(root, folder))), ...files]) {
    const text = readFileSync(file);
    hash.update(`${file.slice(root.length)}\0${text.length}\0`).update(text);
  }
  const name = hash.digest('hex').slice(0, 32);
  hashes.set([root, ...files].join(), name);
  return name;
}

/** The translation of these files (by default those of the entry model), from memory, from a file, or made now. */
export function sourceProgram(files?: readonly string[], root = modelFolder()): SourceProgram {
  const key = `rules-${contentHash(files, root)}`;
  const program = inMemory.get(key) ?? kept<SourceProgram>(key) ?? translate(files ?? ruleFiles(root), root, key);
  inMemory.set(key, program);
  return program;
}

function translate(files: readonly string[], root: string, key: string): SourceProgram {
  // biome-ignore lint/style/noCommonJs: loaded late, so that a process that finds a translation never loads ts-morph
  const { readSources } = require('./front-end') as typeof import('./front-end');
  const program = readSources(files, root);
  keep(key, program);
  return program;
}
