/**
 * Prints decision trees as JavaScript on words: a state is the parameters w0, w1, ..., a question is a shift and a
 * mask, questions about one word that follow each other are one comparison, and a successor is stored at `o[n]`. Trees
 * that are large become functions of their own, because V8 does not optimise functions beyond a certain size.
 */
import type { Layout, PlacedCell, ValueSet } from './layout';
import { members } from './layout';
import { markerOf } from './marker';
import { isCopy, type Tree, type Write } from './tree';

/** Characters of a function's body beyond which parts of it become functions. */
const LARGE = 6000;

const hex = (value: number) => String(value | 0);

interface Equality {
  readonly word: number;
  readonly mask: number;
  readonly bits: number;
}

const ones = (bits: number) => (bits === 0 ? 0 : -1 >>> (32 - bits));
const maskOf = (cell: PlacedCell) => ones(cell.bits) << cell.shift;

function branch(question: string, yes: string, no: string): string {
  return `if (${question}) {\n${yes}\n}${no === '' ? '' : ` else {\n${no}\n}`}`;
}

export class Emitter {
  private readonly layout: Layout;
  private readonly words: string;
  private readonly functions: string[] = [];
  private readonly names: boolean;
  private count = 0;
  private judging = false;

  /** With `names`, the number of the instance follows the words of each successor. */
  constructor(layout: Layout, names: boolean) {
    this.layout = layout;
    this.names = names;
    this.words = Array.from({ length: layout.words }, (_, i) => `w${i}`).join(', ');
  }

  /** `name(w0, w1, ..., o, n)`: stores the successors from o[n] on, and returns the new n. */
  successors(name: string, trees: readonly Tree[]): string {
    const body = trees.map((tree) => this.call(this.tree(tree))).join('\n');
    return `${this.functions.splice(0).join('\n')}\nfunction ${name}(${this.words}, o, n) {\n${body}\nreturn n;\n}`;
  }

  /** `name(w0, w1, ...)`: the property of the first tree that fails, or 0. */
  judge(name: string, trees: readonly Tree[]): string {
    this.judging = true;
    const body = trees.map((tree) => this.verdict(tree)).join('\n');
    this.judging = false;
    return `function ${name}(${this.words}) {\n${body}\nreturn 0;\n}`;
  }

  /** The text as a call of a new function. */
  private call(text: string): string {
    if (text.length < 400) return text;
    const name = `f${this.count++}`;
    this.functions.push(`function ${name}(${this.words}, o, n) {\n${text}\nreturn n;\n}`);
    return `n = ${name}(${this.words}, o, n);`;
  }

  private tree(tree: Tree): string {
    switch (tree.kind) {
      case 'none':
        return '';
      case 'all':
        return this.pieces(
          tree.trees.map((each) => this.tree(each)),
          '\n',
        );
      case 'fail':
        return this.failure(tree.property, tree.instance);
      case 'step':
        return this.store(this.successor(tree.writes), tree.instance);
      case 'test':
        return this.conditional(tree, (each) => this.tree(each));
      case 'split':
        return this.cases(tree, (each) => this.tree(each));
      case 'same':
        return this.comparison(tree, (each) => this.tree(each));
    }
  }

  private verdict(tree: Tree): string {
    switch (tree.kind) {
      case 'fail':
        return `return ${tree.property};`;
      case 'test':
        return this.conditional(tree, (each) => this.verdict(each));
      case 'split':
        return this.cases(tree, (each) => this.verdict(each));
      case 'same':
        return this.comparison(tree, (each) => this.verdict(each));
      case 'all':
        return tree.trees.map((each) => this.verdict(each)).join('\n');
      default:
        return '';
    }
  }

  private pieces(texts: readonly string[], separator: string): string {
    const total = texts.reduce((sum, text) => sum + text.length, 0);
    return texts.map((text) => (total > LARGE ? this.call(text) : text)).join(separator);
  }

  private store(words: readonly string[], instance: number): string {
    const all = this.names ? [...words, String(instance)] : words;
    const stores = all.map((word, i) => `o[${i === 0 ? 'n' : `n + ${i}`}] = ${word};`).join(' ');
    return `${stores} n += ${all.length};`;
  }

  /** A marker, and behind it the state that the rule was applied to, in the place of one more successor. */
  private failure(property: number, instance: number): string {
    const rest = Array.from({ length: this.layout.words - 1 }, () => '0');
    const state = Array.from({ length: this.layout.words }, (_, i) => `w${i}`);
    return `${this.store([hex(markerOf(property, instance)), ...rest], instance)} ${this.store(state, instance)}`;
  }

  private conditional(tree: Extract<Tree, { kind: 'test' }>, print: (tree: Tree) => string): string {
    const { cell, of, values, yes, no } = tree;
    if (no.kind === 'none') return this.chain(tree, print);
    if (yes.kind === 'none') return `if (${this.question(cell, of, of & ~values)}) {\n${print(no)}\n}`;
    return `if (${this.question(cell, of, values)}) {\n${print(yes)}\n} else {\n${print(no)}\n}`;
  }

  /** Questions that must all be answered in one way: those that fix cells of one word are one comparison. */
  private chain(first: Tree, print: (tree: Tree) => string): string {
    const equalities: Equality[] = [];
    const others: string[] = [];
    let at = first;
    while (at.kind === 'test' && (at.no.kind === 'none' || at.yes.kind === 'none')) {
      const wanted = at.no.kind === 'none' ? at.values : at.of & ~at.values;
      if ((wanted & (wanted - 1)) === 0) this.fix(equalities, this.layout.cells[at.cell], 31 - Math.clz32(wanted));
      else others.push(this.question(at.cell, at.of, wanted));
      at = at.no.kind === 'none' ? at.yes : at.no;
    }
    const fixed = equalities.map(({ word, mask, bits }) => `(w${word} & ${hex(mask)}) === ${hex(bits)}`);
    return `if (${[...fixed, ...others].join(' && ')}) {\n${print(at)}\n}`;
  }

  private fix(equalities: Equality[], cell: PlacedCell, value: number): void {
    const mask = maskOf(cell);
    const bits = cell.codes[value] << cell.shift;
    const same = equalities.findIndex(({ word }) => word === cell.word);
    if (same < 0) equalities.push({ word: cell.word, mask, bits });
    else equalities[same] = { word: cell.word, mask: equalities[same].mask | mask, bits: equalities[same].bits | bits };
  }

  /** Is the cell's value one of these? Of the others only those in `of` can occur. */
  private question(number: number, of: ValueSet, values: ValueSet): string {
    const cell = this.layout.cells[number];
    const rest = of & ~values;
    const masked = `(w${cell.word} & ${hex(maskOf(cell))})`;
    const code = (set: ValueSet) => hex(cell.codes[31 - Math.clz32(set)] << cell.shift);
    if ((values & (values - 1)) === 0) return `${masked} === ${code(values)}`;
    if ((rest & (rest - 1)) === 0) return `${masked} !== ${code(rest)}`;
    const table = members(values).reduce((set, value) => set | (1 << cell.codes[value]), 0);
    return `(${hex(table)} >>> ${this.code(cell)} & 1) === 1`;
  }

  private code(cell: PlacedCell): string {
    return `(w${cell.word} >>> ${cell.shift} & ${ones(cell.bits)})`;
  }

  private cases(tree: Extract<Tree, { kind: 'split' }>, print: (tree: Tree) => string): string {
    const cell = this.layout.cells[tree.cell];
    const texts = tree.cases.map((each) => print(each.tree));
    const total = texts.reduce((sum, text) => sum + text.length, 0);
    const bodies = total > LARGE && !this.judging ? texts.map((text) => this.call(text)) : texts;
    const live = tree.cases.map(({ values }, i) => ({ values, body: bodies[i] })).filter(({ body }) => body !== '');
    if (tree.cases.length === 1) return bodies[0];
    if (tree.cases.length === 2 || live.length === 1) {
      const of = tree.cases.reduce((set, { values }) => set | values, 0);
      const [first, second] = live;
      return branch(this.question(tree.cell, of, first.values), first.body, second?.body ?? '');
    }
    const labels = (values: ValueSet) =>
      members(values)
        .map((value) => `case ${cell.codes[value]}:`)
        .join(' ');
    const cases = live.map(({ values, body }) => `${labels(values)} {\n${body}\nbreak;\n}`);
    return `switch ${this.code(cell)} {\n${cases.join('\n')}\n}`;
  }

  private comparison(tree: Extract<Tree, { kind: 'same' }>, print: (tree: Tree) => string): string {
    const [first, second] = [this.code(this.layout.cells[tree.cell]), this.code(this.layout.cells[tree.other])];
    if (tree.yes.kind === 'none') return branch(`${first} !== ${second}`, print(tree.no), '');
    return branch(`${first} === ${second}`, print(tree.yes), print(tree.no));
  }

  /** Each word of the new state, from those of the old one. */
  private successor(writes: readonly Write[]): string[] {
    return Array.from({ length: this.layout.words }, (_, word) => {
      const here = writes.filter(
        ({ cell }) => this.layout.cells[cell].word === word && this.layout.cells[cell].bits > 0,
      );
      return here.length === 0 ? `w${word}` : this.word(word, here);
    });
  }

  private word(word: number, writes: readonly Write[]): string {
    let flips = 0;
    let mask = 0;
    let bits = 0;
    const copies: string[] = [];
    for (const write of writes) {
      const cell = this.layout.cells[write.cell];
      const { held } = write;
      if (!isCopy(write)) {
        const code = cell.codes[write.value.value];
        // Where the old value is known, one exclusive or changes it.
        if ((held & (held - 1)) === 0) flips |= (code ^ cell.codes[31 - Math.clz32(held)]) << cell.shift;
        else {
          mask |= maskOf(cell);
          bits |= code << cell.shift;
        }
      } else {
        mask |= maskOf(cell);
        copies.push(this.copy(cell, this.layout.cells[write.value.cell], write.value.plus, write.of));
      }
    }
    const flipped = flips === 0 ? `w${word}` : `w${word} ^ ${hex(flips)}`;
    if (mask === 0) return flipped;
    const kept = flips === 0 ? `w${word} & ${hex(~mask)}` : `(${flipped}) & ${hex(~mask)}`;
    return [kept, ...(bits === 0 ? [] : [hex(bits)]), ...copies].join(' | ');
  }

  /** The executor has made sure that one difference fits all values, or that the table fits into a word. */
  private copy(to: PlacedCell, from: PlacedCell, plus: number, of: ValueSet): string {
    const values = members(of);
    const differences = values.map((value) => to.codes[value + plus] - from.codes[value]);
    if (differences.every((difference) => difference === differences[0])) {
      if (differences[0] !== 0) return `(${this.code(from)} + ${differences[0]}) << ${to.shift}`;
      const masked = `(w${from.word} & ${hex(maskOf(from))})`;
      return to.shift === from.shift
        ? masked
        : to.shift > from.shift
          ? `${masked} << ${to.shift - from.shift}`
          : `${masked} >>> ${from.shift - to.shift}`;
    }
    const table = values.reduce((bits, value) => bits | (to.codes[value + plus] << (from.codes[value] * to.bits)), 0);
    return `(${hex(table)} >>> ${this.code(from)} * ${to.bits} & ${ones(to.bits)}) << ${to.shift}`;
  }
}
