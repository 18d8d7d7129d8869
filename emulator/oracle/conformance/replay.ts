/** Replays vectors of the conformance corpus on our machine; needs no QEMU. */
import { HALTED } from '../../step-result';
import { loadRegisters, loadScene, type Registers, raiseEvents, registersOf, sceneMachine } from '../scenes/scene';
import type { CorpusFile, CorpusState, CorpusVector } from './corpus-file';
import { applied, emptyState, withRegisters } from './corpus-state';

/** Replays vectors of one file. */
export class Replay {
  private readonly machine = sceneMachine();
  private readonly registers: Registers;
  private readonly mark: number;
  private readonly memory: Uint8Array;

  constructor({ base }: CorpusFile) {
    const names = Object.keys(base.registers).map((name): [string, bigint] => [name, 0n]);
    const state = applied(emptyState(new Map(names)), base);
    this.registers = state.registers;
    loadScene(this.machine, state);
    const { words } = this.machine.memory;
    this.memory = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.mark = this.machine.mark();
  }

  /**
   * What has changed when the steps of the vector are done; equal to its `final` if all is well. Undefined if the CPU
   * stops before, in a shutdown or in a HLT that nothing ends.
   */
  run(vector: Pick<CorpusVector, 'initial' | 'events' | 'steps'>): CorpusState | undefined {
    const { machine } = this;
    machine.rollback(this.mark);
    for (const [address, bytes] of vector.initial.memory)
      machine.memory.writeBytes(Number(address), Buffer.from(bytes, 'hex'));
    const before = withRegisters(this.registers, vector.initial);
    loadRegisters(machine, before);
    const mark = machine.mark();
    const { undo } = machine.memory;
    const from = undo.top;
    for (let step = 0; step < vector.steps; step++) {
      raiseEvents(machine, vector.events, step);
      if (machine.step(0) < HALTED) continue;
      machine.release(mark);
      return undefined;
    }
    const changed = new Map<number, number>();
    for (let i = undo.top - 2; i >= from; i -= 2)
      if (undo.entries[i] >= 0) changed.set(undo.entries[i], undo.entries[i + 1]);
    machine.release(mark);
    return { registers: this.changedRegisters(before), memory: this.changedMemory(changed) };
  }

  private changedRegisters(before: Registers): Record<string, string> {
    const registers: Record<string, string> = {};
    for (const [name, value] of registersOf(this.machine.cpus[0]))
      if (before.get(name) !== value) registers[name] = `0x${value.toString(16)}`;
    return registers;
  }

  /** Of the words that were written, those that are not what they were, in runs. */
  private changedMemory(old: ReadonlyMap<number, number>): [string, string][] {
    const { words } = this.machine.memory;
    const changed = [...old].filter(([word, value]) => words[word] !== value).map(([word]) => word);
    const runs: [string, string][] = [];
    let from = 0;
    changed.sort((a, b) => a - b);
    for (let i = 1; i <= changed.length; i++) {
      if (i < changed.length && changed[i] === changed[i - 1] + 1) continue;
      const [first, last] = [changed[from], changed[i - 1]];
      const bytes = Buffer.from(this.memory.buffer, this.memory.byteOffset + 4 * first, 4 * (last - first + 1));
      runs.push([`0x${(4 * first).toString(16)}`, bytes.toString('hex')]);
      from = i;
    }
    return runs;
  }
}
