/**
 * Renamings in generated code (checker/search/symmetry.ts says what they are): straight-line code on words. Cells that
 * move by the same distance between the same words move together, as one mask and one shift, and the values of sorts
 * that are renamed (a thread, an address space) are looked up in a table that fits into a constant.
 */
import type { Bounds } from '../../language/schema-types';
import { type Renaming, renamed, renamings } from '../../search/symmetry';
import type { Cell, Layout, PlacedCell, ValueSet } from './layout';
import { cellAt, members } from './layout';

/** The cell that a renaming moves this one to. */
function imageOf(layout: Layout, cell: Cell, r: Renaming): PlacedCell {
  const over = layout.fields.get(cell.field)?.over ?? [];
  const at = cellAt(
    layout,
    cell.field,
    cell.index.map((value, i) => renamed(over[i], value, r)),
  );
  return layout.cells[at];
}

function imageOfValue(layout: Layout, cell: Cell, value: number, r: Renaming): number {
  return renamed(layout.fields.get(cell.field)?.sort ?? 'range', value, r);
}

/** Values for each cell such that a renaming of a state that has codes has codes, too. */
export function closedUnderRenaming(layout: Layout, bounds: Bounds): ValueSet[] {
  const closed = layout.cells.map(({ values }) => values);
  for (const r of renamings(bounds))
    for (const cell of layout.cells) {
      const image = members(cell.values).reduce((set, value) => set | (1 << imageOfValue(layout, cell, value, r)), 0);
      closed[imageOf(layout, cell, r).number] |= image;
    }
  return closed;
}

/** The codes of one cell after the renaming, by its codes before it. */
function codesAfter(layout: Layout, from: PlacedCell, to: PlacedCell, r: Renaming): Map<number, number> {
  return new Map(
    members(from.values).map((value) => [from.codes[value], to.codes[imageOfValue(layout, from, value, r)]]),
  );
}

const ones = (bits: number) => (bits === 0 ? 0 : -1 >>> (32 - bits));

function shifted(text: string, left: number): string {
  if (left === 0) return text;
  return left > 0 ? `${text} << ${left}` : `${text} >>> ${-left}`;
}

/** Looks up the new code. Where a table does not fit into a word, it is a chain of comparisons. */
function lookedUp(codes: ReadonlyMap<number, number>, from: PlacedCell, to: PlacedCell): string {
  const code = `(w${from.word} >>> ${from.shift} & ${ones(from.bits)})`;
  if (to.bits << from.bits <= 32) {
    const table = [...codes].reduce((bits, [before, after]) => bits | (after << (before * to.bits)), 0);
    return shifted(`(${table} >>> ${to.bits === 1 ? code : `${code} * ${to.bits}`} & ${ones(to.bits)})`, to.shift);
  }
  const [[, last], ...others] = [...codes].reverse();
  const chain = others.reduce((rest, [before, after]) => `${code} === ${before} ? ${after} : ${rest}`, String(last));
  return shifted(`(${chain})`, to.shift);
}

/** Each word after the renaming, from the words before it. */
function renamedWords(layout: Layout, r: Renaming): string[] {
  const moved = Array.from(
    { length: layout.words },
    () => new Map<string, { from: number; left: number; mask: number }>(),
  );
  const looked = Array.from({ length: layout.words }, (): string[] => []);
  for (const from of layout.cells) {
    const to = imageOf(layout, from, r);
    if (from.bits === 0) continue;
    const codes = codesAfter(layout, from, to, r);
    if ([...codes].some(([before, after]) => before !== after)) {
      looked[to.word].push(lookedUp(codes, from, to));
      continue;
    }
    const left = to.shift - from.shift;
    const key = `${from.word} ${left}`;
    const mask = (moved[to.word].get(key)?.mask ?? 0) | (ones(from.bits) << from.shift);
    moved[to.word].set(key, { from: from.word, left, mask });
  }
  return moved.map((groups, word) => {
    const blocks = [...groups.values()].map(({ from, left, mask }) => shifted(`(w${from} & ${mask})`, left));
    return [...blocks, ...looked[word], '1'].join(' | ');
  });
}

/** JavaScript: a function from the words of a state to those of its renaming. */
export function renamerText(layout: Layout, r: Renaming): string {
  const read = Array.from({ length: layout.words }, (_, i) => `const w${i} = W[${i}];`);
  return `(W) => { ${read.join(' ')} return [${renamedWords(layout, r).join(', ')}]; }`;
}
