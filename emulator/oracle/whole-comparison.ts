/** What no single step compares: all of RAM, and the registers of CPUs that have not run. */
import type { Cpu } from '../cpu/cpu';
import type { Machine } from '../machine';
import type { Difference } from './accepted-differences';
import { readState, registerDifferences, STATE_WORDS } from './architectural-state';
import type { OracleMachine } from './oracle-machine';
import { tableRegisters } from './table-registers';

export class WholeComparison {
  private readonly machine: Machine;
  private readonly oracle: OracleMachine;
  private readonly ourRam: Buffer;
  private readonly theirRam: Buffer;
  private readonly ours = new Int32Array(STATE_WORDS);
  private readonly theirs = new Int32Array(STATE_WORDS);

  constructor(machine: Machine, oracle: OracleMachine) {
    this.machine = machine;
    this.oracle = oracle;
    const { words, size } = machine.memory;
    this.theirRam = Buffer.alloc(Math.min(oracle.comparableBytes, size));
    this.ourRam = Buffer.from(words.buffer, words.byteOffset, this.theirRam.length);
  }

  ram(): Difference[] {
    const { ourRam, theirRam } = this;
    this.oracle.readMemory(0, theirRam);
    const found: Difference[] = [];
    if (ourRam.equals(theirRam)) return found;
    for (let pa = 0; pa < ourRam.length; pa += 4) {
      const ours = ourRam.readInt32LE(pa);
      const theirs = theirRam.readInt32LE(pa);
      if (ours !== theirs) found.push({ kind: 'memory', pa, ours, theirs });
    }
    return found;
  }

  /** In the registers of all CPUs but the one that has run; the names say of which. Selects the one that has run. */
  async otherCpus(ran: Cpu): Promise<Difference[]> {
    const found: Difference[] = [];
    for (const cpu of this.machine.cpus) {
      if (cpu === ran) continue;
      await this.oracle.select(cpu.index);
      await this.oracle.readState(this.theirs);
      readState(cpu, this.ours);
      for (const difference of registerDifferences(this.ours, this.theirs))
        found.push({ ...difference, name: `${difference.name} of CPU ${cpu.index}` });
    }
    await this.oracle.select(ran.index);
    return found;
  }

  /** In the descriptor-table registers of the CPU that is selected. */
  async tables(cpu: Cpu): Promise<Difference[]> {
    const theirs = await this.oracle.readTables();
    return [...tableRegisters(cpu)]
      .map(([name, ours]) => ({ kind: 'register' as const, name, ours, theirs: theirs.get(name) ?? -1n }))
      .filter((difference) => difference.ours !== difference.theirs);
  }
}
