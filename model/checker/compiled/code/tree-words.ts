/**
 * Decision trees as words, in which form they are kept in files and handed to threads. What is read has cells of the
 * layout, values of those cells and nothing else, so code that is printed from it consists of what the emitter puts
 * there and of numbers.
 *
 *   | kind | what the kind has, as in tree.ts | subtrees ... |
 */
import { Malformed, WordReader } from '../../translate/words';
import { fullSet, type Layout, members, type ValueSet } from './layout';
import { MAX_INSTANCES, NO_CODE } from './marker';
import { isCopy, type Tree, type Write } from './tree';

const KINDS = ['none', 'test', 'split', 'same', 'step', 'fail', 'all'] as const satisfies readonly Tree['kind'][];

/** Far beyond the number of questions on any path: what is nested deeper would only use up the stack. */
const DEEPEST = 1000;
/** A constant that is added to a value: values are 0..31. */
const FURTHEST = 64;

function putTree(tree: Tree, to: number[]): void {
  to.push(KINDS.indexOf(tree.kind));
  switch (tree.kind) {
    case 'none':
      return;
    case 'test':
      to.push(tree.cell, tree.of, tree.values);
      putTree(tree.yes, to);
      return putTree(tree.no, to);
    case 'split':
      to.push(tree.cell, tree.cases.length);
      for (const each of tree.cases) {
        to.push(each.values);
        putTree(each.tree, to);
      }
      return;
    case 'same':
      to.push(tree.cell, tree.other);
      putTree(tree.yes, to);
      return putTree(tree.no, to);
    case 'step':
      to.push(tree.instance, tree.writes.length);
      for (const write of tree.writes) putWrite(write, to);
      return;
    case 'fail':
      to.push(tree.instance, tree.property);
      return;
    case 'all':
      return putTrees(tree.trees, to);
  }
}

function putWrite(write: Write, to: number[]): void {
  to.push(isCopy(write) ? 1 : 0, write.cell, write.held);
  if (isCopy(write)) to.push(write.value.cell, write.value.plus, write.of);
  else to.push(write.value.value);
}

export function putTrees(trees: readonly Tree[], to: number[]): void {
  to.push(trees.length);
  for (const tree of trees) putTree(tree, to);
}

/** Reads trees of one layout. Throws Malformed. */
export class TreeReader {
  readonly words: WordReader;
  private readonly layout: Layout;
  private depth = 0;

  constructor(words: Int32Array, layout: Layout) {
    this.words = new WordReader(words);
    this.layout = layout;
  }

  trees(): Tree[] {
    return this.words.list(() => this.tree());
  }

  cell(): number {
    return this.words.next(0, this.layout.cells.length - 1);
  }

  private tree(): Tree {
    if (++this.depth > DEEPEST) throw new Malformed(`a tree is deeper than ${DEEPEST}`);
    const tree = this.treeOf(KINDS[this.words.next(0, KINDS.length - 1)]);
    this.depth--;
    return tree;
  }

  private treeOf(kind: Tree['kind']): Tree {
    const { words } = this;
    switch (kind) {
      case 'none':
        return { kind };
      case 'test': {
        const cell = this.cell();
        const of = this.valuesOf(cell);
        const values = words.any();
        if (values === 0 || (values & ~of) !== 0) throw new Malformed(`a test of cell ${cell} asks for other values`);
        return { kind, cell, of, values, yes: this.tree(), no: this.tree() };
      }
      case 'split': {
        const cell = this.cell();
        const cases = words.list(() => ({ values: this.valuesOf(cell), tree: this.tree() }));
        if (cases.length === 0) throw new Malformed(`a split of cell ${cell} has no cases`);
        return { kind, cell, cases };
      }
      case 'same':
        return { kind, cell: this.cell(), other: this.cell(), yes: this.tree(), no: this.tree() };
      case 'step':
        return { kind, instance: this.instance(), writes: words.list(() => this.write()) };
      case 'fail':
        return { kind, instance: this.instance(), property: words.next(0, NO_CODE) };
      case 'all':
        return { kind, trees: this.trees() };
    }
  }

  private write(): Write {
    const { words } = this;
    const copies = words.truth();
    const cell = this.cell();
    const held = this.valuesOf(cell);
    if (!copies) {
      const value = words.next(0, this.layout.cells[cell].size - 1);
      if (this.layout.cells[cell].codes[value] < 0) throw new Malformed(`cell ${cell} has no code for ${value}`);
      return { cell, held, value: { kind: 'known', value } };
    }
    const from = this.cell();
    const plus = words.next(-FURTHEST, FURTHEST);
    const of = this.valuesOf(from);
    const { codes } = this.layout.cells[cell];
    if (members(of).some((value) => (codes[value + plus] ?? -1) < 0))
      throw new Malformed(`cell ${cell} has no code for what it would get of cell ${from}`);
    return { cell, held, value: { kind: 'cell', cell: from, plus }, of };
  }

  private instance(): number {
    return this.words.next(0, MAX_INSTANCES - 1);
  }

  /** Some of the values that the cell has codes for. */
  private valuesOf(cell: number): ValueSet {
    const values = this.words.any();
    const { values: expected, size } = this.layout.cells[cell];
    if (values === 0 || (values & ~(expected & fullSet(size))) !== 0)
      throw new Malformed(`cell ${cell} has no such set of values`);
    return values;
  }
}
