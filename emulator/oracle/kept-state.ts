/** All of a machine's state, to come back to at any time: unlike a mark it costs nothing while it is kept. */
import type { Machine } from '../machine';

export class KeptState {
  private readonly machine: Machine;
  private readonly ram: Int32Array;
  private readonly words: readonly (readonly [state: Int32Array, kept: Int32Array])[];

  constructor(machine: Machine) {
    this.machine = machine;
    this.ram = machine.memory.words.slice();
    const states = [...machine.cpus.flatMap(({ r, x }) => [r, x]), machine.platform.words];
    this.words = states.map((state) => [state, state.slice()] as const);
  }

  /** With empty TLBs. No mark may be held. */
  restore(): void {
    const { machine, ram } = this;
    const { memory } = machine;
    for (let i = 0; i < ram.length; i++) if (memory.words[i] !== ram[i]) memory.write32(i, ram[i]);
    for (const [state, kept] of this.words) state.set(kept);
    for (const cpu of machine.cpus) {
      cpu.tlb.flushAll();
      cpu.refresh();
      cpu.dropCode();
    }
  }
}
