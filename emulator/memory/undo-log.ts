/**
 * Old values of everything that is too large to copy at a mark: RAM words and TLB words. Entries are pairs (place, old
 * value); a rollback walks them backwards. Places: a RAM word is its index; a TLB word of CPU c is the complement of
 * (index * 8 + c).
 *
 *   log   | p v | p v | p v | p v | ...  top
 *               ^ mark 0    ^ mark 1
 */
export const MAX_CPUS = 8;

export class UndoLog {
  /** Logging costs nothing while no mark is held. */
  active = false;
  entries = new Int32Array(1 << 12);
  top = 0;

  push(place: number, old: number): void {
    if (this.top === this.entries.length) this.grow();
    this.entries[this.top] = place;
    this.entries[this.top + 1] = old;
    this.top += 2;
  }

  clear(): void {
    this.active = false;
    this.top = 0;
  }

  private grow(): void {
    const larger = new Int32Array(this.entries.length * 2);
    larger.set(this.entries);
    this.entries = larger;
  }
}

export function tlbPlace(index: number, cpu: number): number {
  return ~(index * MAX_CPUS + cpu);
}
