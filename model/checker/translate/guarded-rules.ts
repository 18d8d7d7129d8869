/**
 * Rules as guarded commands, which is what Promela and Murphi have: a condition without effects, and statements that
 * run as one step where it holds. The rule language allows `return false` anywhere before the first write, so the guard
 * is collected from every path to such a return, and the effect is what remains of the body.
 */
import { foldStatements } from './fold';
import type { Expr, Program, RuleInfo, Statement } from './ir';

export interface GuardedCommand {
  readonly guard: Expr;
  /** Without `reject`, without a `let` that nothing reads, without an `if` that does nothing. */
  readonly effect: readonly Statement[];
}

const TRUE: Expr = { kind: 'bool', value: true };
const FALSE: Expr = { kind: 'bool', value: false };

type Bindings = ReadonlyMap<string, Expr>;

/** Applies `visit` to the direct operands of an expression. */
export function mapOperands(expr: Expr, visit: (operand: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'read':
      return { ...expr, indices: expr.indices.map(visit) };
    case 'not':
      return { ...expr, operand: visit(expr.operand) };
    case 'and':
    case 'or':
    case 'compare':
    case 'arithmetic':
      return { ...expr, left: visit(expr.left), right: visit(expr.right) };
    case 'choose':
      return { ...expr, condition: visit(expr.condition), yes: visit(expr.yes), no: visit(expr.no) };
    case 'exists':
    case 'every':
      return { ...expr, count: visit(expr.count), condition: visit(expr.condition) };
    default:
      return expr;
  }
}

/** Calls `visit` for the expression and everything in it. */
export function everyPart(expr: Expr, visit: (part: Expr) => void): void {
  visit(expr);
  mapOperands(expr, (operand) => {
    everyPart(operand, visit);
    return operand;
  });
}

/** Calls `visit` for every expression of the statements, and everything in it. */
export function everyExpression(list: readonly Statement[], visit: (part: Expr) => void): void {
  for (const statement of list) {
    switch (statement.kind) {
      case 'let':
        everyPart(statement.value, visit);
        break;
      case 'if':
        everyPart(statement.condition, visit);
        everyExpression(statement.yes, visit);
        everyExpression(statement.no, visit);
        break;
      case 'assign':
        for (const index of statement.indices) everyPart(index, visit);
        everyPart(statement.value, visit);
        break;
      case 'require':
        everyPart(statement.condition, visit);
        break;
      case 'reject':
        break;
    }
  }
}

function substituted(expr: Expr, bindings: Bindings): Expr {
  if (expr.kind === 'local') return bindings.get(expr.name) ?? expr;
  return mapOperands(expr, (operand) => substituted(operand, bindings));
}

function both(left: Expr, right: Expr): Expr {
  if (left.kind === 'bool') return left.value ? right : FALSE;
  return right.kind === 'bool' && right.value ? left : { kind: 'and', left, right };
}

function negation(operand: Expr): Expr {
  return operand.kind === 'not' ? operand.operand : { kind: 'not', operand };
}

/** "Where the condition holds `yes`, elsewhere `no`", with the order of evaluation kept. */
function either(condition: Expr, yes: Expr, no: Expr): Expr {
  if (yes.kind === 'bool' && no.kind === 'bool' && yes.value === no.value) return yes;
  if (yes.kind === 'bool')
    return yes.value ? { kind: 'or', left: condition, right: no } : both(negation(condition), no);
  if (no.kind === 'bool')
    return no.value ? { kind: 'or', left: negation(condition), right: yes } : both(condition, yes);
  return { kind: 'choose', condition, yes, no };
}

/**
 * The condition under which no path ends in a `reject`. What a `let` stands for is put in its place: nothing has been
 * written where a `reject` can still follow.
 */
function guardOf(list: readonly Statement[], outer: Bindings): Expr {
  const bindings = new Map(outer);
  let guard = TRUE;
  for (const statement of list) {
    if (statement.kind === 'reject') return FALSE;
    if (statement.kind === 'let') bindings.set(statement.name, substituted(statement.value, bindings));
    if (statement.kind === 'if') {
      const condition = substituted(statement.condition, bindings);
      guard = both(guard, either(condition, guardOf(statement.yes, bindings), guardOf(statement.no, bindings)));
    }
  }
  return guard;
}

function withoutRejects(list: readonly Statement[]): Statement[] {
  return list.flatMap((statement): Statement[] => {
    if (statement.kind === 'reject') return [];
    if (statement.kind !== 'if') return [statement];
    const [yes, no] = [withoutRejects(statement.yes), withoutRejects(statement.no)];
    return yes.length === 0 && no.length === 0 ? [] : [{ ...statement, yes, no }];
  });
}

/** Removes each `let` whose name is read nowhere, until there is none: one may have been read only by another. */
function withoutUnread(list: readonly Statement[]): readonly Statement[] {
  const read = new Set<string>();
  everyExpression(list, (part) => part.kind === 'local' && read.add(part.name));
  let removed = false;
  const kept = (statements: readonly Statement[]): Statement[] =>
    statements.flatMap((statement): Statement[] => {
      if (statement.kind === 'if') return [{ ...statement, yes: kept(statement.yes), no: kept(statement.no) }];
      if (statement.kind !== 'let' || read.has(statement.name)) return [statement];
      removed = true;
      return [];
    });
  const result = kept(list);
  return removed ? withoutUnread(result) : result;
}

export function guardedCommand(body: readonly Statement[]): GuardedCommand {
  return { guard: guardOf(body, new Map()), effect: withoutUnread(withoutRejects(body)) };
}

/** Can the rule never be applied, in this design and at these bounds? */
export function isDead({ guard }: GuardedCommand): boolean {
  return guard.kind === 'bool' && !guard.value;
}

/** The locals that the statements bind, with the expressions that they are bound to. */
export function letsOf(list: readonly Statement[]): Extract<Statement, { kind: 'let' }>[] {
  return list.flatMap((statement) => {
    if (statement.kind === 'let') return [statement];
    return statement.kind === 'if' ? [...letsOf(statement.yes), ...letsOf(statement.no)] : [];
  });
}

/** Locals that are read after something that their value was read from has been written. */
function overtakenLets(list: readonly Statement[]): Set<string> {
  const overtaken = new Set<string>();
  const readBy = new Map<string, Set<string>>();
  const visit = (stale: ReadonlySet<string>) => (part: Expr) => {
    if (part.kind === 'local' && stale.has(part.name)) overtaken.add(part.name);
  };
  const walk = (statements: readonly Statement[], stale: Set<string>): Set<string> => {
    for (const statement of statements) {
      if (statement.kind === 'if') {
        everyPart(statement.condition, visit(stale));
        const after = [statement.yes, statement.no].map((branch) => walk(branch, new Set(stale)));
        for (const name of after.flatMap((names) => [...names])) stale.add(name);
        continue;
      }
      everyExpression([statement], visit(stale));
      if (statement.kind === 'let') readBy.set(statement.name, fieldsIn(statement.value, readBy));
      if (statement.kind === 'assign')
        for (const [name, fields] of readBy) if (fields.has(statement.field)) stale.add(name);
    }
    return stale;
  };
  walk(list, new Set());
  return overtaken;
}

function fieldsIn(expr: Expr, readBy: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const fields = new Set<string>();
  everyPart(expr, (part) => {
    if (part.kind === 'read') fields.add(part.field);
    if (part.kind === 'local') for (const field of readBy.get(part.name) ?? []) fields.add(field);
  });
  return fields;
}

/**
 * The statements with the value of each `let` in the place of its name. What cannot be replaced, because the value has
 * changed by then, stays a `let`.
 */
export function withoutLets(list: readonly Statement[]): Statement[] {
  const kept = overtakenLets(list);
  const walk = (statements: readonly Statement[], outer: Bindings): Statement[] => {
    const bindings = new Map(outer);
    const put = (expr: Expr): Expr => substituted(expr, bindings);
    const one = (statement: Statement): Statement[] => {
      switch (statement.kind) {
        case 'let':
          if (kept.has(statement.name)) return [{ ...statement, value: put(statement.value) }];
          bindings.set(statement.name, put(statement.value));
          return [];
        case 'assign':
          return [{ ...statement, indices: statement.indices.map(put), value: put(statement.value) }];
        case 'require':
          return [{ ...statement, condition: put(statement.condition) }];
        case 'if':
          return [
            {
              ...statement,
              condition: put(statement.condition),
              yes: walk(statement.yes, bindings),
              no: walk(statement.no, bindings),
            },
          ];
        case 'reject':
          return [statement];
      }
    };
    return statements.flatMap(one);
  };
  return walk(list, new Map());
}

/** The rule's body for these arguments, constants folded again. */
export function instanceBody(program: Program, rule: RuleInfo, args: readonly number[]): Statement[] {
  const bound = rule.params.map(
    ({ name }, i): Statement => ({ kind: 'let', name, type: 'int', value: { kind: 'int', value: args[i] } }),
  );
  return foldStatements([...bound, ...rule.body], { design: {}, bounds: program.bounds });
}

/** Combinations of arguments, in the order in which instances are numbered. */
export function argumentsOf(rule: RuleInfo): number[][] {
  return rule.params.reduce<number[][]>(
    (lists, { extent }) => lists.flatMap((args) => Array.from({ length: extent }, (_, value) => [...args, value])),
    [[]],
  );
}

/** Values of a field in the initial state, in row-major order. */
export type InitialValues = (field: string) => readonly number[];

export function initialValues(state: object): InitialValues {
  return (field) => flat(Reflect.get(state, field));
}

function flat(value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(flat) : [Number(value)];
}
