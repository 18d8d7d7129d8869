/**
 * Folds a design and bounds into the IR: constants in their place, branches that they decide taken, consts that are
 * constants substituted. The result evaluates to the same as the source at this design and these bounds, on every
 * state. Also unrolls quantifiers for who wants none.
 */
import type { Bounds } from '../schema-types';
import type { Comparison, Expr, Program, Statement } from './ir';

/** What names stand for: constants of the design and the bounds, and locals that are known. */
export interface Constants {
  readonly design: Readonly<Record<string, number>>;
  readonly bounds: Bounds;
}

type Known = ReadonlyMap<string, Expr>;

const TRUE: Expr = { kind: 'bool', value: true };
const FALSE: Expr = { kind: 'bool', value: false };

const truth = (value: boolean): Expr => (value ? TRUE : FALSE);
const integer = (value: number): Expr => ({ kind: 'int', value });

export function compare(operator: Comparison, left: number | boolean, right: number | boolean): boolean {
  switch (operator) {
    case '===':
      return left === right;
    case '!==':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

/** Joins with the shortcuts that constants allow. An operand that is dropped had no effect. */
function connect(kind: 'and' | 'or', left: Expr, right: () => Expr): Expr {
  const decides = kind === 'or';
  if (left.kind === 'bool') return left.value === decides ? left : right();
  const other = right();
  // `x && false` is false whatever x is; x is in range wherever it is evaluated, so nothing is lost.
  if (other.kind === 'bool') return other.value === decides ? other : left;
  return { kind, left, right: other };
}

function negate(operand: Expr): Expr {
  if (operand.kind === 'bool') return truth(!operand.value);
  return operand.kind === 'not' ? operand.operand : { kind: 'not', operand };
}

function constantOf(expr: Expr): number | boolean | undefined {
  return expr.kind === 'int' || expr.kind === 'bool' ? expr.value : undefined;
}

class Folder {
  private readonly constants: Constants;
  private readonly unrolls: boolean;

  constructor(constants: Constants, unrolls: boolean) {
    this.constants = constants;
    this.unrolls = unrolls;
  }

  expression(expr: Expr, known: Known): Expr {
    switch (expr.kind) {
      case 'int':
      case 'bool':
        return expr;
      case 'local':
        return known.get(expr.name) ?? expr;
      case 'design':
        return this.constant(expr.kind, expr.name, this.constants.design[expr.name]);
      case 'bound':
        return this.constant(expr.kind, expr.name, this.constants.bounds[expr.name as keyof Bounds]);
      case 'read':
        return { ...expr, indices: expr.indices.map((index) => this.expression(index, known)) };
      case 'not':
        return negate(this.expression(expr.operand, known));
      case 'and':
      case 'or':
        return connect(expr.kind, this.expression(expr.left, known), () => this.expression(expr.right, known));
      case 'compare':
        return this.comparison(expr.operator, this.expression(expr.left, known), this.expression(expr.right, known));
      case 'arithmetic':
        return this.arithmetic(expr.operator, this.expression(expr.left, known), this.expression(expr.right, known));
      case 'choose':
        return this.choice(expr, known);
      default:
        return this.quantified(expr, known);
    }
  }

  private constant(kind: string, name: string, value: number | undefined): Expr {
    if (value === undefined) throw new RangeError(`the ${kind} has no constant ${name}`);
    return integer(value);
  }

  private comparison(operator: Comparison, left: Expr, right: Expr): Expr {
    const [a, b] = [constantOf(left), constantOf(right)];
    if (a !== undefined && b !== undefined) return truth(compare(operator, a, b));
    return { kind: 'compare', operator, left, right };
  }

  private arithmetic(operator: '+' | '-' | '%', left: Expr, right: Expr): Expr {
    if (operator === '%' && right.kind === 'int' && right.value === 1) return integer(0);
    if (left.kind === 'int' && right.kind === 'int') {
      if (operator === '+') return integer(left.value + right.value);
      return integer(operator === '-' ? left.value - right.value : left.value % right.value);
    }
    if (operator !== '%' && right.kind === 'int' && right.value === 0) return left;
    return { kind: 'arithmetic', operator, left, right };
  }

  private choice(expr: Extract<Expr, { kind: 'choose' }>, known: Known): Expr {
    const condition = this.expression(expr.condition, known);
    if (condition.kind === 'bool') return this.expression(condition.value ? expr.yes : expr.no, known);
    return { kind: 'choose', condition, yes: this.expression(expr.yes, known), no: this.expression(expr.no, known) };
  }

  private quantified(expr: Extract<Expr, { kind: 'exists' | 'every' }>, known: Known): Expr {
    const count = this.expression(expr.count, known);
    if (count.kind !== 'int')
      throw new RangeError(`the number of values of ${expr.variable} is no constant of the design or the bounds`);
    if (this.unrolls || count.value <= 1) {
      let all: Expr = truth(expr.kind === 'every');
      for (let value = count.value - 1; value >= 0; value--) {
        const rest = all;
        all = connect(
          expr.kind === 'every' ? 'and' : 'or',
          this.expression(expr.condition, new Map(known).set(expr.variable, integer(value))),
          () => rest,
        );
      }
      return all;
    }
    const condition = this.expression(expr.condition, known);
    return condition.kind === 'bool' ? condition : { ...expr, count, condition };
  }

  /** Folds a list of statements; what follows a `reject` is gone. */
  statements(list: readonly Statement[], outer: Known): Statement[] {
    const known = new Map(outer);
    const result: Statement[] = [];
    for (const statement of list) {
      result.push(...this.statement(statement, known));
      if (rejects(result)) break;
    }
    return result;
  }

  private statement(statement: Statement, known: Map<string, Expr>): Statement[] {
    switch (statement.kind) {
      case 'reject':
        return [statement];
      case 'let': {
        const value = this.expression(statement.value, known);
        if (value.kind !== 'int' && value.kind !== 'bool' && value.kind !== 'local') return [{ ...statement, value }];
        known.set(statement.name, value);
        return [];
      }
      case 'if':
        return this.branch(statement, known);
      case 'assign':
        return [
          {
            ...statement,
            indices: statement.indices.map((index) => this.expression(index, known)),
            value: this.expression(statement.value, known),
          },
        ];
      case 'require': {
        const condition = this.expression(statement.condition, known);
        return condition.kind === 'bool' && condition.value ? [] : [{ ...statement, condition }];
      }
    }
  }

  private branch(statement: Extract<Statement, { kind: 'if' }>, known: Known): Statement[] {
    const condition = this.expression(statement.condition, known);
    if (condition.kind === 'bool') return this.statements(condition.value ? statement.yes : statement.no, known);
    const yes = this.statements(statement.yes, known);
    const no = this.statements(statement.no, known);
    return yes.length === 0 && no.length === 0 ? [] : [{ kind: 'if', condition, yes, no }];
  }
}

/** Does every path through the list end in a `reject`? */
function rejects(list: readonly Statement[]): boolean {
  const last = list.at(-1);
  if (last === undefined || last.kind !== 'if') return last?.kind === 'reject';
  return rejects(last.yes) && rejects(last.no);
}

export function foldStatements(list: readonly Statement[], constants: Constants): Statement[] {
  return new Folder(constants, false).statements(list, new Map());
}

export function foldExpression(expr: Expr, constants: Constants): Expr {
  return new Folder(constants, false).expression(expr, new Map());
}

/** The program without quantifiers: each is spelled out with `and` and `or`. */
export function unrollProgram(program: Program): Program {
  const folder = new Folder({ design: {}, bounds: program.bounds }, true);
  return {
    ...program,
    rules: program.rules.map((rule) => ({ ...rule, body: folder.statements(rule.body, new Map()) })),
    invariants: program.invariants.map((invariant) => ({
      ...invariant,
      condition: folder.expression(invariant.condition, new Map()),
    })),
  };
}
