import path from 'node:path';

/** Is this word the name of a file, and not of a design? */
export function isDesignFile(word: string): boolean {
  return word.endsWith('.json') || word.includes(path.sep);
}
