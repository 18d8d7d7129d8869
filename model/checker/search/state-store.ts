/**
 * The set of states that a search has met, each with how it was first reached. Records lie in chunks in the order of
 * discovery, which in a breadth-first search is also the queue; an open-addressing table of record numbers finds them.
 *
 *   record: | packed words ... | parent's record number | instance number |
 *
 * Chunks never move, and the table is rebuilt from the records when it doubles, so memory has no peak of "old and new
 * at once".
 */

/** Answers of `insert` that are not a record number. */
export const KNOWN = -1;
export const FULL = -2;

/** The parent of the initial state. */
export const NO_PARENT = 0xffffffff;

const CHUNK_BITS = 14;
const CHUNK_RECORDS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_RECORDS - 1;
const FIRST_SLOTS = 1 << 12;

function hashWords(words: Uint32Array, at: number, count: number): number {
  let hash = count;
  for (let i = 0; i < count; i++) {
    hash = Math.imul(hash ^ words[at + i], 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  // The last word's high bits must reach the low ones, which choose the slot.
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export class StateStore {
  private readonly chunks: Uint32Array[] = [];
  private readonly stride: number;
  private table = new Uint32Array(FIRST_SLOTS);
  private count = 0;
  private readonly words: number;
  private readonly limit: number;

  constructor(words: number, limitBytes: number) {
    this.words = words;
    this.stride = words + 2;
    this.limit = limitBytes;
  }

  get size(): number {
    return this.count;
  }

  get bytes(): number {
    return this.chunks.length * CHUNK_RECORDS * this.stride * 4 + this.table.byteLength;
  }

  /** The record number of a new state; KNOWN when the state is there already, FULL when memory ends. */
  insert(state: Uint32Array, parent: number, instance: number): number {
    const { words, stride, chunks } = this;
    const table = this.table;
    const mask = table.length - 1;
    let slot = hashWords(state, 0, words) & mask;
    // A slot holds the record number plus 1; 0 is free.
    for (let entry = table[slot]; entry !== 0; entry = table[slot]) {
      const record = entry - 1;
      const chunk = chunks[record >>> CHUNK_BITS];
      const at = (record & CHUNK_MASK) * stride;
      let i = 0;
      while (i < words && chunk[at + i] === state[i]) i++;
      if (i === words) return KNOWN;
      slot = (slot + 1) & mask;
    }
    return this.append(state, parent, instance, slot);
  }

  read(record: number, out: Uint32Array): void {
    const chunk = this.chunks[record >>> CHUNK_BITS];
    const at = (record & CHUNK_MASK) * this.stride;
    for (let i = 0; i < this.words; i++) out[i] = chunk[at + i];
  }

  /** The instance numbers on the way from the initial state to this one. */
  path(record: number): number[] {
    const path: number[] = [];
    for (let at = record; this.origin(at, 0) !== NO_PARENT; at = this.origin(at, 0)) path.push(this.origin(at, 1));
    return path.reverse();
  }

  private origin(record: number, which: 0 | 1): number {
    return this.chunks[record >>> CHUNK_BITS][(record & CHUNK_MASK) * this.stride + this.words + which];
  }

  private append(state: Uint32Array, parent: number, instance: number, slot: number): number {
    const record = this.count;
    // Half full is the most that linear probing likes; a table that may not grow any more is used up to 7/8.
    if (record * 8 >= this.table.length * 7) return FULL;
    if (record >>> CHUNK_BITS === this.chunks.length && !this.addChunk()) return FULL;
    const chunk = this.chunks[record >>> CHUNK_BITS];
    const at = (record & CHUNK_MASK) * this.stride;
    for (let i = 0; i < this.words; i++) chunk[at + i] = state[i];
    chunk[at + this.words] = parent;
    chunk[at + this.words + 1] = instance;
    this.table[slot] = record + 1;
    this.count++;
    if (this.count * 2 > this.table.length) this.doubleTable();
    return record;
  }

  private addChunk(): boolean {
    const chunkBytes = CHUNK_RECORDS * this.stride * 4;
    if (this.chunks.length > 0 && this.bytes + chunkBytes > this.limit) return false;
    this.chunks.push(new Uint32Array(CHUNK_RECORDS * this.stride));
    return true;
  }

  private doubleTable(): void {
    const slots = this.table.length * 2;
    if (this.bytes - this.table.byteLength + slots * 4 > this.limit) return;
    // The old table is free to go before the new one is allocated: the records are enough to rebuild it.
    this.table = new Uint32Array(0);
    const table = new Uint32Array(slots);
    const mask = slots - 1;
    for (let record = 0; record < this.count; record++) {
      const chunk = this.chunks[record >>> CHUNK_BITS];
      let slot = hashWords(chunk, (record & CHUNK_MASK) * this.stride, this.words) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = record + 1;
    }
    this.table = table;
  }
}
