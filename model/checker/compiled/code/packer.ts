/**
 * Packs and unpacks states by a layout, one value after the other: for the initial state, traces and tests. The search
 * itself never unpacks.
 */
import type { Transient } from '../../language/schema-types';
import type { Layout, PlacedCell } from './layout';

type Loose = Record<string, number | number[] | number[][]>;

function read(state: Loose, cell: PlacedCell): number {
  const [i, j] = cell.index;
  const field = state[cell.field];
  if (i === undefined) return field as number;
  return j === undefined ? (field as number[])[i] : (field as number[][])[i][j];
}

function write(state: Loose, cell: PlacedCell, value: number): void {
  const [i, j] = cell.index;
  if (i === undefined) state[cell.field] = value;
  else if (j === undefined) (state[cell.field] as number[])[i] = value;
  else (state[cell.field] as number[][])[i][j] = value;
}

/** The cell whose value has no code in the layout, if there is one; otherwise the words are in `out`. */
export function packState(layout: Layout, state: Transient, out: Int32Array, at = 0): PlacedCell | undefined {
  for (let w = 0; w < layout.words; w++) out[at + w] = 1;
  for (const cell of layout.cells) {
    const code = cell.codes[read(state as unknown as Loose, cell)] ?? -1;
    if (code < 0) return cell;
    out[at + cell.word] |= code << cell.shift;
  }
  return undefined;
}

export function unpackState(layout: Layout, words: Int32Array, at: number, state: Transient): void {
  for (const cell of layout.cells) {
    const mask = cell.bits === 0 ? 0 : -1 >>> (32 - cell.bits);
    write(state as unknown as Loose, cell, cell.decoded[(words[at + cell.word] >>> cell.shift) & mask] ?? 0);
  }
  state.failed = 0;
}
