/**
 * Where the values of a state lie in 32-bit words, compactly: only values that occur get a code, so a field that a
 * design never changes takes no bits. Which values occur is learnt from samples (sampling.ts) and may be wrong:
 * generated code stops where a rule stores a value without a code, and the search begins anew with a wider layout. So a
 * layout is a guess about size, never about truth.
 *
 *   word: | code | code | ... | code | 1 |
 *
 * Bit 0 of every word is 1: a word of a shared table that has been written is never 0.
 */
import type { FieldInfo, Program } from '../../translate/ir';

/** A set of values 0..31, one bit each. */
export type ValueSet = number;

const MAX_VALUES = 32;

export interface Cell {
  readonly number: number;
  readonly field: string;
  readonly index: readonly number[];
  /** Number of values of the sort. */
  readonly size: number;
}

/** A cell and its place. `codes[value]` is -1 for a value that the layout does not expect. */
export interface PlacedCell extends Cell {
  readonly values: ValueSet;
  readonly codes: readonly number[];
  /** The value of each code. */
  readonly decoded: readonly number[];
  readonly bits: number;
  readonly word: number;
  readonly shift: number;
  /** `codes` are the values themselves. */
  readonly plain: boolean;
}

export interface Layout {
  readonly words: number;
  readonly cells: readonly PlacedCell[];
  readonly fields: ReadonlyMap<string, FieldInfo>;
  /** Number of a field's first cell. */
  readonly firstCell: ReadonlyMap<string, number>;
}

export function members(set: ValueSet): number[] {
  const result: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) result.push(31 - Math.clz32(rest & -rest));
  return result;
}

/** The members that the condition holds for. */
export function subset(set: ValueSet, holds: (value: number) => boolean): ValueSet {
  let result = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) {
    const lowest = rest & -rest;
    if (holds(31 - Math.clz32(lowest))) result |= lowest;
  }
  return result;
}

export function fullSet(size: number): ValueSet {
  return size >= MAX_VALUES ? -1 : (1 << size) - 1;
}

function indicesOf(extents: readonly number[]): number[][] {
  return extents.reduce<number[][]>(
    (outer, extent) => outer.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]],
  );
}

/** Every value of a state, in the order of the schema. */
export function cellsOf(program: Pick<Program, 'fields'>): Cell[] {
  return program.fields
    .flatMap((field) => {
      if (field.size > MAX_VALUES)
        throw new RangeError(`field ${field.name} has ${field.size} values; packed code takes at most ${MAX_VALUES}`);
      return indicesOf(field.extents).map((index) => ({ field: field.name, index, size: field.size }));
    })
    .map((cell, number) => ({ number, ...cell }));
}

const bitsFor = (count: number) => (count <= 1 ? 0 : 32 - Math.clz32(count - 1));

function encode(cell: Cell, values: ValueSet): Omit<PlacedCell, 'word' | 'shift'> {
  const list = members(values);
  const bits = bitsFor(list.length);
  const plain = list.length === 0 || list[list.length - 1] < 2 ** bits;
  const decoded = plain ? Array.from({ length: 2 ** bits }, (_, code) => code) : list;
  const codes = Array.from({ length: cell.size }, (_, value) =>
    (values >>> value) & 1 ? (plain ? value : list.indexOf(value)) : -1,
  );
  return { ...cell, values, codes, decoded, bits, plain };
}

const USABLE_BITS = 31;

/**
 * First fit, in groups that a rule reads together: one CPU's fields, one thread's fields and contexts. A comparison of
 * several fields of one word is one instruction, so what belongs together stays together where it fits.
 */
function place(
  cells: readonly Omit<PlacedCell, 'word' | 'shift'>[],
  fields: ReadonlyMap<string, FieldInfo>,
): PlacedCell[] {
  const groupOf = (cell: Cell) => {
    const [over = 'global'] = fields.get(cell.field)?.over ?? [];
    return `${over} ${cell.index[0] ?? ''}`;
  };
  const groups = new Map<string, Omit<PlacedCell, 'word' | 'shift'>[]>();
  for (const cell of cells) groups.set(groupOf(cell), [...(groups.get(groupOf(cell)) ?? []), cell]);
  const used: number[] = [];
  const placed: PlacedCell[] = [];
  for (const group of [...groups.values()].sort((a, b) => bitsOf(b) - bitsOf(a))) {
    const whole = used.findIndex((bits) => bits + bitsOf(group) <= USABLE_BITS);
    for (const cell of group) {
      const fit = whole >= 0 ? whole : used.findIndex((bits) => bits + cell.bits <= USABLE_BITS);
      const word = cell.bits === 0 ? 0 : fit >= 0 ? fit : used.push(0) - 1;
      placed.push({ ...cell, word, shift: cell.bits === 0 ? 0 : 1 + used[word] });
      if (cell.bits > 0) used[word] += cell.bits;
    }
  }
  return placed.sort((a, b) => a.number - b.number);
}

function bitsOf(group: readonly { readonly bits: number }[]): number {
  return group.reduce((sum, { bits }) => sum + bits, 0);
}

/** The layout in which each cell has codes for these values. */
export function makeLayout(program: Pick<Program, 'fields'>, values: readonly ValueSet[]): Layout {
  const fields = new Map(program.fields.map((field) => [field.name, field]));
  const plain = cellsOf(program);
  const cells = place(
    plain.map((cell) => encode(cell, values[cell.number])),
    fields,
  );
  const firstCell = new Map<string, number>();
  for (const cell of plain) if (!firstCell.has(cell.field)) firstCell.set(cell.field, cell.number);
  return { words: 1 + Math.max(0, ...cells.map((cell) => cell.word)), cells, fields, firstCell };
}

/** The layout that has a code for every value of every sort: for states that no search reaches. */
export function fullLayout(program: Pick<Program, 'fields'>): Layout {
  return makeLayout(
    program,
    cellsOf(program).map((cell) => fullSet(cell.size)),
  );
}

/** The number of the cell of a field at constant indices; -1 where the field has none there. */
export function cellAt(layout: Layout, field: string, indices: readonly number[]): number {
  const info = layout.fields.get(field);
  const first = layout.firstCell.get(field);
  if (info === undefined || first === undefined) return -1;
  let offset = 0;
  for (let i = 0; i < indices.length; i++) {
    if (indices[i] < 0 || indices[i] >= info.extents[i]) return -1;
    offset = offset * info.extents[i] + indices[i];
  }
  return first + offset;
}
