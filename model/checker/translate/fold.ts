/**
 * Folds a design and bounds into the IR: constants in their place, branches that they decide taken, consts that are
 * constants substituted. The result evaluates to the same as the source at this design and these bounds, on every
 * state. Also unrolls quantifiers for who wants none.
 */
import type { Bounds } from '../language/schema-types';
import type { Comparison, DesignValue, Expr, Program, Statement } from './ir';

/** What names stand for: constants of the design and the bounds, and locals that are known. */
export interface Constants {
  readonly design: Readonly<Record<string, DesignValue>>;
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

function existing<T>(otherwise: string, value: T | undefined): T {
  if (value === undefined) throw new RangeError(otherwise);
  return value;
}

/**
 * One element of a table: where an index is no constant, a choice by its value. Equal parts of the table are chosen
 * once, and the part that most values of the index share needs no condition.
 */
function lookUp(value: DesignValue, indices: readonly Expr[]): Expr {
  const [index, ...rest] = indices;
  if (typeof value === 'number') {
    if (index !== undefined) throw new RangeError('a constant of the design has more indices than dimensions');
    return integer(value);
  }
  if (index === undefined) throw new RangeError('a table of the design has fewer indices than dimensions');
  if (index.kind === 'int')
    return lookUp(existing(`a table of the design has no place ${index.value}`, value[index.value]), rest);
  const parts = new Map<string, { readonly part: Expr; readonly places: number[] }>();
  for (const [place, element] of value.entries()) {
    const part = lookUp(element, rest);
    const key = JSON.stringify(part);
    const known = parts.get(key);
    if (known === undefined) parts.set(key, { part, places: [place] });
    else known.places.push(place);
  }
  const [most, ...others] = [...parts.values()].sort((a, b) => b.places.length - a.places.length);
  return others.reduce<Expr>(
    (no, { part, places }) => ({ kind: 'choose', condition: isOneOf(index, places), yes: part, no }),
    existing('a table of the design is empty', most).part,
  );
}

function isOneOf(index: Expr, places: readonly number[]): Expr {
  return places
    .map<Expr>((place) => ({ kind: 'compare', operator: '===', left: index, right: integer(place) }))
    .reduce((left, right) => ({ kind: 'or', left, right }));
}

type Choice = Extract<Expr, { kind: 'choose' }>;

/** A choice whose every end is a constant. */
function isLookUp(expr: Expr): expr is Choice {
  return expr.kind === 'choose' && [expr.yes, expr.no].every((end) => end.kind === 'int' || isLookUp(end));
}

/** A choice between two conditions, with the shortcuts that constants allow. */
function conditional(condition: Expr, yes: Expr, no: Expr): Expr {
  if (yes.kind === 'bool' && no.kind === 'bool')
    return yes.value === no.value ? yes : yes.value ? condition : negate(condition);
  if (yes.kind === 'bool')
    return yes.value ? connect('or', condition, () => no) : connect('and', negate(condition), () => no);
  if (no.kind === 'bool')
    return no.value ? connect('or', negate(condition), () => yes) : connect('and', condition, () => yes);
  return { kind: 'choose', condition, yes, no };
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
        return lookUp(
          existing(`the design has no constant ${expr.name}`, this.constants.design[expr.name]),
          expr.indices.map((index) => this.expression(index, known)),
        );
      case 'bound':
        return integer(
          existing(`the bounds have no constant ${expr.name}`, this.constants.bounds[expr.name as keyof Bounds]),
        );
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

  private comparison(operator: Comparison, left: Expr, right: Expr): Expr {
    const [a, b] = [constantOf(left), constantOf(right)];
    if (a !== undefined && b !== undefined) return truth(compare(operator, a, b));
    // What is looked up in a table and then compared with a constant is a condition on the indices.
    if (b !== undefined && isLookUp(left))
      return conditional(
        left.condition,
        this.comparison(operator, left.yes, right),
        this.comparison(operator, left.no, right),
      );
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
