/**
 * The abstract machine as a Promela model for SPIN: one process with one control location, a loop with one option for
 * each rule instance. An option is a d_step, so a rule application is one transition, and the states that SPIN stores
 * are exactly those of our own search: nothing but the state of the machine is in its state vector.
 *
 * What a rule requires is asserted where the rule does. An invariant is one more option, enabled only where it fails;
 * so it adds neither states nor transitions to a model that it holds in, and is judged once a state, in the initial one
 * too. A state without an enabled option is an invalid end state for SPIN and a deadlock for us.
 */

import { unrollProgram } from '../fold';
import {
  argumentsOf,
  everyExpression,
  everyPart,
  type GuardedCommand,
  guardedCommand,
  type InitialValues,
  instanceBody,
  isDead,
  letsOf,
  withoutLets,
} from '../guarded-rules';
import type { Expr, FieldInfo, InvariantInfo, Program, RuleInfo, Statement } from '../ir';
import { promelaAssertion, promelaExpression, promelaStatements } from './promela-expressions';
import { PromelaState, promelaType } from './promela-state';

/** Stands before the boot step, where there is one. */
export const BOOT = '/* boot */';

interface GuardedOption extends GuardedCommand {
  readonly rule: RuleInfo;
  readonly title: string;
}

function optionsOf(program: Program): GuardedOption[] {
  return program.rules.flatMap((rule) =>
    argumentsOf(rule).map((args) => {
      const named = args.map((arg, i) => `${rule.params[i].name}=${arg}`).join(', ');
      const { guard, effect } = guardedCommand(instanceBody(program, rule, args));
      return { rule, title: `${rule.name}(${named})`, guard, effect: withoutLets(effect) };
    }),
  );
}

/** Fields that are read or written at an index that is no constant. */
function computedFields(options: readonly GuardedOption[], invariants: readonly InvariantInfo[]): Set<string> {
  const computed = new Set<string>();
  const note = (field: string, indices: readonly Expr[]): void => {
    if (indices.some((index) => index.kind !== 'int')) computed.add(field);
  };
  const visit = (part: Expr): void => {
    if (part.kind === 'read') note(part.field, part.indices);
  };
  const assigned = (list: readonly Statement[]): void => {
    for (const statement of list) {
      if (statement.kind === 'assign') note(statement.field, statement.indices);
      if (statement.kind === 'if') [statement.yes, statement.no].forEach(assigned);
    }
  };
  for (const { guard, effect } of options) {
    everyPart(guard, visit);
    everyExpression(effect, visit);
    assigned(effect);
  }
  for (const { condition } of invariants) everyPart(condition, visit);
  return computed;
}

/** The locals that an option cannot do without. They are 0 between steps, so they make no states. */
const keptLocals = (option: GuardedOption, state: PromelaState): string[] =>
  letsOf(option.effect).map(({ name }) => state.local(name));

/**
 * Hidden variables would keep the locals out of the state, but SPIN's breadth-first search, the only one that gives
 * shortest traces, refuses models with them.
 */
function localDeclarations(
  options: readonly GuardedOption[],
  state: PromelaState,
  fields: readonly FieldInfo[],
): string[] {
  const type = promelaType(Math.max(2, ...fields.map((field) => field.size)));
  return [...new Set(options.flatMap((option) => keptLocals(option, state)))].map((name) => `${type} ${name};`);
}

function optionText(option: GuardedOption, state: PromelaState): string[] {
  const { title, rule, guard, effect } = option;
  const reset = keptLocals(option, state).map((name) => `       ${name} = 0;`);
  const body = [...promelaStatements(effect, state, '       '), ...reset];
  return [
    `  /* ${title}: ${rule.origin.file}:${rule.origin.line} */`,
    `  :: d_step { ${promelaExpression(guard, state)} ->`,
    ...(body.length === 0 ? ['       skip'] : body),
    '     }',
  ];
}

function invariantText({ name, property, condition }: InvariantInfo, state: PromelaState): string[] {
  const holds = promelaExpression(condition, state);
  return [`  /* invariant ${name} */`, `  :: d_step { !${holds} -> ${promelaAssertion(property, 'false')} }`];
}

const always = ({ condition }: InvariantInfo): boolean => condition.kind === 'bool' && condition.value;

/** The model as text. `heading` is what its first comment says. */
export function toPromela(folded: Program, initial: InitialValues, heading: readonly string[]): string {
  const program = unrollProgram(folded);
  const options = optionsOf(program);
  const alive = options.filter((option) => !isDead(option));
  const state = new PromelaState(program.fields, computedFields(alive, program.invariants));
  const dead = program.rules.filter((rule) => options.every((option) => option.rule !== rule || isDead(option)));
  const boot = state.bootAssignments(initial);
  const lines = [
    '/*',
    ...heading.map((line) => ` * ${line}`),
    ...(boot.length === 0 ? [] : [' * SPIN counts one state and one transition more: those of the boot step.']),
    ...(dead.length === 0 ? [] : [` * Never enabled here: ${dead.map(({ name }) => name).join(', ')}`]),
    ' */',
    '',
    ...state.declarations(initial),
    ...localDeclarations(alive, state, program.fields),
    '',
    'active proctype machine() {',
    ...(boot.length === 0 ? [] : [`  ${BOOT}`, `  d_step { ${boot.join(' ')} }`]),
    '  do',
    ...alive.flatMap((option) => optionText(option, state)),
    ...program.invariants
      .filter((invariant) => !always(invariant))
      .flatMap((invariant) => invariantText(invariant, state)),
    '  od',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}
