/**
 * Packed states: every value of a state in the bits that its sort needs, in 32-bit words. Equal states have equal
 * words, so the search compares and hashes words only.
 *
 *   word 0: | unused | ... row 1, element 0 | row 0, element 1 | row 0, element 0 |
 *   word 1: | ...                                               next value that fits |
 *
 * Values fill a word from bit 0 upwards; a value never straddles two words. Rows (arrays) come in the order of the
 * schema, numbers without an index last. The layout is a flat table that plain loops walk: no code is generated.
 */
import type { Bounds, Field, Schema, State, Transient } from '../language/schema-types';
import { extentOf, sizeOf } from '../language/schema-types';

/** Where one value lives. `size` is the number of its legal values. */
export interface PackedCell {
  /** The name of the field. */
  readonly field: string;
  /** Its indices. */
  readonly index: readonly number[];
  /** Its legal values are 0..size-1. */
  readonly size: number;
  /** Bits that they take. */
  readonly bits: number;
  /** The word that it lies in. */
  readonly word: number;
  /** Its lowest bit there. */
  readonly shift: number;
}

/** Packs and unpacks one particular state object; it has looked up that state's arrays once. */
export interface BoundState {
  /** Writes the bound state to the words from `at` on. Throws ValueRangeError. */
  pack(out: Uint32Array, at: number): void;
  /** Reads the bound state from the words from `at` on. */
  unpack(words: Uint32Array, at: number): void;
  /** Unpacks a state where the bound one holds `held`: only words that differ are touched, and a step changes few. */
  restore(words: Uint32Array, held: Uint32Array): void;
}

/** How states of one schema are packed. */
export interface Packing<S> {
  /** 32-bit words of a state. */
  readonly words: number;
  /** For hot loops: `pack` and `unpack` below bind the state anew at each call. */
  bind(state: S): BoundState;
  /** Writes a state to the words from `at` on. Throws ValueRangeError for a value that its sort does not have. */
  pack(state: S, out: Uint32Array, at: number): void;
  /** Reads a state from the words from `at` on. */
  unpack(words: Uint32Array, at: number, state: S): void;
  /** A new state, all zero. */
  zero(): S;
  /** The layout, one entry a value. */
  describe(): readonly PackedCell[];
}

/** A value that does not fit its sort is a bug in a rule; to mask it would merge two different states. */
export class ValueRangeError extends Error {
  override readonly name = 'ValueRangeError';
  constructor(cell: PackedCell, value: unknown) {
    const place = cell.field + cell.index.map((i) => `[${i}]`).join('');
    super(
      `${place} is ${String(value)}, but its sort has the values 0..${cell.size - 1}: a rule stored a value or read an index out of range`,
    );
  }
}

const MAX_SIZE = 2 ** 30;

type Unplaced = Omit<PackedCell, 'word' | 'shift'>;
type Loose = Record<string, number | number[] | number[][]>;

function bitsFor(size: number): number {
  return 32 - Math.clz32(size - 1);
}

function cellsOf(name: string, field: Field, bounds: Bounds): Unplaced[] {
  const size = sizeOf(field.sort, bounds);
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
    throw new RangeError(`field ${name}: a sort has 1..2^30 values, not ${size}`);
  const indices = field.over.reduce<number[][]>(
    (outer, dimension) =>
      outer.flatMap((index) => Array.from({ length: extentOf(dimension, bounds) }, (_, i) => [...index, i])),
    [[]],
  );
  return indices.map((index) => ({ field: name, index, size, bits: size === 1 ? 0 : bitsFor(size) }));
}

/**
 * Next-fit placement: values are 1 to 4 bits, so hardly any bit is lost, and a walk over the cells is a walk over the
 * words.
 */
function place(cells: readonly Unplaced[]): PackedCell[] {
  let word = 0;
  let used = 0;
  return cells.map((cell) => {
    if (used + cell.bits > 32) {
      word++;
      used = 0;
    }
    const placed: PackedCell = { ...cell, word, shift: used % 32 };
    used += cell.bits;
    return placed;
  });
}

function layoutOf(schema: Schema, bounds: Bounds): PackedCell[] {
  const fields = Object.entries(schema);
  const ordered = [...fields.filter(([, field]) => field.rank > 0), ...fields.filter(([, field]) => field.rank === 0)];
  return place(ordered.flatMap(([name, field]) => cellsOf(name, field, bounds)));
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}

function zeroOf(field: Field, bounds: Bounds): number | number[] | number[][] {
  const [outer, inner] = field.over.map((dimension) => extentOf(dimension, bounds));
  if (outer === undefined) return 0;
  if (inner === undefined) return zeros(outer);
  return Array.from({ length: outer }, () => zeros(inner));
}

/**
 * A maker of states that are all zero. An object that grows by computed names becomes a hash table in V8 after a dozen
 * of them, and each `s.field` of a rule a look-up in it. JSON.parse builds a real record at once; that alone made the
 * search three times faster.
 */
function zeroMaker(schema: Schema, bounds: Bounds): () => Loose & Transient {
  const fields = Object.entries(schema).map(([name, field]) => [name, zeroOf(field, bounds)]);
  const text = JSON.stringify({ ...Object.fromEntries(fields), failed: 0 });
  return () => JSON.parse(text) as Loose & Transient;
}

/** A function that looks up the arrays of a state. */
function rowFinder(schema: Schema): (state: Loose) => number[][] {
  const indexed = Object.entries(schema).filter(([, { rank }]) => rank > 0);
  return (state) => {
    const rows: number[][] = [];
    for (const [name, { rank }] of indexed) {
      if (rank === 1) rows.push(state[name] as number[]);
      else rows.push(...(state[name] as number[][]));
    }
    return rows;
  };
}

/** By the word, the first cell of it; and the number of cells behind that of the last word. */
function startsOf(cells: readonly PackedCell[], words: number): Int32Array {
  const starts = new Int32Array(words + 1);
  for (const { word } of cells) starts[word + 1]++;
  for (let word = 0; word < words; word++) starts[word + 1] += starts[word];
  return starts;
}

/**
 * The columns of the layout that the loops read. `last` marks the last cell of a word; word w has the cells from
 * `starts[w]` up to `starts[w + 1]`.
 */
function tableOf(cells: readonly PackedCell[], rows: readonly (readonly number[])[]) {
  const words = 1 + Math.max(0, ...cells.map((cell) => cell.word));
  const places = rows.flatMap((row, r) => row.map((_, element) => ({ r, element })));
  return {
    words,
    cells,
    starts: startsOf(cells, words),
    last: Uint8Array.from(cells, (cell, i) => (cells[i + 1]?.word === cell.word ? 0 : 1)),
    rows: Int32Array.from(places, (place) => place.r),
    elements: Int32Array.from(places, (place) => place.element),
    shifts: Int32Array.from(cells, (cell) => cell.shift),
    masks: Int32Array.from(cells, (cell) => (cell.bits === 0 ? 0 : -1 >>> (32 - cell.bits))),
    sizes: Int32Array.from(cells, (cell) => cell.size),
  };
}

type Table = ReturnType<typeof tableOf>;

function packer(
  { cells, shifts, sizes, last }: Table,
  rows: readonly number[][],
  globals: readonly string[],
  state: Loose,
): BoundState['pack'] {
  return (out, at) => {
    let cell = 0;
    let word = 0;
    let target = at;
    for (let r = 0; r < rows.length; r++) {
      const row = rows[r];
      for (let i = 0; i < row.length; i++) {
        const value = row[i];
        // Written so that `undefined` (a read beyond an array's end) fails too.
        if (!(value >= 0 && value < sizes[cell])) throw new ValueRangeError(cells[cell], value);
        word |= value << shifts[cell];
        if (last[cell++] === 1) {
          out[target++] = word;
          word = 0;
        }
      }
    }
    for (let g = 0; g < globals.length; g++) {
      const value = state[globals[g]] as number;
      if (!(value >= 0 && value < sizes[cell])) throw new ValueRangeError(cells[cell], value);
      word |= value << shifts[cell];
      if (last[cell++] === 1) {
        out[target++] = word;
        word = 0;
      }
    }
  };
}

function wordUnpacker(
  table: Table,
  rows: readonly number[][],
  globals: readonly string[],
  state: Loose,
): (w: number, word: number) => void {
  const { starts, elements, shifts, masks } = table;
  const rowOf = table.rows;
  const indexed = rowOf.length;
  return (w, word) => {
    const end = starts[w + 1];
    for (let cell = starts[w]; cell < end; cell++) {
      const value = (word >>> shifts[cell]) & masks[cell];
      if (cell < indexed) rows[rowOf[cell]][elements[cell]] = value;
      else state[globals[cell - indexed]] = value;
    }
  };
}

function bindState(
  table: Table,
  rows: readonly number[][],
  globals: readonly string[],
  state: Loose & Transient,
): BoundState {
  const { words } = table;
  const unpackWord = wordUnpacker(table, rows, globals, state);
  return {
    pack: packer(table, rows, globals, state),
    unpack(source, at) {
      for (let w = 0; w < words; w++) unpackWord(w, source[at + w]);
      state.failed = 0;
    },
    restore(source, held) {
      for (let w = 0; w < words; w++) if (source[w] !== held[w]) unpackWord(w, source[w]);
    },
  };
}

/** The packing of a schema at given bounds. `failed` is not packed: unpacking clears it. */
export function makePacking<S extends Schema>(schema: S, bounds: Bounds): Packing<State<S>> {
  const cells = layoutOf(schema, bounds);
  const zero = zeroMaker(schema, bounds);
  const rowsOf = rowFinder(schema);
  const table = tableOf(cells, rowsOf(zero()));
  const globals = Object.keys(schema).filter((name) => schema[name].rank === 0);
  const bind = (state: State<S>): BoundState => {
    const loose = state as unknown as Loose & Transient;
    return bindState(table, rowsOf(loose), globals, loose);
  };
  return {
    words: table.words,
    bind,
    pack: (state, out, at) => bind(state).pack(out, at),
    unpack: (words, at, state) => bind(state).unpack(words, at),
    zero: () => zero() as unknown as State<S>,
    describe: () => cells,
  };
}
