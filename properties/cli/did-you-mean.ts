/**
 * The word that was probably meant, for messages about one that there is none of.
 */
import { closest, distance } from 'fastest-levenshtein';

/** Edits that a slip of the fingers takes at most. */
const MOST_EDITS = 3;

/** `; did you mean X?`, or nothing where no word is near. A word of few letters has to be nearer. */
export function didYouMean(word: string, words: readonly string[]): string {
  if (words.length === 0) return '';
  const near = closest(word, words);
  return distance(word, near) <= Math.min(MOST_EDITS, Math.floor(word.length / 2)) ? `; did you mean ${near}?` : '';
}
