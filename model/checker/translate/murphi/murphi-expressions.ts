/**
 * Expressions and statements in Murphi. `&`, `|` and `a ? b : c` evaluate only what they need, and quantifiers are
 * printed as Murphi's own.
 */
import type { Expr, FieldInfo, Statement } from '../ir';
import { type ExpressionNotation, expressionText, type StatementNotation, statementLines } from '../printer';

const RESERVED: ReadonlySet<string> = new Set(
  (
    'alias array assert assume begin boolean by case clear const cover do else elsif end endalias endexists endfor ' +
    'endforall endfunction endif endprocedure endrecord endrule endruleset endstartstate endswitch endwhile enum error ' +
    'exists false for forall function if in interleaved invariant ismember isundefined liveness multiset multisetadd ' +
    'multisetcount multisetremove multisetremovepred of procedure process program put record return rule ruleset ' +
    'scalarset startstate switch then to traceuntil true type undefine union var while'
  ).split(' '),
);

/** The name itself where it may be used, otherwise with a mark. Murphi's words are the same in capitals. */
export function murphiName(name: string): string {
  return RESERVED.has(name.toLowerCase()) ? `${name}_` : name;
}

/** Parameters, locals and quantified variables have a prefix: no field can have the same name. */
export function murphiLocal(name: string): string {
  return `v_${name}`;
}

/** Slug of the property with this number. */
export type PropertyName = (property: number) => string;

const EXPRESSIONS: ExpressionNotation = {
  names: { place: murphiPlace, local: murphiLocal },
  equal: '=',
  and: '&',
  or: '|',
  choose: '?',
  quantifier,
};

function murphiPlace(field: string, indices: readonly Expr[]): string {
  return murphiName(field) + indices.map((index) => `[${murphiExpression(index)}]`).join('');
}

export function murphiExpression(expr: Expr): string {
  return expressionText(expr, EXPRESSIONS);
}

function quantifier(expr: Extract<Expr, { kind: 'exists' | 'every' }>): string {
  if (expr.count.kind !== 'int' || expr.count.value < 1)
    throw new RangeError(`expected a positive number of values of ${expr.variable}: fold the program first`);
  const word = expr.kind === 'exists' ? 'exists' : 'forall';
  const range = `${murphiLocal(expr.variable)}: 0..${expr.count.value - 1}`;
  return `(${word} ${range} do ${murphiExpression(expr.condition)} end)`;
}

export function murphiStatements(list: readonly Statement[], indent: string, property: PropertyName): string[] {
  const notation: StatementNotation = {
    ...EXPRESSIONS,
    assign: ':=',
    indentation: '  ',
    requirement: (number, condition) => `if !${condition} then error "${property(number)}"; end`,
    branch,
  };
  return statementLines(list, notation, indent);
}

function branch(condition: string, yes: readonly string[], no: readonly string[]): string[] {
  return [`if ${condition} then`, ...yes, ...(no.length === 0 ? [] : ['else', ...no]), 'end;'];
}

/** The greatest value that an expression can have, for the type of a local that keeps it. */
export function greatest(
  expr: Expr,
  fields: ReadonlyMap<string, FieldInfo>,
  locals: ReadonlyMap<string, number>,
): number {
  const of = (operand: Expr): number => greatest(operand, fields, locals);
  switch (expr.kind) {
    case 'int':
      return expr.value;
    case 'local':
      return locals.get(expr.name) ?? unknown(expr.name);
    case 'read':
      return (fields.get(expr.field)?.size ?? unknown(expr.field)) - 1;
    case 'arithmetic':
      if (expr.operator === '%') return of(expr.right) - 1;
      return expr.operator === '+' ? of(expr.left) + of(expr.right) : of(expr.left);
    case 'choose':
      return Math.max(of(expr.yes), of(expr.no));
    default:
      return unknown(expr.kind);
  }
}

function unknown(what: string): never {
  throw new RangeError(`${what} has no greatest value`);
}
