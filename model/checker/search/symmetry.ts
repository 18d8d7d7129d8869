/**
 * Symmetry reduction: states that differ only in which CPU, task or address space is which have the same future, up to
 * the same renaming, so the search keeps one of them (Ip and Dill, "Better Verification Through Symmetry", 1996).
 *
 * Why it is sound here. A renaming g permutes CPUs, tasks (idle threads go with their CPUs) and address spaces, where
 * task t still lives in the address space of t. No rule or invariant compares an index with a constant or orders two of
 * them: `isTask`, `mmOf` and "the idle thread of c" are preserved by every g. So s -> s' by rule(args) if and only if
 * g(s) -> g(s') by rule(g(args)), and g(s) violates what s violates. The initial state is not symmetric (task 0 runs on
 * CPU 0), but its renamings are initial states of renamed systems, so what one of them can reach the others can, too.
 * What violates a property is closed under renaming, so the depth of the first violation is that of the plain search,
 * from which its trace is taken.
 */

import type { Bounds, Dimension, Field, Schema, Sort } from '../language/schema-types';
import type { PackedCell, Packing } from './packing';

/** A renaming: image of each CPU, task and address space. */
export interface Renaming {
  readonly cpu: readonly number[];
  readonly task: readonly number[];
  readonly mm: readonly number[];
}

/** Replaces packed words by the least of their renamings. */
export type Canonicalize = (words: Uint32Array) => void;

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
  );
}

/** Every renaming that keeps tasks in their address spaces (task t lives in t mod mms); the identity comes first. */
export function renamings(bounds: Bounds): Renaming[] {
  const all = permutations(bounds.cpus).flatMap((cpu) =>
    permutations(bounds.tasks).flatMap((task) => permutations(bounds.mms).map((mm) => ({ cpu, task, mm }))),
  );
  const fits = ({ task, mm }: Renaming) => task.every((image, t) => mm[t % bounds.mms] === image % bounds.mms);
  const moves = (r: Renaming) => [r.cpu, r.task, r.mm].some((images) => images.some((image, i) => image !== i));
  return all.filter(fits).sort((a, b) => Number(moves(a)) - Number(moves(b)));
}

/** Image of a value of a sort. */
export function renamed(sort: Sort['kind'] | Dimension, value: number, r: Renaming): number {
  switch (sort) {
    case 'cpu':
      return r.cpu[value];
    case 'task':
      return r.task[value];
    case 'mm':
      return r.mm[value];
    case 'thread':
      return value < r.task.length ? r.task[value] : r.task.length + r.cpu[value - r.task.length];
    default:
      return value;
  }
}

/** One renaming as moves of bits: where each value comes from, what it becomes, where it goes. */
interface Moves {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly shiftFrom: Uint8Array;
  readonly shiftTo: Uint8Array;
  readonly mask: Int32Array;
  /** For each cell the start of its images in `images`, or -1 where values keep their names. */
  readonly imagesAt: Int32Array;
  readonly images: Uint8Array;
}

function movesOf(cells: readonly PackedCell[], schema: Schema, r: Renaming): Moves {
  const place = new Map(cells.map((cell) => [`${cell.field}:${cell.index.join()}`, cell]));
  const images: number[] = [];
  const target = (cell: PackedCell): PackedCell => {
    const { over }: Field = schema[cell.field];
    const index = cell.index.map((value, i) => renamed(over[i], value, r));
    const found = place.get(`${cell.field}:${index.join()}`);
    if (found === undefined) throw new RangeError(`${cell.field} has no place for a renamed index`);
    return found;
  };
  const imagesAt = cells.map((cell) => {
    const { kind } = schema[cell.field].sort;
    if (kind === 'bool' || kind === 'range') return -1;
    for (let value = 0; value < cell.size; value++) images.push(renamed(kind, value, r));
    return images.length - cell.size;
  });
  return {
    from: Int32Array.from(cells, (cell) => cell.word),
    to: Int32Array.from(cells, (cell) => target(cell).word),
    shiftFrom: Uint8Array.from(cells, (cell) => cell.shift),
    shiftTo: Uint8Array.from(cells, (cell) => target(cell).shift),
    mask: Int32Array.from(cells, (cell) => 2 ** cell.bits - 1),
    imagesAt: Int32Array.from(imagesAt),
    images: Uint8Array.from(images),
  };
}

function rename(moves: Moves, words: Uint32Array, into: Uint32Array): void {
  const { from, to, shiftFrom, shiftTo, mask, imagesAt, images } = moves;
  into.fill(0);
  for (let i = 0; i < from.length; i++) {
    const value = (words[from[i]] >>> shiftFrom[i]) & mask[i];
    const at = imagesAt[i];
    into[to[i]] |= (at < 0 ? value : images[at + value]) << shiftTo[i];
  }
}

function isLess(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i];
  return false;
}

/** The canonicalizer of a packing. Its renamings are worked out once, into moves of bits. */
export function makeCanonicalizer<S>(packing: Packing<S>, schema: Schema, bounds: Bounds): Canonicalize {
  const all = renamings(bounds)
    .slice(1)
    .map((r) => movesOf(packing.describe(), schema, r));
  const original = new Uint32Array(packing.words);
  const candidate = new Uint32Array(packing.words);
  return (words) => {
    original.set(words);
    for (const moves of all) {
      rename(moves, original, candidate);
      if (isLess(candidate, words)) words.set(candidate);
    }
  };
}
