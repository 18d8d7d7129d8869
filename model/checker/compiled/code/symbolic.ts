/**
 * Executes rules on an unknown state: wherever the outcome depends on a cell, both outcomes are followed, with what has
 * been learnt about the cell, and the result is a decision tree. Written with continuations, so that a condition in the
 * middle of an expression needs no second run up to there: `condition(e, yes, no)` calls `yes` or `no`, or both, below
 * a test. What is known on the way is in path.ts. The program must be without quantifiers.
 */
import { compare } from '../../translate/fold';
import type { Comparison, Expr, Statement } from '../../translate/ir';
import { isCondition } from '../../translate/ir';
import { cellAt, type Layout, members, subset, type ValueSet } from './layout';
import { NO_CELL, NO_CODE } from './marker';
import { type CellValue, type Local, Path, type Then } from './path';
import { type Facts, known, NONE, same, split, type Tree, test, type Value, type Write } from './tree';

type WithValue = (value: Value) => Tree;

export class Executor {
  private readonly path: Path;
  private instance = 0;

  /** `path` knows what has been learnt, and may leave open what follows from it. */
  constructor(layout: Layout, path: Path = new Path(layout)) {
    this.path = path;
  }

  /** What the cells can be before anything is asked. */
  anything(): Facts {
    return this.path.anything();
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
    for (let i = 0; i < params.length; i++) this.path.define(params[i], known(args[i]));
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
    this.path.begin(facts);
  }

  private fail(property: number): Tree {
    return { kind: 'fail', instance: this.instance, property };
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
          this.place(statement.field, statement.indices, (cell) => this.path.written(cell, value, next)),
        );
      case 'require':
        // Whatever follows is not asked for: the application is a violation of the first property that fails.
        return this.condition(statement.condition, next, () => this.fail(statement.property));
    }
  }

  private let({ name, type, value }: Extract<Statement, { kind: 'let' }>, next: Then): Tree {
    const bind = (bound: Local) => this.path.bound(name, bound, next);
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
        const cell = cellAt(this.path.layout, field, found);
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
        return this.path.local(expr.name);
      case 'read': {
        const cell = this.immediatePlace(expr.field, expr.indices);
        return cell < 0 ? undefined : this.path.read(cell);
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
    return cellAt(this.path.layout, field, found);
  }

  private value(expr: Expr, then: WithValue): Tree {
    const now = this.immediate(expr);
    if (now !== undefined) return then(now);
    switch (expr.kind) {
      case 'read':
        return this.place(expr.field, expr.indices, (cell) => then(this.path.read(cell)));
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
        const left = this.path.settled(first);
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
    const now = this.path.settled(value);
    if (now.kind === 'known') return then(now.value);
    const { cell, plus } = now;
    return split(
      cell,
      members(this.path.facts[cell]).map((each) => ({
        values: 1 << each,
        tree: this.path.learn(cell, 1 << each, () => then(each + plus)),
      })),
    );
  }

  private condition(expr: Expr, yes: Then, no: Then): Tree {
    switch (expr.kind) {
      case 'bool':
        return expr.value ? yes() : no();
      case 'local':
        return this.path.isTrue(expr.name) ? yes() : no();
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
    const left = this.path.settled(first);
    const right = this.path.settled(second);
    if (left.kind === 'known') {
      if (right.kind === 'known') return compare(operator, left.value, right.value) ? yes() : no();
      return this.ask(right, (value) => compare(operator, left.value, value), yes, no);
    }
    if (right.kind === 'known') return this.ask(left, (value) => compare(operator, value, right.value), yes, no);
    if ((operator === '===' || operator === '!==') && this.path.comparable(left, right)) {
      const [equal, other] = operator === '===' ? [yes, no] : [no, yes];
      const both = this.path.facts[left.cell] & this.path.facts[right.cell];
      if (both === 0) return other();
      const alike = this.path.learn(left.cell, both, () => this.path.learn(right.cell, both, equal));
      return same(left.cell, right.cell, alike, other());
    }
    // Two unknown cells: one of them is followed value by value.
    return this.settle(right, (value) => this.comparison(operator, left, known(value), yes, no));
  }

  private ask({ cell, plus }: CellValue, holds: (value: number) => boolean, yes: Then, no: Then): Tree {
    const of = this.path.facts[cell];
    const values = subset(of, (each) => holds(each + plus));
    if (values === 0) return no();
    if (values === of) return yes();
    return test(cell, of, values, this.path.learn(cell, values, yes), this.path.learn(cell, of & ~values, no));
  }

  /** The end of an application: the new state, if the layout has codes for it. */
  private step(): Tree {
    const writes: Write[] = [];
    for (const [cell, written] of this.path.writes) {
      const value = this.path.settled(written);
      const held = this.path.facts[cell];
      if (value.kind === 'known') {
        if (this.path.codeOf(cell, value.value) < 0) return this.fail(NO_CODE);
        if (held !== 1 << value.value) writes.push({ cell, held, value });
        continue;
      }
      if (value.cell === cell && value.plus === 0) continue;
      const of = this.path.facts[value.cell];
      const values = subset(of, (each) => this.path.codeOf(cell, each + value.plus) >= 0);
      if (values !== of) return this.narrowed(value.cell, of, values);
      if (!this.path.copies(cell, value, values)) return this.settle(value, () => this.step());
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
      this.path.learn(cell, values, () => this.step()),
      this.fail(NO_CODE),
    );
  }
}
