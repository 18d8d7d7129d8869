/**
 * Reads a SourceProgram from JSON, and accepts nothing but the forms of ir.ts. (A zod schema would say the same, but to
 * load zod takes a third of the time of a search that finds everything else kept.)
 */
import type { Expr, Origin, SourceCondition, SourceFunction, SourceProgram, Statement } from './ir';
import { Malformed } from './words';

type Loose = Readonly<Record<string, unknown>>;

/** A name in TypeScript; prototypes of objects have names that no rule has. */
const NAME = /^[A-Za-z_$][\w$]*$/;
const COMPARISONS = ['===', '!==', '<', '<=', '>', '>='] as const;
const OPERATORS = ['+', '-', '%'] as const;
const TYPES = ['int', 'bool'] as const;

function fail(expected: string, found: unknown): never {
  throw new Malformed(`expected ${expected}, found ${JSON.stringify(found)?.slice(0, 40)}`);
}

function record(value: unknown, keys: readonly string[]): Loose {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail('an object', value);
  const found = Object.keys(value);
  if (found.length !== keys.length || !keys.every((key) => Object.hasOwn(value, key)))
    fail(`{ ${keys.join(', ')} }`, found);
  return value as Loose;
}

function list<T>(value: unknown, read: (each: unknown) => T): T[] {
  return Array.isArray(value) ? value.map(read) : fail('a list', value);
}

function name(value: unknown): string {
  return typeof value === 'string' && NAME.test(value) ? value : fail('a name', value);
}

function integer(value: unknown): number {
  return Number.isInteger(value) ? (value as number) : fail('an integer', value);
}

function oneOf<T extends string>(value: unknown, of: readonly T[]): T {
  return of.find((each) => each === value) ?? fail(of.join(' or '), value);
}

/** A record of this kind: `kind` and the keys. */
const ofKind = (value: unknown, ...keys: string[]) => record(value, ['kind', ...keys]);

function expression(value: unknown): Expr {
  const { kind } = (value ?? {}) as { kind?: Expr['kind'] };
  switch (kind) {
    case 'int':
      return { kind, value: integer(ofKind(value, 'value').value) };
    case 'bool': {
      const truth = ofKind(value, 'value').value;
      return typeof truth === 'boolean' ? { kind, value: truth } : fail('true or false', truth);
    }
    case 'local': {
      const local = ofKind(value, 'name', 'type');
      return { kind, name: name(local.name), type: oneOf(local.type, TYPES) };
    }
    case 'read': {
      const { field, indices } = ofKind(value, 'field', 'indices');
      return { kind, field: name(field), indices: list(indices, expression) };
    }
    case 'not':
      return { kind, operand: expression(ofKind(value, 'operand').operand) };
    case 'and':
    case 'or': {
      const { left, right } = ofKind(value, 'left', 'right');
      return { kind, left: expression(left), right: expression(right) };
    }
    case 'compare':
    case 'arithmetic': {
      const { operator, left, right } = ofKind(value, 'operator', 'left', 'right');
      const operands = { left: expression(left), right: expression(right) };
      if (kind === 'compare') return { kind, operator: oneOf(operator, COMPARISONS), ...operands };
      return { kind, operator: oneOf(operator, OPERATORS), ...operands };
    }
    case 'choose': {
      const { condition, yes, no } = ofKind(value, 'condition', 'yes', 'no');
      return { kind, condition: expression(condition), yes: expression(yes), no: expression(no) };
    }
    case 'exists':
    case 'every': {
      const { variable, count, condition } = ofKind(value, 'variable', 'count', 'condition');
      return { kind, variable: name(variable), count: expression(count), condition: expression(condition) };
    }
    case 'design': {
      const constant = ofKind(value, 'name', 'indices');
      return { kind, name: name(constant.name), indices: list(constant.indices, expression) };
    }
    case 'bound':
      return { kind, name: name(ofKind(value, 'name').name) };
    default:
      return fail('an expression', value);
  }
}

const statements = (value: unknown) => list(value, statement);

function statement(value: unknown): Statement {
  const { kind } = (value ?? {}) as { kind?: Statement['kind'] };
  switch (kind) {
    case 'let': {
      const bound = ofKind(value, 'name', 'type', 'value');
      return { kind, name: name(bound.name), type: oneOf(bound.type, TYPES), value: expression(bound.value) };
    }
    case 'reject':
      ofKind(value);
      return { kind };
    case 'if': {
      const { condition, yes, no } = ofKind(value, 'condition', 'yes', 'no');
      return { kind, condition: expression(condition), yes: statements(yes), no: statements(no) };
    }
    case 'assign': {
      const { field, indices, value: assigned } = ofKind(value, 'field', 'indices', 'value');
      return { kind, field: name(field), indices: list(indices, expression), value: expression(assigned) };
    }
    case 'require': {
      const { property, condition } = ofKind(value, 'property', 'condition');
      return { kind, property: integer(property), condition: expression(condition) };
    }
    default:
      return fail('a statement', value);
  }
}

function origin(value: unknown): Origin {
  const { file, line } = record(value, ['file', 'line']);
  return { file: typeof file === 'string' ? file : fail('a path', file), line: integer(line) };
}

function functionOf(value: unknown): SourceFunction {
  const found = record(value, ['name', 'origin', 'params', 'body']);
  const [params, body] = [list(found.params, name), statements(found.body)];
  return { name: name(found.name), origin: origin(found.origin), params, body };
}

function conditionOf(value: unknown): SourceCondition {
  const found = record(value, ['name', 'origin', 'condition']);
  return { name: name(found.name), origin: origin(found.origin), condition: expression(found.condition) };
}

/** Entries by their own names. */
function byName<T extends { readonly name: string }>(value: unknown, read: (each: unknown) => T): Record<string, T> {
  const entries = Object.entries(record(value, Object.keys(value ?? {})));
  return Object.fromEntries(
    entries.map(([key, each]) => {
      const entry = read(each);
      return entry.name === key ? ([key, entry] as const) : fail(`the name ${key}`, entry.name);
    }),
  );
}

/** Throws Malformed for anything that is not the JSON of a SourceProgram. */
export function readSourceJson(bytes: Uint8Array): SourceProgram {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new Malformed(`expected JSON: ${(error as Error).message}`);
  }
  const { rules, conditions } = record(json, ['rules', 'conditions']);
  return { rules: byName(rules, functionOf), conditions: byName(conditions, conditionOf) };
}
