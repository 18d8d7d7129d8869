/**
 * Marks and rollbacks: registers, attached ghost state and hashes are copied at a mark, RAM and TLBs come back through
 * the undo log. Buffers of dropped marks are reused, so a depth-first search allocates nothing.
 */
import type { Cpu } from './cpu/cpu';
import type { PhysicalMemory } from './memory/physical-memory';
import { MAX_CPUS } from './memory/undo-log';
import { REGISTER_WORDS } from './registers';

interface Snapshot {
  /** One array a CPU, and one for each attached. */
  readonly registers: readonly Int32Array[];
  readonly attached: readonly Int32Array[];
  top: number;
  hashLo: number;
  hashHi: number;
}

export class SnapshotStack {
  private readonly memory: PhysicalMemory;
  private readonly cpus: readonly Cpu[];
  private readonly attached: Int32Array[] = [];
  private readonly stack: Snapshot[] = [];
  private depth = 0;

  constructor(memory: PhysicalMemory, cpus: readonly Cpu[]) {
    this.memory = memory;
    this.cpus = cpus;
  }

  attach(words: Int32Array): void {
    if (this.depth !== 0)
      throw new Error('state must be attached before the first mark: older marks would not know it');
    this.attached.push(words);
    this.stack.length = 0;
  }

  mark(): number {
    const undo = this.memory.undo;
    const snapshot = this.slot(this.depth);
    for (let c = 0; c < this.cpus.length; c++) snapshot.registers[c].set(this.cpus[c].r);
    for (let i = 0; i < this.attached.length; i++) snapshot.attached[i].set(this.attached[i]);
    snapshot.top = undo.top;
    snapshot.hashLo = this.memory.hashLo;
    snapshot.hashHi = this.memory.hashHi;
    undo.active = true;
    return this.depth++;
  }

  rollback(mark: number): void {
    const snapshot = this.at(mark);
    this.unwind(snapshot.top);
    for (const cpu of this.cpus) {
      cpu.r.set(snapshot.registers[cpu.index]);
      cpu.refresh();
    }
    for (let i = 0; i < this.attached.length; i++) this.attached[i].set(snapshot.attached[i]);
    this.memory.hashLo = snapshot.hashLo;
    this.memory.hashHi = snapshot.hashHi;
    this.depth = mark + 1;
  }

  release(mark: number): void {
    this.at(mark);
    this.depth = mark;
    if (mark === 0) this.memory.undo.clear();
  }

  private at(mark: number): Snapshot {
    if (!(mark >= 0 && mark < this.depth)) throw new RangeError(`mark ${mark} is not held: ${this.depth} are`);
    return this.stack[mark];
  }

  private slot(depth: number): Snapshot {
    if (this.stack[depth] === undefined) {
      const attached = this.attached.map((words) => new Int32Array(words.length));
      this.stack[depth] = {
        registers: this.cpus.map(() => new Int32Array(REGISTER_WORDS)),
        attached,
        top: 0,
        hashLo: 0,
        hashHi: 0,
      };
    }
    return this.stack[depth];
  }

  /** Backwards, so that the oldest value of a place is the last one written. */
  private unwind(top: number): void {
    const undo = this.memory.undo;
    const entries = undo.entries;
    for (let i = undo.top - 2; i >= top; i -= 2) {
      const place = entries[i];
      if (place >= 0) this.memory.restore32(place, entries[i + 1]);
      else this.cpus[~place & (MAX_CPUS - 1)].tlb.restore(~place >> 3, entries[i + 1]);
    }
    undo.top = top;
  }
}
