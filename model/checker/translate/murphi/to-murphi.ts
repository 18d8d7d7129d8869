/**
 * The abstract machine as a Murphi model (for rumur, or CMurphi): one rule for each rule, in a ruleset over its
 * parameters, so that an instance is one transition; subranges for every sort, and no scalarsets, so that the states
 * counted are those of the unreduced search. What a rule requires is an `error`, an invariant an `invariant`. A state
 * without an enabled rule is a deadlock for us, which rumur calls `--deadlock-detection stuck`.
 */
import { type GuardedCommand, guardedCommand, type InitialValues, isDead, letsOf } from '../guarded-rules';
import type { FieldInfo, InvariantInfo, Program, RuleInfo } from '../ir';
import {
  greatest,
  murphiExpression,
  murphiLocal,
  murphiName,
  murphiStatements,
  type PropertyName,
} from './murphi-expressions';

/** Type of an index or of a value that is one. */
const indexType = (sort: string): string => `${sort}_index`;

/** Each dimension and each sort of a parameter that occurs, with the number of its values. */
function indexTypes(program: Program): string[] {
  const extents = new Map<string, number>();
  for (const { over, extents: sizes } of program.fields) over.forEach((sort, i) => void extents.set(sort, sizes[i]));
  for (const { sort, size } of program.fields) if (sort !== 'bool' && sort !== 'range') extents.set(sort, size);
  for (const { sort, extent } of program.rules.flatMap(({ params }) => params)) extents.set(sort, extent);
  return [...extents].filter(([, size]) => size > 0).map(([sort, size]) => `  ${indexType(sort)}: 0..${size - 1};`);
}

function variable(field: FieldInfo): string {
  const value = field.sort === 'bool' || field.sort === 'range' ? `0..${field.size - 1}` : indexType(field.sort);
  const arrays = field.over.map((sort) => `array [${indexType(sort)}] of `).join('');
  return `  ${murphiName(field.name)}: ${arrays}${value};`;
}

/** The elements that are not 0 in the initial state; `clear` has set everything to the least value of its type. */
function assignments(field: FieldInfo, values: readonly number[]): string[] {
  return values.flatMap((value, element) => {
    if (value === 0) return [];
    let rest = element;
    const indices: number[] = [];
    for (const extent of [...field.extents].reverse()) {
      indices.unshift(rest % extent);
      rest = Math.floor(rest / extent);
    }
    return [`  ${murphiName(field.name)}${indices.map((index) => `[${index}]`).join('')} := ${value};`];
  });
}

function localsOf(rule: RuleInfo, command: GuardedCommand, fields: ReadonlyMap<string, FieldInfo>): string[] {
  const bounds = new Map(rule.params.map(({ name, extent }) => [name, extent - 1]));
  return letsOf(command.effect).map(({ name, type, value }) => {
    if (type === 'bool') return `    ${murphiLocal(name)}: boolean;`;
    bounds.set(name, greatest(value, fields, bounds));
    return `    ${murphiLocal(name)}: 0..${bounds.get(name)};`;
  });
}

function ruleText(
  rule: RuleInfo,
  command: GuardedCommand,
  fields: ReadonlyMap<string, FieldInfo>,
  property: PropertyName,
): string[] {
  const params = rule.params.map(({ name, sort }) => `${murphiLocal(name)}: ${indexType(sort)}`).join('; ');
  const locals = localsOf(rule, command, fields);
  return [
    '',
    `-- ${rule.origin.file}:${rule.origin.line}`,
    ...(params === '' ? [] : [`ruleset ${params} do`]),
    `  rule "${rule.name}"`,
    `    ${murphiExpression(command.guard)}`,
    '  ==>',
    ...(locals.length === 0 ? [] : ['  var', ...locals]),
    '  begin',
    ...murphiStatements(command.effect, '    ', property),
    '  end;',
    ...(params === '' ? [] : ['end;']),
  ];
}

function invariantText({ name, condition }: InvariantInfo): string[] {
  return ['', `invariant "${name}"`, `  ${murphiExpression(condition)};`];
}

/** The model as text. `heading` is what its first comment says, `property` the slug of a number. */
export function toMurphi(
  program: Program,
  initial: InitialValues,
  heading: readonly string[],
  property: PropertyName,
): string {
  const fields = new Map(program.fields.map((field) => [field.name, field]));
  const rules = program.rules.map((rule) => ({ rule, command: guardedCommand(rule.body) }));
  const dead = rules.filter(({ command }) => isDead(command)).map(({ rule }) => rule.name);
  const lines = [
    ...heading.map((line) => `-- ${line}`),
    ...(dead.length === 0 ? [] : [`-- Never enabled here: ${dead.join(', ')}`]),
    '',
    'type',
    ...indexTypes(program),
    '',
    'var',
    ...program.fields.map(variable),
    '',
    'startstate "boot"',
    'begin',
    ...program.fields.map((field) => `  clear ${murphiName(field.name)};`),
    ...program.fields.flatMap((field) => assignments(field, initial(field.name))),
    'end;',
    ...rules
      .filter(({ command }) => !isDead(command))
      .flatMap(({ rule, command }) => ruleText(rule, command, fields, property)),
    ...program.invariants.flatMap(invariantText),
  ];
  return `${lines.join('\n')}\n`;
}
