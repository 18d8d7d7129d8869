/**
 * The steps that were judged before: (CPU, words of the state before, the same words after) -> what it was. A table of
 * fixed size in which each key has two slots, and the later two of those that share them stay: a campaign of any length
 * needs the same memory. What it forgets is judged again; what it answers was compared word by word. Nobody sees a
 * difference.
 */

/** Slots of the table, a power of two: 2 MiB for two CPUs. More slots forget less, and wait for memory. */
const STEP_CACHE_SLOTS = 2 ** 14;
/** A slot begins with a line of the processor's cache, 64 bytes: most keys are one line, and most of the time is it. */
const LINE_WORDS = 16;

export class StepCache<T> {
  private readonly stride: number;
  private readonly mask: number;
  /** Each slot: the length of its key (0: empty), the key. */
  private readonly keys: Uint32Array;
  private readonly values: (T | undefined)[];

  /** `words`: of the longest key. */
  constructor(words: number, slots = STEP_CACHE_SLOTS) {
    this.stride = Math.ceil((words + 1) / LINE_WORDS) * LINE_WORDS;
    this.mask = slots - 2;
    this.keys = new Uint32Array(slots * this.stride);
    this.values = new Array<T | undefined>(slots).fill(undefined);
  }

  /** What was put in for the first `length` words of `key`. */
  get(key: Uint32Array, length: number): T | undefined {
    const slot = this.slotOf(key, length);
    if (this.holds(slot, key, length)) return this.values[slot];
    return this.holds(slot + 1, key, length) ? this.values[slot + 1] : undefined;
  }

  private holds(slot: number, key: Uint32Array, length: number): boolean {
    const keys = this.keys;
    const at = slot * this.stride;
    if (keys[at] !== length) return false;
    for (let i = 0; i < length; i++) if (keys[at + 1 + i] !== key[i]) return false;
    return true;
  }

  set(key: Uint32Array, length: number, value: T): void {
    const slot = this.slotOf(key, length);
    const at = slot * this.stride;
    // The first slot has the later one of the two: the other is forgotten.
    this.keys.copyWithin((slot + 1) * this.stride, at, at + this.stride);
    this.values[slot + 1] = this.values[slot];
    this.keys[at] = length;
    for (let i = 0; i < length; i++) this.keys[at + 1 + i] = key[i];
    this.values[slot] = value;
  }

  /** The first of the two slots of a key: FNV-1a over words in place of bytes, with the high bits folded down. */
  private slotOf(key: Uint32Array, length: number): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ key[i], 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    return (hash ^ (hash >>> 16)) & this.mask;
  }
}
