/**
 * Executes rules on an unknown state: wherever the outcome depends on a cell, both outcomes are followed, with what has been learnt about the cell, and the
 * result is a decision tree. Written with continuations, so that a condition in the middle of an expression needs no second run up to there:
 * `condition(e, path, yes, no)` calls `yes` or `no` with what is known there, or both, below a test. The program must be without quantifiers.
 */
import { compare } from '../fold';
import type { Comparison, Expr, Statement } from '../ir';
import { isCondition } from '../ir';
import { cellAt, type Layout, members, type ValueSet } from './layout';
import { NO_CELL, NO_CODE } from './marker';
import { type Facts, known, NONE, same, split, type Tree, test, type Value, type Write } from './tree';

type Local = Value | boolean;
type CellValue = Extract<Value, { kind: 'cell' }>;

/** A place on one path through a rule. Never changed: each step makes a new one. */
interface Path {
  readonly facts: Facts;
  readonly locals: ReadonlyMap<string, Local>;
  readonly writes: ReadonlyMap<number, Value>;
  /** The first property that the path violates. */
  readonly failed: number;
}

type Then = (path: Path) => Tree;
type WithValue = (value: Value, path: Path) => Tree;

function learn(path: Path, cell: number, values: ValueSet): Path {
  const facts = path.facts.slice();
  facts[cell] = values;
  return { ...path, facts };
}

/** A cell of which one value is left is known. */
function settled(value: Value, path: Path): Value {
  if (value.kind === 'known') return value;
  const set = path.facts[value.cell];
  return (set & (set - 1)) === 0 ? known(31 - Math.clz32(set) + value.plus) : value;
}

export class Executor {
  private readonly layout: Layout;
  private instance = 0;

  constructor(layout: Layout) {
    this.layout = layout;
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
    this.instance = instance;
    const locals = new Map<string, Local>(params.map((name, i) => [name, known(args[i])]));
    return this.statements(body, 0, { facts, locals, writes: new Map(), failed: 0 }, (path) => this.step(path));
  }

  /** A condition of a state: a tree with `no` where it does not hold. */
  violation(condition: Expr, facts: Facts, property: number): Tree {
    this.instance = 0;
    const path: Path = { facts, locals: new Map(), writes: new Map(), failed: 0 };
    return this.condition(
      condition,
      path,
      () => NONE,
      () => this.fail(property),
    );
  }

  private fail(property: number): Tree {
    return { kind: 'fail', instance: this.instance, property };
  }

  private statements(list: readonly Statement[], at: number, path: Path, then: Then): Tree {
    if (at === list.length) return then(path);
    const next: Then = (after) => this.statements(list, at + 1, after, then);
    const statement = list[at];
    switch (statement.kind) {
      case 'reject':
        return NONE;
      case 'let':
        return this.let(statement, path, next);
      case 'if':
        return this.condition(
          statement.condition,
          path,
          (yes) => this.statements(statement.yes, 0, yes, next),
          (no) => this.statements(statement.no, 0, no, next),
        );
      case 'assign':
        return this.value(statement.value, path, (value, before) =>
          this.place(statement.field, statement.indices, before, (cell, after) =>
            next({ ...after, writes: new Map(after.writes).set(cell, settled(value, after)) }),
          ),
        );
      case 'require':
        // Whatever follows is not asked for: the application is a violation of the first property that fails.
        return this.condition(statement.condition, path, next, () => this.fail(statement.property));
    }
  }

  private let(statement: Extract<Statement, { kind: 'let' }>, path: Path, next: Then): Tree {
    const bind = (after: Path, value: Local) =>
      next({ ...after, locals: new Map(after.locals).set(statement.name, value) });
    if (statement.type === 'int') return this.value(statement.value, path, (value, after) => bind(after, value));
    return this.condition(
      statement.value,
      path,
      (yes) => bind(yes, true),
      (no) => bind(no, false),
    );
  }

  private place(field: string, indices: readonly Expr[], path: Path, then: (cell: number, path: Path) => Tree): Tree {
    const collect = (found: readonly number[], at: Path): Tree => {
      if (found.length === indices.length) {
        const cell = cellAt(this.layout, field, found);
        return cell < 0 ? this.fail(NO_CELL) : then(cell, at);
      }
      return this.knownValue(indices[found.length], at, (index, after) => collect([...found, index], after));
    };
    return collect([], path);
  }

  private value(expr: Expr, path: Path, then: WithValue): Tree {
    switch (expr.kind) {
      case 'int':
        return then(known(expr.value), path);
      case 'local':
        return then(settled(path.locals.get(expr.name) as Value, path), path);
      case 'read':
        return this.place(expr.field, expr.indices, path, (cell, after) =>
          then(settled(after.writes.get(cell) ?? { kind: 'cell', cell, plus: 0 }, after), after),
        );
      case 'choose':
        return this.condition(
          expr.condition,
          path,
          (yes) => this.value(expr.yes, yes, then),
          (no) => this.value(expr.no, no, then),
        );
      case 'arithmetic':
        return this.arithmetic(expr, path, then);
      default:
        throw new RangeError(`an expression of kind ${expr.kind} is no value`);
    }
  }

  private arithmetic(expr: Extract<Expr, { kind: 'arithmetic' }>, path: Path, then: WithValue): Tree {
    const { operator } = expr;
    if (operator === '%')
      return this.knownValue(expr.left, path, (left, a) =>
        this.knownValue(expr.right, a, (right, b) => then(known(left % right), b)),
      );
    return this.value(expr.left, path, (first, a) =>
      this.knownValue(expr.right, a, (right, b) => {
        const left = settled(first, b);
        const plus = operator === '+' ? right : -right;
        return then(left.kind === 'known' ? known(left.value + plus) : { ...left, plus: left.plus + plus }, b);
      }),
    );
  }

  /** The value as a number: where it is not known, each possible one is followed. */
  private knownValue(expr: Expr, path: Path, then: (value: number, path: Path) => Tree): Tree {
    return this.value(expr, path, (value, after) => this.settle(value, after, then));
  }

  private settle(value: Value, path: Path, then: (value: number, path: Path) => Tree): Tree {
    const now = settled(value, path);
    if (now.kind === 'known') return then(now.value, path);
    const { cell, plus } = now;
    return split(
      cell,
      members(path.facts[cell]).map((each) => ({
        values: 1 << each,
        tree: then(each + plus, learn(path, cell, 1 << each)),
      })),
    );
  }

  private condition(expr: Expr, path: Path, yes: Then, no: Then): Tree {
    switch (expr.kind) {
      case 'bool':
        return expr.value ? yes(path) : no(path);
      case 'local':
        return path.locals.get(expr.name) === true ? yes(path) : no(path);
      case 'not':
        return this.condition(expr.operand, path, no, yes);
      case 'and':
        return this.condition(expr.left, path, (after) => this.condition(expr.right, after, yes, no), no);
      case 'or':
        return this.condition(expr.left, path, yes, (after) => this.condition(expr.right, after, yes, no));
      case 'choose':
        return this.condition(
          expr.condition,
          path,
          (after) => this.condition(expr.yes, after, yes, no),
          (after) => this.condition(expr.no, after, yes, no),
        );
      case 'compare':
        return isCondition(expr.left)
          ? this.sameTruth(expr.operator, expr.left, expr.right, path, yes, no)
          : this.value(expr.left, path, (left, a) =>
              this.value(expr.right, a, (right, b) => this.comparison(expr.operator, left, right, b, yes, no)),
            );
      default:
        throw new RangeError(`an expression of kind ${expr.kind} is no condition of a program without quantifiers`);
    }
  }

  private sameTruth(operator: Comparison, left: Expr, right: Expr, path: Path, yes: Then, no: Then): Tree {
    const [same, other] = operator === '===' ? [yes, no] : [no, yes];
    return this.condition(
      left,
      path,
      (after) => this.condition(right, after, same, other),
      (after) => this.condition(right, after, other, same),
    );
  }

  private comparison(operator: Comparison, first: Value, second: Value, path: Path, yes: Then, no: Then): Tree {
    const left = settled(first, path);
    const right = settled(second, path);
    if (left.kind === 'known') {
      if (right.kind === 'known') return compare(operator, left.value, right.value) ? yes(path) : no(path);
      return this.ask(right, (value) => compare(operator, left.value, value), path, yes, no);
    }
    if (right.kind === 'known') return this.ask(left, (value) => compare(operator, value, right.value), path, yes, no);
    if ((operator === '===' || operator === '!==') && this.comparable(left, right, path)) {
      const [equal, other] = operator === '===' ? [yes, no] : [no, yes];
      const both = path.facts[left.cell] & path.facts[right.cell];
      if (both === 0) return other(path);
      return same(left.cell, right.cell, equal(learn(learn(path, left.cell, both), right.cell, both)), other(path));
    }
    // Two unknown cells: one of them is followed value by value.
    return this.settle(right, path, (value, after) => this.comparison(operator, left, known(value), after, yes, no));
  }

  /** Do equal codes of the two cells mean equal values, and the other way round? */
  private comparable(left: CellValue, right: CellValue, path: Path): boolean {
    const [a, b] = [this.layout.cells[left.cell], this.layout.cells[right.cell]];
    if (left.plus !== 0 || right.plus !== 0 || left.cell === right.cell) return false;
    if (a.plain && b.plain) return true;
    return members(path.facts[a.number]).every((value) =>
      members(path.facts[b.number]).every((other) => (a.codes[value] === b.codes[other]) === (value === other)),
    );
  }

  private ask(value: CellValue, holds: (value: number) => boolean, path: Path, yes: Then, no: Then): Tree {
    const { cell, plus } = value;
    const of = path.facts[cell];
    const values = members(of).reduce((set, each) => (holds(each + plus) ? set | (1 << each) : set), 0);
    if (values === 0) return no(path);
    if (values === of) return yes(path);
    return test(cell, of, values, yes(learn(path, cell, values)), no(learn(path, cell, of & ~values)));
  }

  /** The end of an application: the new state, if the layout has codes for it. */
  private step(path: Path): Tree {
    const writes: Write[] = [];
    for (const [cell, written] of path.writes) {
      const value = settled(written, path);
      const held = path.facts[cell];
      if (value.kind === 'known') {
        if (this.codeOf(cell, value.value) < 0) return this.fail(NO_CODE);
        if (held === 1 << value.value) continue;
      } else {
        if (value.cell === cell && value.plus === 0) continue;
        const of = path.facts[value.cell];
        const values = members(of).reduce(
          (set, each) => (this.codeOf(cell, each + value.plus) < 0 ? set : set | (1 << each)),
          0,
        );
        if (values !== of) return this.narrowed(value.cell, of, values, path);
        if (!this.copies(cell, value, values)) return this.settle(value, path, (_, after) => this.step(after));
      }
      writes.push({ cell, value });
    }
    return { kind: 'step', instance: this.instance, writes, facts: path.facts };
  }

  private narrowed(cell: number, of: ValueSet, values: ValueSet, path: Path): Tree {
    const good = values === 0 ? NONE : this.step(learn(path, cell, values));
    return values === 0 ? this.fail(NO_CODE) : test(cell, of, values, good, this.fail(NO_CODE));
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
