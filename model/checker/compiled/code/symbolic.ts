/**
 * Executes rules on an unknown state: wherever the outcome depends on a cell, both outcomes are followed, with what has
 * been learnt about the cell, and the result is a decision tree. Written with continuations, so that a condition in the
 * middle of an expression needs no second run up to there: `condition(e, yes, no)` calls `yes` or `no`, or both, below
 * a test. What is known on the way (facts, locals, writes) is held while the continuation runs and put back when it has
 * returned its tree: rules are executed tens of thousands of times, and copies would cost more than the execution. The
 * program must be without quantifiers.
 */
import { compare } from '../../translate/fold';
import type { Comparison, Expr, Statement } from '../../translate/ir';
import { isCondition } from '../../translate/ir';
import { cellAt, type Layout, members, subset, type ValueSet } from './layout';
import { NO_CELL, NO_CODE } from './marker';
import { type Facts, known, NONE, same, split, type Tree, test, type Value, type Write } from './tree';

type Local = Value | boolean;
type CellValue = Extract<Value, { kind: 'cell' }>;

type Then = () => Tree;
type WithValue = (value: Value) => Tree;

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

export class Executor {
  private readonly layout: Layout;
  private instance = 0;
  /** The values that each cell can have on the present path. */
  private readonly facts: Facts;
  private readonly locals = new Map<string, Local>();
  private readonly writes = new Map<number, Value>();
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

  /** A rule with these arguments, where these facts hold. */
  rule(
    body: readonly Statement[],
    params: readonly string[],
    args: readonly number[],
    instance: number,
    facts: Facts,
  ): Tree {
    this.begin(instance, facts);
    for (let i = 0; i < params.length; i++) this.locals.set(params[i], known(args[i]));
    return this.statements(body, 0, () => this.step());
  }

  /** A condition of a state: a tree with `no` where it does not hold. */
  violation(condition: Expr, facts: Facts, property: number): Tree {
    this.begin(0, facts);
    return this.condition(
      condition,
      () => NONE,
      () => this.fail(property),
    );
  }

  private begin(instance: number, facts: Facts): void {
    this.instance = instance;
    this.facts.set(facts);
    this.locals.clear();
    this.writes.clear();
  }

  protected fail(property: number): Tree {
    return { kind: 'fail', instance: this.instance, property };
  }

  /** What follows if the cell has one of these values; a subclass may leave that open. */
  protected learn(cell: number, values: ValueSet, then: Then): Tree {
    const before = this.facts[cell];
    this.facts[cell] = values;
    const tree = then();
    this.facts[cell] = before;
    return tree;
  }

  /** A cell of which one value is left is known. */
  private settled(value: Value): Value {
    if (value.kind === 'known') return value;
    const set = this.facts[value.cell];
    return isSingle(set) ? known(31 - Math.clz32(set) + value.plus) : value;
  }

  private statements(list: readonly Statement[], at: number, then: Then): Tree {
    if (at === list.length) return then();
    const next: Then = () => this.statements(list, at + 1, then);
    const statement = list[at];
    switch (statement.kind) {
      case 'reject':
        return NONE;
      case 'let':
        return this.let(statement, next);
      case 'if':
        return this.condition(
          statement.condition,
          () => this.statements(statement.yes, 0, next),
          () => this.statements(statement.no, 0, next),
        );
      case 'assign':
        return this.value(statement.value, (value) =>
          this.place(statement.field, statement.indices, (cell) =>
            during(this.writes, cell, this.settled(value), next),
          ),
        );
      case 'require':
        // Whatever follows is not asked for: the application is a violation of the first property that fails.
        return this.condition(statement.condition, next, () => this.fail(statement.property));
    }
  }

  private let({ name, type, value }: Extract<Statement, { kind: 'let' }>, next: Then): Tree {
    const bind = (bound: Local) => during(this.locals, name, bound, next);
    if (type === 'int') return this.value(value, bind);
    return this.condition(
      value,
      () => bind(true),
      () => bind(false),
    );
  }

  private place(field: string, indices: readonly Expr[], then: (cell: number) => Tree): Tree {
    const now = this.immediatePlace(field, indices);
    if (now >= 0) return then(now);
    const collect = (found: readonly number[]): Tree => {
      if (found.length === indices.length) {
        const cell = cellAt(this.layout, field, found);
        return cell < 0 ? this.fail(NO_CELL) : then(cell);
      }
      return this.knownValue(indices[found.length], (index) => collect([...found, index]));
    };
    return collect([]);
  }

  /** The value, if nothing has to be asked to name it. */
  private immediate(expr: Expr): Value | undefined {
    switch (expr.kind) {
      case 'int':
        return known(expr.value);
      case 'local':
        return this.settled(this.locals.get(expr.name) as Value);
      case 'read': {
        const cell = this.immediatePlace(expr.field, expr.indices);
        return cell < 0 ? undefined : this.read(cell);
      }
      default:
        return undefined;
    }
  }

  /** The cell, if nothing has to be asked to name it; -1 otherwise. */
  private immediatePlace(field: string, indices: readonly Expr[]): number {
    const found: number[] = [];
    for (const index of indices) {
      const value = this.immediate(index);
      if (value?.kind !== 'known') return -1;
      found.push(value.value);
    }
    return cellAt(this.layout, field, found);
  }

  private read(cell: number): Value {
    return this.settled(this.writes.get(cell) ?? this.unwritten[cell]);
  }

  private value(expr: Expr, then: WithValue): Tree {
    const now = this.immediate(expr);
    if (now !== undefined) return then(now);
    switch (expr.kind) {
      case 'read':
        return this.place(expr.field, expr.indices, (cell) => then(this.read(cell)));
      case 'choose':
        return this.condition(
          expr.condition,
          () => this.value(expr.yes, then),
          () => this.value(expr.no, then),
        );
      case 'arithmetic':
        return this.arithmetic(expr, then);
      default:
        throw new RangeError(`an expression of kind ${expr.kind} is no value`);
    }
  }

  private arithmetic(expr: Extract<Expr, { kind: 'arithmetic' }>, then: WithValue): Tree {
    const { operator } = expr;
    if (operator === '%')
      return this.knownValue(expr.left, (left) => this.knownValue(expr.right, (right) => then(known(left % right))));
    return this.value(expr.left, (first) =>
      this.knownValue(expr.right, (right) => {
        const left = this.settled(first);
        const plus = operator === '+' ? right : -right;
        return then(left.kind === 'known' ? known(left.value + plus) : { ...left, plus: left.plus + plus });
      }),
    );
  }

  /** The value as a number: where it is not known, each possible one is followed. */
  private knownValue(expr: Expr, then: (value: number) => Tree): Tree {
    return this.value(expr, (value) => this.settle(value, then));
  }

  private settle(value: Value, then: (value: number) => Tree): Tree {
    const now = this.settled(value);
    if (now.kind === 'known') return then(now.value);
    const { cell, plus } = now;
    return split(
      cell,
      members(this.facts[cell]).map((each) => ({
        values: 1 << each,
        tree: this.learn(cell, 1 << each, () => then(each + plus)),
      })),
    );
  }

  private condition(expr: Expr, yes: Then, no: Then): Tree {
    switch (expr.kind) {
      case 'bool':
        return expr.value ? yes() : no();
      case 'local':
        return this.locals.get(expr.name) === true ? yes() : no();
      case 'not':
        return this.condition(expr.operand, no, yes);
      case 'and':
        return this.condition(expr.left, () => this.condition(expr.right, yes, no), no);
      case 'or':
        return this.condition(expr.left, yes, () => this.condition(expr.right, yes, no));
      case 'choose':
        return this.condition(
          expr.condition,
          () => this.condition(expr.yes, yes, no),
          () => this.condition(expr.no, yes, no),
        );
      case 'compare':
        return isCondition(expr.left)
          ? this.sameTruth(expr.operator, expr.left, expr.right, yes, no)
          : this.value(expr.left, (left) =>
              this.value(expr.right, (right) => this.comparison(expr.operator, left, right, yes, no)),
            );
      default:
        throw new RangeError(`an expression of kind ${expr.kind} is no condition of a program without quantifiers`);
    }
  }

  private sameTruth(operator: Comparison, left: Expr, right: Expr, yes: Then, no: Then): Tree {
    const [same, other] = operator === '===' ? [yes, no] : [no, yes];
    return this.condition(
      left,
      () => this.condition(right, same, other),
      () => this.condition(right, other, same),
    );
  }

  private comparison(operator: Comparison, first: Value, second: Value, yes: Then, no: Then): Tree {
    const left = this.settled(first);
    const right = this.settled(second);
    if (left.kind === 'known') {
      if (right.kind === 'known') return compare(operator, left.value, right.value) ? yes() : no();
      return this.ask(right, (value) => compare(operator, left.value, value), yes, no);
    }
    if (right.kind === 'known') return this.ask(left, (value) => compare(operator, value, right.value), yes, no);
    if ((operator === '===' || operator === '!==') && this.comparable(left, right)) {
      const [equal, other] = operator === '===' ? [yes, no] : [no, yes];
      const both = this.facts[left.cell] & this.facts[right.cell];
      if (both === 0) return other();
      const alike = this.learn(left.cell, both, () => this.learn(right.cell, both, equal));
      return same(left.cell, right.cell, alike, other());
    }
    // Two unknown cells: one of them is followed value by value.
    return this.settle(right, (value) => this.comparison(operator, left, known(value), yes, no));
  }

  /** Do equal codes of the two cells mean equal values, and the other way round? */
  private comparable(left: CellValue, right: CellValue): boolean {
    const [a, b] = [this.layout.cells[left.cell], this.layout.cells[right.cell]];
    if (left.plus !== 0 || right.plus !== 0 || left.cell === right.cell) return false;
    if (a.plain && b.plain) return true;
    return members(this.facts[a.number]).every((value) =>
      members(this.facts[b.number]).every((other) => (a.codes[value] === b.codes[other]) === (value === other)),
    );
  }

  private ask({ cell, plus }: CellValue, holds: (value: number) => boolean, yes: Then, no: Then): Tree {
    const of = this.facts[cell];
    const values = subset(of, (each) => holds(each + plus));
    if (values === 0) return no();
    if (values === of) return yes();
    return test(cell, of, values, this.learn(cell, values, yes), this.learn(cell, of & ~values, no));
  }

  /** The end of an application: the new state, if the layout has codes for it. */
  private step(): Tree {
    const writes: Write[] = [];
    for (const [cell, written] of this.writes) {
      const value = this.settled(written);
      const held = this.facts[cell];
      if (value.kind === 'known') {
        if (this.codeOf(cell, value.value) < 0) return this.fail(NO_CODE);
        if (held !== 1 << value.value) writes.push({ cell, held, value });
        continue;
      }
      if (value.cell === cell && value.plus === 0) continue;
      const of = this.facts[value.cell];
      const values = subset(of, (each) => this.codeOf(cell, each + value.plus) >= 0);
      if (values !== of) return this.narrowed(value.cell, of, values);
      if (!this.copies(cell, value, values)) return this.settle(value, () => this.step());
      writes.push({ cell, held, value, of });
    }
    return { kind: 'step', instance: this.instance, writes };
  }

  private narrowed(cell: number, of: ValueSet, values: ValueSet): Tree {
    if (values === 0) return this.fail(NO_CODE);
    return test(
      cell,
      of,
      values,
      this.learn(cell, values, () => this.step()),
      this.fail(NO_CODE),
    );
  }

  private codeOf(cell: number, value: number): number {
    return this.layout.cells[cell].codes[value] ?? -1;
  }

  /** Can the code be computed, by adding a constant or from a table in one word? */
  private copies(cell: number, value: CellValue, values: ValueSet): boolean {
    const [to, from] = [this.layout.cells[cell], this.layout.cells[value.cell]];
    const differences = members(values).map(
      (each) => this.codeOf(cell, each + value.plus) - this.codeOf(value.cell, each),
    );
    return to.bits << from.bits <= 32 || differences.every((difference) => difference === differences[0]);
  }
}
