/**
 * Expressions and statements in Murphi. `&`, `|` and `a ? b : c` evaluate only what they need, and quantifiers are printed as
 * Murphi's own.
 */
import type { Comparison, Expr, FieldInfo, Statement } from '../ir';

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

const OPERATORS: Readonly<Record<Comparison, string>> = {
  '===': '=',
  '!==': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

function chain(expr: Expr, kind: 'and' | 'or'): Expr[] {
  return expr.kind === kind ? [...chain(expr.left, kind), ...chain(expr.right, kind)] : [expr];
}

export function murphiPlace(field: string, indices: readonly Expr[]): string {
  return murphiName(field) + indices.map((index) => `[${murphiExpression(index)}]`).join('');
}

export function murphiExpression(expr: Expr): string {
  switch (expr.kind) {
    case 'int':
      return `${expr.value}`;
    case 'bool':
      return expr.value ? 'true' : 'false';
    case 'local':
      return murphiLocal(expr.name);
    case 'read':
      return murphiPlace(expr.field, expr.indices);
    case 'not':
      return `!${murphiExpression(expr.operand)}`;
    case 'and':
    case 'or':
      return `(${chain(expr, expr.kind)
        .map(murphiExpression)
        .join(expr.kind === 'and' ? ' & ' : ' | ')})`;
    case 'compare':
      return `(${murphiExpression(expr.left)} ${OPERATORS[expr.operator]} ${murphiExpression(expr.right)})`;
    case 'arithmetic':
      return `(${murphiExpression(expr.left)} ${expr.operator} ${murphiExpression(expr.right)})`;
    case 'choose':
      return `(${murphiExpression(expr.condition)} ? ${murphiExpression(expr.yes)} : ${murphiExpression(expr.no)})`;
    case 'exists':
    case 'every':
      return quantified(expr);
    default:
      throw new RangeError(`${expr.kind} ${expr.name} is left: fold the program first`);
  }
}

function quantified(expr: Extract<Expr, { kind: 'exists' | 'every' }>): string {
  if (expr.count.kind !== 'int' || expr.count.value < 1)
    throw new RangeError(`expected a positive number of values of ${expr.variable}: fold the program first`);
  const word = expr.kind === 'exists' ? 'exists' : 'forall';
  const range = `${murphiLocal(expr.variable)}: 0..${expr.count.value - 1}`;
  return `(${word} ${range} do ${murphiExpression(expr.condition)} end)`;
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

/** Slug of the property with this number. */
export type PropertyName = (property: number) => string;

export function murphiStatements(list: readonly Statement[], indent: string, property: PropertyName): string[] {
  return list.flatMap((statement) => murphiStatement(statement, indent, property));
}

function murphiStatement(statement: Statement, indent: string, property: PropertyName): string[] {
  switch (statement.kind) {
    case 'let':
      return [`${indent}${murphiLocal(statement.name)} := ${murphiExpression(statement.value)};`];
    case 'assign':
      return [`${indent}${murphiPlace(statement.field, statement.indices)} := ${murphiExpression(statement.value)};`];
    case 'require':
      return [
        `${indent}if !${murphiExpression(statement.condition)} then error "${property(statement.property)}"; end;`,
      ];
    case 'if':
      return branch(statement, indent, property);
    case 'reject':
      throw new RangeError('a guarded command has no `reject` in its effect');
  }
}

function branch(statement: Extract<Statement, { kind: 'if' }>, indent: string, property: PropertyName): string[] {
  const inner = `${indent}  `;
  const otherwise = murphiStatements(statement.no, inner, property);
  return [
    `${indent}if ${murphiExpression(statement.condition)} then`,
    ...murphiStatements(statement.yes, inner, property),
    ...(otherwise.length === 0 ? [] : [`${indent}else`, ...otherwise]),
    `${indent}end;`,
  ];
}
