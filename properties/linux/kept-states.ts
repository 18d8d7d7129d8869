/**
 * States of booted kernels in the cache (`model/checker/translate/file-cache.ts`, which seals them): each has some ten
 * megabytes, so only the newest are kept.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { cachePath, keep } from '../../model/checker/translate/file-cache';

const ENDING = '.state';
export const MOST_STATES = 16;

export function keepState(name: string, bytes: Uint8Array): void {
  keepNewest(name, bytes, ENDING, MOST_STATES);
}

/** Keeps a file, and of all whose names end so only the newest, at most so many. */
export function keepNewest(name: string, bytes: Uint8Array, ending: string, most: number): void {
  keep(name, bytes);
  const folder = cachePath();
  if (folder !== undefined) prune(folder, ending, most);
}

/** None, if the folder cannot be read: `keep` has said so. */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes the oldest files, where there are too many. Another process may be doing the same. */
function prune(folder: string, ending: string, most: number): void {
  const files = filesIn(folder).filter((file) => file.endsWith(ending));
  if (files.length <= most) return;
  const byAge = files
    .map((file) => path.join(folder, file))
    .map((file) => ({ file, age: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.age - b.age);
  for (const { file } of byAge.slice(0, files.length - most)) rmSync(file, { force: true });
}
