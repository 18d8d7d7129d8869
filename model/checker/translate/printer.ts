/**
 * The IR as text for another model checker. What Promela and Murphi have in common is written here: which expressions
 * need parentheses (all that have an operator between operands, so precedence is never asked), chains of connectives,
 * how statements nest. In what they differ is a `Notation`, and stands with the language.
 */
import type { Comparison, Expr, Statement } from './ir';

type Print = (expr: Expr) => string;

/** How the state and the locals are called. */
export interface Names {
  place(field: string, indices: readonly Expr[]): string;
  local(name: string): string;
}

/**
 * How a language writes an expression. Its connectives and its choice have to evaluate only what they need, as the IR
 * asks.
 */
export interface ExpressionNotation {
  readonly names: Names;
  readonly equal: string;
  readonly and: string;
  readonly or: string;
  /** Stands between the condition of a choice and its two values, which are parted by a colon. */
  readonly choose: string;
  quantifier(expr: Extract<Expr, { kind: 'exists' | 'every' }>): string;
}

/** How a language writes a statement: lines without the indentation of where they stand. */
export interface StatementNotation extends ExpressionNotation {
  readonly assign: string;
  /** Of the statements inside a branch. */
  readonly indentation: string;
  requirement(property: number, condition: string): string;
  /** The statements of both branches are indented already; those of `no` are none where there is nothing to do. */
  branch(condition: string, yes: readonly string[], no: readonly string[]): string[];
}

function comparison(operator: Comparison, equal: string): string {
  switch (operator) {
    case '===':
      return equal;
    case '!==':
      return '!=';
    default:
      return operator;
  }
}

/** Operands of a chain of the same connective: `a && b && c` needs no parentheses inside. */
function chain(expr: Expr, kind: 'and' | 'or'): Expr[] {
  return expr.kind === kind ? [...chain(expr.left, kind), ...chain(expr.right, kind)] : [expr];
}

/** The expression, in parentheses where it is made of several operands. */
export function expressionText(expr: Expr, notation: ExpressionNotation): string {
  const { names } = notation;
  const print: Print = (operand) => expressionText(operand, notation);
  switch (expr.kind) {
    case 'int':
    case 'bool':
      return `${expr.value}`;
    case 'local':
      return names.local(expr.name);
    case 'read':
      return names.place(expr.field, expr.indices);
    case 'not':
      return `!${print(expr.operand)}`;
    case 'and':
    case 'or':
      return `(${chain(expr, expr.kind).map(print).join(` ${notation[expr.kind]} `)})`;
    case 'compare':
      return `(${print(expr.left)} ${comparison(expr.operator, notation.equal)} ${print(expr.right)})`;
    case 'arithmetic':
      return `(${print(expr.left)} ${expr.operator} ${print(expr.right)})`;
    case 'choose':
      return `(${print(expr.condition)} ${notation.choose} ${print(expr.yes)} : ${print(expr.no)})`;
    case 'exists':
    case 'every':
      return notation.quantifier(expr);
    default:
      throw new RangeError(`${expr.kind} ${expr.name} is left: fold the program first`);
  }
}

/** The statements of a guarded command's effect, one or more lines each. */
export function statementLines(list: readonly Statement[], notation: StatementNotation, indent: string): string[] {
  return list.flatMap((statement) => linesOf(statement, notation)).map((line) => indent + line);
}

function linesOf(statement: Statement, notation: StatementNotation): string[] {
  const { names, assign, indentation } = notation;
  const print: Print = (expr) => expressionText(expr, notation);
  switch (statement.kind) {
    case 'let':
      return [`${names.local(statement.name)} ${assign} ${print(statement.value)};`];
    case 'assign':
      return [`${names.place(statement.field, statement.indices)} ${assign} ${print(statement.value)};`];
    case 'require':
      return [`${notation.requirement(statement.property, print(statement.condition))};`];
    case 'if':
      return notation.branch(
        print(statement.condition),
        statementLines(statement.yes, notation, indentation),
        statementLines(statement.no, notation, indentation),
      );
    case 'reject':
      throw new RangeError('a guarded command has no `reject` in its effect');
  }
}
