/**
 * What is known on the path that a symbolic execution (symbolic.ts) follows: the values that each cell of the state can
 * have, locals, and writes. Each is held while a continuation runs and put back when it has returned its tree: rules
 * are executed tens of thousands of times, and copies would cost more than the execution.
 */
import { type Layout, members, type ValueSet } from './layout';
import { type Facts, known, type Tree, type Value } from './tree';

export type Local = Value | boolean;
export type CellValue = Extract<Value, { kind: 'cell' }>;
export type Then = () => Tree;

const isSingle = (set: ValueSet) => (set & (set - 1)) === 0;

/** What the entry of a map is while the continuation runs. */
function during<K, V>(map: Map<K, V>, key: K, value: V, then: Then): Tree {
  const before = map.get(key);
  map.set(key, value);
  const tree = then();
  if (before === undefined) map.delete(key);
  else map.set(key, before);
  return tree;
}

export class Path {
  readonly layout: Layout;
  /** The values that each cell can have, as it was before the rule wrote. */
  readonly facts: Facts;
  /** What the rule has written to cells. */
  readonly writes = new Map<number, Value>();
  private readonly locals = new Map<string, Local>();
  /** What a cell holds that has not been written. */
  private readonly unwritten: readonly Value[];

  constructor(layout: Layout) {
    this.layout = layout;
    this.facts = this.anything();
    this.unwritten = layout.cells.map(({ number }) => ({ kind: 'cell', cell: number, plus: 0 }));
  }

  /** What the cells can be before anything is asked. */
  anything(): Facts {
    return Int32Array.from(this.layout.cells, (cell) => cell.values);
  }

  /** A new path, on which these facts hold. */
  begin(facts: Facts): void {
    this.facts.set(facts);
    this.locals.clear();
    this.writes.clear();
  }

  /** Gives a local its value for the whole path. */
  define(name: string, value: Local): void {
    this.locals.set(name, value);
  }

  /** What follows if the cell has one of these values. */
  learn(cell: number, values: ValueSet, then: Then): Tree {
    const before = this.facts[cell];
    this.facts[cell] = values;
    const tree = then();
    this.facts[cell] = before;
    return tree;
  }

  /** What follows once the local has this value. */
  bound(name: string, value: Local, then: Then): Tree {
    return during(this.locals, name, value, then);
  }

  /** What follows once the cell has been written. */
  written(cell: number, value: Value, then: Then): Tree {
    return during(this.writes, cell, this.settled(value), then);
  }

  /** A cell of which one value is left is known. */
  settled(value: Value): Value {
    if (value.kind === 'known') return value;
    const set = this.facts[value.cell];
    return isSingle(set) ? known(31 - Math.clz32(set) + value.plus) : value;
  }

  read(cell: number): Value {
    return this.settled(this.writes.get(cell) ?? this.unwritten[cell]);
  }

  /** A local that is a value. */
  local(name: string): Value {
    return this.settled(this.locals.get(name) as Value);
  }

  /** A local that is a truth value. */
  isTrue(name: string): boolean {
    return this.locals.get(name) === true;
  }

  codeOf(cell: number, value: number): number {
    return this.layout.cells[cell].codes[value] ?? -1;
  }

  /** Do equal codes of the two cells mean equal values, and the other way round? */
  comparable(left: CellValue, right: CellValue): boolean {
    const [a, b] = [this.layout.cells[left.cell], this.layout.cells[right.cell]];
    if (left.plus !== 0 || right.plus !== 0 || left.cell === right.cell) return false;
    if (a.plain && b.plain) return true;
    return members(this.facts[a.number]).every((value) =>
      members(this.facts[b.number]).every((other) => (a.codes[value] === b.codes[other]) === (value === other)),
    );
  }

  /** Can the code be computed, by adding a constant or from a table in one word? */
  copies(cell: number, value: CellValue, values: ValueSet): boolean {
    const [to, from] = [this.layout.cells[cell], this.layout.cells[value.cell]];
    const differences = members(values).map(
      (each) => this.codeOf(cell, each + value.plus) - this.codeOf(value.cell, each),
    );
    return to.bits << from.bits <= 32 || differences.every((difference) => difference === differences[0]);
  }
}
