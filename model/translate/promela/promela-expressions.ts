/**
 * Expressions and statements in Promela. `&&`, `||` and `(a -> b : c)` become C's own operators in the generated checker
 * and evaluate only what they need, as the IR asks.
 */
import type { Comparison, Expr, Statement } from '../ir';

/** How the state and the locals are called. */
export interface PromelaNames {
  place(field: string, indices: readonly Expr[]): string;
  local(name: string): string;
}

const OPERATORS: Readonly<Record<Comparison, string>> = {
  '===': '==',
  '!==': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

/** Operands of a chain of the same connective: `a && b && c` needs no parentheses inside. */
function chain(expr: Expr, kind: 'and' | 'or'): Expr[] {
  return expr.kind === kind ? [...chain(expr.left, kind), ...chain(expr.right, kind)] : [expr];
}

export function promelaExpression(expr: Expr, names: PromelaNames): string {
  const print = (operand: Expr): string => promelaExpression(operand, names);
  switch (expr.kind) {
    case 'int':
      return `${expr.value}`;
    case 'bool':
      return expr.value ? 'true' : 'false';
    case 'local':
      return names.local(expr.name);
    case 'read':
      return names.place(expr.field, expr.indices);
    case 'not':
      return `!${print(expr.operand)}`;
    case 'and':
    case 'or':
      return `(${chain(expr, expr.kind)
        .map(print)
        .join(expr.kind === 'and' ? ' && ' : ' || ')})`;
    case 'compare':
      return `(${print(expr.left)} ${OPERATORS[expr.operator]} ${print(expr.right)})`;
    case 'arithmetic':
      return `(${print(expr.left)} ${expr.operator} ${print(expr.right)})`;
    case 'choose':
      return `(${print(expr.condition)} -> ${print(expr.yes)} : ${print(expr.no)})`;
    default:
      throw new RangeError(`${expr.kind} is no Promela: unroll the program first`);
  }
}

/**
 * The assertion that a property holds here. Its number stands in the text, because the text is all that SPIN prints of
 * an assertion that fails: `!9` is 0.
 */
export function promelaAssertion(property: number, condition: string): string {
  return `assert(${condition} || !${property})`;
}

/** Statements inside a d_step; each `if` has an `else`, so none of them can block there. */
export function promelaStatements(list: readonly Statement[], names: PromelaNames, indent: string): string[] {
  return list.flatMap((statement) => promelaStatement(statement, names, indent));
}

function promelaStatement(statement: Statement, names: PromelaNames, indent: string): string[] {
  const print = (expr: Expr): string => promelaExpression(expr, names);
  switch (statement.kind) {
    case 'let':
      return [`${indent}${names.local(statement.name)} = ${print(statement.value)};`];
    case 'assign':
      return [`${indent}${names.place(statement.field, statement.indices)} = ${print(statement.value)};`];
    case 'require':
      return [`${indent}${promelaAssertion(statement.property, print(statement.condition))};`];
    case 'if':
      return branch(statement, names, indent);
    case 'reject':
      throw new RangeError('a guarded command has no `reject` in its effect');
  }
}

function branch(statement: Extract<Statement, { kind: 'if' }>, names: PromelaNames, indent: string): string[] {
  const inner = `${indent}   `;
  const either = (list: readonly Statement[]): string[] =>
    list.length === 0 ? [`${inner}skip`] : promelaStatements(list, names, inner);
  return [
    `${indent}if`,
    `${indent}:: ${promelaExpression(statement.condition, names)} ->`,
    ...either(statement.yes),
    `${indent}:: else ->`,
    ...either(statement.no),
    `${indent}fi;`,
  ];
}
