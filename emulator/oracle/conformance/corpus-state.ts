/** States as the corpus writes them: registers and memory that differ from another state. */
import type { Registers, Scene } from '../scenes/scene';
import { SCENE_BYTES } from '../scenes/scene';
import type { CorpusFile, CorpusState, CorpusVector } from './corpus-file';

/** What differs in `state` from `from`: registers by name, and memory in runs of aligned 32-bit words. */
export function difference(
  from: { registers: Registers; memory: Uint8Array },
  state: { registers: Registers; memory: Uint8Array },
): CorpusState {
  const registers: Record<string, string> = {};
  for (const [name, value] of state.registers)
    if (from.registers.get(name) !== value) registers[name] = `0x${value.toString(16)}`;
  return { registers, memory: changedRuns(wordsOf(from.memory), wordsOf(state.memory)) };
}

/** The state that differs from `from` by that. */
export function applied(
  from: { registers: Registers; memory: Uint8Array },
  change: CorpusState,
): { registers: Registers; memory: Uint8Array } {
  const memory = from.memory.slice();
  for (const [address, bytes] of change.memory) memory.set(Buffer.from(bytes, 'hex'), Number(address));
  return { registers: withRegisters(from.registers, change), memory };
}

/** A vector with all that its file says. */
export function sceneOf({ base }: CorpusFile, { initial, events, steps }: CorpusVector): Scene {
  const names = Object.keys(base.registers).map((name): [string, bigint] => [name, 0n]);
  const begin = applied(applied(emptyState(new Map(names)), base), initial);
  return { ...begin, events, steps };
}

export function withRegisters(from: Registers, change: CorpusState): Registers {
  const registers = new Map(from);
  for (const [name, value] of Object.entries(change.registers)) registers.set(name, BigInt(value));
  return registers;
}

/** All zeros. */
export function emptyState(registers: Registers): { registers: Registers; memory: Uint8Array } {
  return { registers: new Map([...registers.keys()].map((name) => [name, -1n])), memory: new Uint8Array(SCENE_BYTES) };
}

function changedRuns(from: Int32Array, to: Int32Array): [string, string][] {
  const runs: [string, string][] = [];
  for (let i = 0; i < to.length; i++) {
    if (from[i] === to[i]) continue;
    let end = i + 1;
    while (end < to.length && from[end] !== to[end]) end++;
    const bytes = Buffer.from(to.buffer, to.byteOffset + 4 * i, 4 * (end - i));
    runs.push([`0x${(4 * i).toString(16)}`, bytes.toString('hex')]);
    i = end;
  }
  return runs;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}
