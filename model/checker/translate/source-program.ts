/**
 * The translation of the rules' TypeScript. It is kept in memory and in a file whose name is a hash of all that can
 * influence it (origin.ts): so the seconds that ts-morph takes are spent once after each edit, and a translation of
 * other sources, or by other versions, is never found. What is read from the file has to have the form of the IR
 * (source-json.ts).
 */
import { keep, recall } from './file-cache';
import type { SourceProgram } from './ir';
import { contentHash } from './origin';
import { readSourceJson } from './source-json';

export { contentHash } from './origin';

const inMemory = new Map<string, SourceProgram>();

const keyOf = (files: readonly string[]) => `rules-${contentHash(files)}.json`;

/** The translation of these files, from memory, from a file, or made now. */
export function sourceProgram(files: readonly string[]): SourceProgram {
  return keptProgram(files) ?? translateAndKeep(files);
}

/** The translation of these files, if there is one in memory or in a file. */
export function keptProgram(files: readonly string[]): SourceProgram | undefined {
  const key = keyOf(files);
  const program = inMemory.get(key) ?? recall(key, readSourceJson);
  if (program !== undefined) inMemory.set(key, program);
  return program;
}

/** The translation of these files, made now, and not kept. */
export function translate(files: readonly string[]): SourceProgram {
  // biome-ignore lint/style/noCommonJs: loaded late, so that a process that finds a translation never loads ts-morph
  const { readSources } = require('./front-end') as typeof import('./front-end');
  return readSources(files);
}

function translateAndKeep(files: readonly string[]): SourceProgram {
  const key = keyOf(files);
  const program = translate(files);
  inMemory.set(key, program);
  keep(key, Buffer.from(JSON.stringify(program)));
  return program;
}
