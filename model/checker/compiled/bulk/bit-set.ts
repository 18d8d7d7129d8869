/** A growing set of small numbers. */
import { wordsFor } from './bit-matrix';

export class BitSet {
  private words = new Int32Array(8);

  has(number: number): boolean {
    const word = number >>> 5;
    return word < this.words.length && ((this.words[word] >>> (number & 31)) & 1) === 1;
  }

  /** Answers whether it was new. */
  add(number: number): boolean {
    if (this.has(number)) return false;
    if (number >= this.words.length * 32) this.resize(Math.max(wordsFor(number + 1), 2 * this.words.length));
    this.words[number >>> 5] |= 1 << (number & 31);
    return true;
  }

  /** Answers whether any of them was new. */
  addAll(others: BitSet): boolean {
    // As large as the other one and no larger: two sets that are added to each other would grow for ever.
    if (others.words.length > this.words.length) this.resize(others.words.length);
    let fresh = 0;
    for (let w = 0; w < others.words.length; w++) {
      fresh |= others.words[w] & ~this.words[w];
      this.words[w] |= others.words[w];
    }
    return fresh !== 0;
  }

  /** The lowest number; -1 if there is none. */
  get first(): number {
    for (let w = 0; w < this.words.length; w++) {
      const word = this.words[w];
      if (word !== 0) return w * 32 + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  /** The numbers that are in the other one, too, and not in the third; in ascending order. */
  both(other: BitSet, but: BitSet): number[] {
    const found: number[] = [];
    for (let w = 0; w < Math.min(this.words.length, other.words.length); w++) {
      const left = w < but.words.length ? ~but.words[w] : -1;
      for (let rest = this.words[w] & other.words[w] & left; rest !== 0; rest &= rest - 1)
        found.push(w * 32 + 31 - Math.clz32(rest & -rest));
    }
    return found;
  }

  private resize(length: number): void {
    const words = new Int32Array(length);
    words.set(this.words);
    this.words = words;
  }
}
