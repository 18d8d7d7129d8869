/**
 * Learns which values occur, from random walks of the model by direct execution. Walks reach deep states that the
 * beginning of a search does not, and what one CPU or task does another one can do, so a few thousand steps nearly
 * always see everything; the search notices if not (layout.ts). The walks are the same every time.
 */
import type { Schema, Transient } from '../../language/schema-types';
import { instanceTable, type Model, ruleInstances } from '../../model';
import type { Program } from '../../translate/ir';
import { type Cell, cellsOf, type ValueSet } from './layout';

const STEPS = 20_000;
const LONGEST_QUIET = 80;
const BURST = 25;
/** While it is quiet one event in so many happens. */
const RARELY = 32;
/** A walk ends where this many choices for each rule instance have found none that is enabled. */
const TRIES = 4;

const imul = Math.imul;

/** Numbers 0..limit-1 from a linear congruential generator: the same ones in every run. */
function makeRandom(): (limit: number) => number {
  let state = 1;
  return (limit) => {
    state = (imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** The place of each cell in a state, as the array that holds it. */
function rowsOf(
  cells: readonly Cell[],
  state: Record<string, unknown>,
): { row: number[] | Record<string, number>; key: number | string }[] {
  return cells.map(({ field, index }) => {
    if (index.length === 0) return { row: state as Record<string, number>, key: field };
    const outer = state[field] as number[] & number[][];
    return index.length === 1 ? { row: outer as number[], key: index[0] } : { row: outer[index[0]], key: index[1] };
  });
}

/**
 * Calls `see` after each step of the walks. Events are bounded in number, and a walk that may take them at any time has
 * spent them before it comes to a rare place: so each walk is quiet for a while, takes whatever comes after that, and
 * then begins anew.
 */
function walk<S extends Transient, D>(model: Model<S, D>, start: S, state: S, see: () => void): void {
  const { apply, first, second, third, count } = instanceTable(model);
  const events = ruleInstances(model).map(({ event }) => event);
  const { config, bounds } = model;
  const random = makeRandom();
  const words = new Uint32Array(model.packing.words);
  model.packing.pack(start, words, 0);
  const bound = model.packing.bind(state);
  for (let step = 0, left = 0; step < STEPS; step++, left--) {
    if (left <= 0) {
      bound.unpack(words, 0);
      left = BURST + random(LONGEST_QUIET);
      see();
    }
    let enabled = false;
    for (let tried = 0; tried < count * TRIES && !enabled; tried++) {
      const i = random(count);
      if (events[i] && left > BURST && random(RARELY) !== 0) continue;
      enabled = apply[i](config, bounds, state, first[i], second[i], third[i]) !== false;
    }
    if (!enabled || state.failed !== 0) left = 0;
    else see();
  }
}

/** Cells that are expected to have the same values: one field and context, of threads of one kind. */
function familyOf(cell: Cell, schema: Schema, tasks: number): string {
  const [over] = schema[cell.field].over;
  const idle = over === 'thread' && cell.index[0] >= tasks ? 'idle' : '';
  return `${cell.field} ${idle} ${cell.index[1] ?? ''}`;
}

/**
 * Of a thread in a field of a CPU: a user task, the CPU's own idle thread, or another one's. Each kind is expected as a
 * whole.
 */
function widenThreads(set: ValueSet, from: number, to: number, tasks: number): ValueSet {
  const user = (1 << tasks) - 1;
  const own = tasks + from;
  const foreign = set & ~user & ~(1 << own);
  const result = ((set & user) !== 0 ? user : 0) | ((set >>> own) & 1 ? 1 << (tasks + to) : 0);
  return foreign === 0 ? result : result | ~user;
}

/** What has been seen, and what is expected of the same family. */
export function widen(
  cells: readonly Cell[],
  seen: readonly ValueSet[],
  { schema, bounds }: Pick<Model<Transient>, 'schema' | 'bounds'>,
): ValueSet[] {
  // A field that no step of the walks has changed is taken for a constant of the design, in each cell the one that it
  // is.
  const changed = new Set(cells.filter((_, i) => (seen[i] & (seen[i] - 1)) !== 0).map(({ field }) => field));
  const inRange = (cell: Cell, set: ValueSet) => (cell.size >= 32 ? set : set & ((1 << cell.size) - 1));
  return cells.map((cell) => {
    if (!changed.has(cell.field)) return seen[cell.number];
    const family = familyOf(cell, schema, bounds.tasks);
    const { over, sort } = schema[cell.field];
    return cells.reduce((set, other, i) => {
      if (other.field !== cell.field || familyOf(other, schema, bounds.tasks) !== family) return set;
      const values =
        over[0] === 'cpu' && sort.kind === 'thread'
          ? widenThreads(seen[i], other.index[0], cell.index[0], bounds.tasks)
          : seen[i];
      return set | inRange(cell, values);
    }, 0);
  });
}

/**
 * For each cell the values that it probably has in reachable states. Counters that only fall (a global range) count as
 * full.
 */
export function sampleValues<S extends Transient, D>(
  model: Model<S, D>,
  program: Program,
  start = model.initial(),
): ValueSet[] {
  const cells = cellsOf(program);
  const state = model.packing.zero();
  const rows = rowsOf(cells, state as unknown as Record<string, unknown>);
  const seen = new Int32Array(cells.length);
  walk(model, start, state, () => {
    for (let i = 0; i < rows.length; i++) seen[i] |= 1 << (rows[i].row as Record<number | string, number>)[rows[i].key];
  });
  return widen(cells, [...seen], model);
}
