/**
 * The steps that were judged before: (CPU, words of the state before, the same words after) -> what it was. A table of
 * fixed size in which each key has one slot and the later of two that share it stays, so that a campaign of any length
 * needs the same memory. What it forgets is judged again; what it answers was compared word by word. Nobody sees a
 * difference.
 */

/** Slots of the table, a power of two: 1.5 MiB for two CPUs. More slots forget less, and wait for memory. */
const STEP_CACHE_SLOTS = 2 ** 14;

export class StepCache<T> {
  private readonly words: number;
  private readonly mask: number;
  /** Each slot: the CPU and one (0: empty), the state before, the state after. */
  private readonly keys: Uint32Array;
  private readonly values: (T | undefined)[];

  /** `words`: of one state. */
  constructor(words: number, slots = STEP_CACHE_SLOTS) {
    this.words = words;
    this.mask = slots - 1;
    this.keys = new Uint32Array(slots * (2 * words + 1));
    this.values = new Array<T | undefined>(slots).fill(undefined);
  }

  get(cpu: number, before: Uint32Array, after: Uint32Array): T | undefined {
    const slot = this.slotOf(cpu, before, after);
    return this.holds(slot, cpu, before, after) ? this.values[slot] : undefined;
  }

  set(cpu: number, before: Uint32Array, after: Uint32Array, value: T): void {
    const slot = this.slotOf(cpu, before, after);
    const at = slot * (2 * this.words + 1);
    this.keys[at] = cpu + 1;
    this.keys.set(before, at + 1);
    this.keys.set(after, at + 1 + this.words);
    this.values[slot] = value;
  }

  private holds(slot: number, cpu: number, before: Uint32Array, after: Uint32Array): boolean {
    const words = this.words;
    const keys = this.keys;
    const at = slot * (2 * words + 1);
    if (keys[at] !== cpu + 1) return false;
    for (let i = 0; i < words; i++)
      if (keys[at + 1 + i] !== before[i] || keys[at + 1 + words + i] !== after[i]) return false;
    return true;
  }

  /** FNV-1a over words in place of bytes, with the high bits folded down at the end. */
  private slotOf(cpu: number, before: Uint32Array, after: Uint32Array): number {
    let hash = Math.imul(0x811c9dc5 ^ cpu, 0x01000193);
    for (let i = 0; i < this.words; i++) {
      hash = Math.imul(hash ^ before[i], 0x01000193);
      hash = Math.imul(hash ^ (hash >>> 15) ^ after[i], 0x85ebca6b);
    }
    return (hash ^ (hash >>> 16)) & this.mask;
  }
}
