/**
 * Data as 32-bit words, which is how it is kept in files: quick to read, and without room for anything but numbers. A
 * reader states for each word which numbers it may be.
 */

/** The words are not of the form that the reader expects. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

export class WordReader {
  private readonly words: Int32Array;
  private at = 0;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** The next word, a number in from..to. */
  next(from: number, to: number): number {
    if (this.at >= this.words.length) throw new Malformed(`expected another word after ${this.at}`);
    const word = this.words[this.at];
    if (word < from || word > to) throw new Malformed(`expected ${from}..${to} as word ${this.at}, found ${word}`);
    this.at++;
    return word;
  }

  /** Any 32 bits. */
  any(): number {
    return this.next(-(2 ** 31), 2 ** 31 - 1);
  }

  truth(): boolean {
    return this.next(0, 1) === 1;
  }

  /** As many as the next word says, each read by `read`. */
  list<T>(read: () => T): T[] {
    const count = this.next(0, this.words.length - this.at);
    const result: T[] = [];
    for (let i = 0; i < count; i++) result.push(read());
    return result;
  }

  /** All that is left. */
  rest(): Int32Array {
    const words = this.words.subarray(this.at);
    this.at = this.words.length;
    return words;
  }

  end(): void {
    if (this.at !== this.words.length) throw new Malformed(`expected ${this.at} words, found ${this.words.length}`);
  }
}

/** The words in these bytes, which need not be aligned. */
export function wordsIn(bytes: Uint8Array): Int32Array {
  if (bytes.length % 4 !== 0) throw new Malformed(`expected whole words, found ${bytes.length} bytes`);
  return new Int32Array(new Uint8Array(bytes).buffer);
}

export function bytesIn(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
