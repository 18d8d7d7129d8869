/**
 * Rules and conditions as circuits: each statement is executed once for all states, and where the paths of an `if` meet
 * again the condition chooses between what they have written.
 */
import { compare } from '../fold';
import { type Expr, type FieldInfo, isCondition, type Statement } from '../ir';
import { type AndGraph, FALSE, type Literal, not, TRUE, truth } from './and-graph';
import { bit, type Choice, chosen, combined, constant, decoded, encoded, related } from './numbers';

/**
 * The values of a state in binary, the lowest bit first, by cell: the fields in the order of the schema, each in
 * row-major order.
 */
type CellValues = readonly (readonly Literal[])[];

type Locals = ReadonlyMap<string, Choice>;

/** What a step does, as functions of the state before it. */
interface StepCircuit {
  /** The rule is enabled. */
  readonly guard: Literal;
  /** Where it is, the values after it; the same object for a cell that no path writes. */
  readonly cells: CellValues;
  /** By property, where it is the first that the step violates. */
  readonly violates: ReadonlyMap<number, Literal>;
  /** It writes a value that its cell does not have, or to a cell that there is not. */
  readonly leavesRange: Literal;
}

/** How far the paths through a rule have come. */
interface Progress {
  cells: (readonly Literal[])[];
  rejected: Literal;
  violates: Map<number, Literal>;
  leavesRange: Literal;
}

const copyOf = (progress: Progress): Progress => ({
  ...progress,
  cells: [...progress.cells],
  violates: new Map(progress.violates),
});

export class RuleCircuits {
  private readonly graph: AndGraph;
  private readonly fields: ReadonlyMap<string, FieldInfo & { readonly first: number }>;

  constructor(graph: AndGraph, fields: readonly FieldInfo[]) {
    this.graph = graph;
    let first = 0;
    const placed = fields.map((field) => {
      const entry = [field.name, { ...field, first }] as const;
      first += cellsOf(field);
      return entry;
    });
    this.fields = new Map(placed);
  }

  /** The body is that of one rule instance, without quantifiers: its parameters are constants. */
  step(body: readonly Statement[], cells: CellValues): StepCircuit {
    const progress: Progress = { cells: [...cells], rejected: FALSE, violates: new Map(), leavesRange: FALSE };
    this.statements(body, new Map(), progress);
    const { graph } = this;
    const guard = not(progress.rejected);
    const violates = new Map([...progress.violates].map(([property, when]) => [property, graph.and(guard, when)]));
    return { guard, cells: progress.cells, violates, leavesRange: graph.and(guard, progress.leavesRange) };
  }

  /** When the condition holds. */
  condition(expr: Expr, cells: CellValues, locals: Locals = new Map()): Literal {
    const of = (operand: Expr) => this.condition(operand, cells, locals);
    switch (expr.kind) {
      case 'bool':
        return truth(expr.value);
      case 'not':
        return not(of(expr.operand));
      case 'and':
        return this.graph.and(of(expr.left), of(expr.right));
      case 'or':
        return this.graph.or(of(expr.left), of(expr.right));
      case 'compare':
        return this.comparison(expr, cells, locals);
      case 'choose':
        return this.graph.choose(of(expr.condition), of(expr.yes), of(expr.no));
      case 'local':
        return locals.get(expr.name)?.get(1) ?? FALSE;
      default:
        throw new RangeError(`${expr.kind} is no condition of a rule without quantifiers`);
    }
  }

  /** What is nothing differs from everything, as `undefined` does. */
  private comparison(expr: Extract<Expr, { kind: 'compare' }>, cells: CellValues, locals: Locals): Literal {
    const { operator } = expr;
    const [left, right] = [expr.left, expr.right].map((side) => this.value(side, cells, locals));
    if (operator === '!==') return not(related(this.graph, left, right, (a, b) => a === b));
    return related(this.graph, left, right, (a, b) => compare(operator, a, b));
  }

  private value(expr: Expr, cells: CellValues, locals: Locals): Choice {
    const of = (operand: Expr) => this.value(operand, cells, locals);
    if (isCondition(expr) && expr.kind !== 'local') return bit(this.condition(expr, cells, locals));
    switch (expr.kind) {
      case 'int':
        return constant(expr.value);
      case 'local':
        return locals.get(expr.name) ?? new Map();
      case 'read': {
        const result = new Map<number, Literal>();
        const { found, size } = this.places(expr, cells, locals);
        for (const { cell, when } of found)
          for (const [value, literal] of decoded(this.graph, cells[cell], size))
            result.set(value, this.graph.or(result.get(value) ?? FALSE, this.graph.and(when, literal)));
        return result;
      }
      case 'arithmetic': {
        const { operator } = expr;
        return combined(this.graph, of(expr.left), of(expr.right), (a, b) =>
          operator === '+' ? a + b : operator === '-' ? a - b : a % b,
        );
      }
      case 'choose':
        return chosen(this.graph, this.condition(expr.condition, cells, locals), of(expr.yes), of(expr.no));
      default:
        throw new RangeError(`${expr.kind} is no value of a rule without quantifiers`);
    }
  }

  /** The cells that the indices may name, and when each is the one. */
  private places(
    { field, indices }: Pick<Extract<Expr, { kind: 'read' }>, 'field' | 'indices'>,
    cells: CellValues,
    locals: Locals,
  ) {
    const info = this.fields.get(field);
    if (info === undefined) throw new RangeError(`the schema has no field ${field}`);
    let found = [{ cell: 0, when: TRUE }];
    for (const [i, index] of indices.entries()) {
      const extent = info.extents[i];
      const choice = [...this.value(index, cells, locals)].filter(([value]) => value >= 0 && value < extent);
      found = found.flatMap(({ cell, when }) =>
        choice
          .map(([value, literal]) => ({ cell: cell * extent + value, when: this.graph.and(when, literal) }))
          .filter((place) => place.when !== FALSE),
      );
    }
    return { found: found.map(({ cell, when }) => ({ cell: info.first + cell, when })), size: info.size };
  }

  private statements(list: readonly Statement[], outer: Locals, progress: Progress): void {
    const locals = new Map(outer);
    for (const statement of list) {
      switch (statement.kind) {
        case 'let':
          locals.set(statement.name, this.value(statement.value, progress.cells, locals));
          break;
        case 'reject':
          progress.rejected = TRUE;
          return;
        case 'if':
          this.branch(statement, locals, progress);
          break;
        case 'assign':
          this.assign(statement, locals, progress);
          break;
        case 'require':
          this.require(statement, locals, progress);
          break;
      }
    }
  }

  private branch(statement: Extract<Statement, { kind: 'if' }>, locals: Locals, progress: Progress): void {
    const { graph } = this;
    const condition = this.condition(statement.condition, progress.cells, locals);
    const [yes, no] = [copyOf(progress), copyOf(progress)];
    this.statements(statement.yes, locals, yes);
    this.statements(statement.no, locals, no);
    progress.cells = yes.cells.map((bits, i) => this.eitherBits(condition, bits, no.cells[i]));
    progress.rejected = graph.choose(condition, yes.rejected, no.rejected);
    progress.leavesRange = graph.choose(condition, yes.leavesRange, no.leavesRange);
    for (const property of new Set([...yes.violates.keys(), ...no.violates.keys()]))
      progress.violates.set(
        property,
        graph.choose(condition, yes.violates.get(property) ?? FALSE, no.violates.get(property) ?? FALSE),
      );
  }

  private assign(statement: Extract<Statement, { kind: 'assign' }>, locals: Locals, progress: Progress): void {
    const { graph } = this;
    const value = this.value(statement.value, progress.cells, locals);
    const { found, size } = this.places(statement, progress.cells, locals);
    const legal = new Map([...value].filter(([each]) => each >= 0 && each < size));
    const isLegal = graph.and(graph.any([...legal.values()]), graph.any(found.map(({ when }) => when)));
    progress.leavesRange = graph.or(progress.leavesRange, not(isLegal));
    for (const { cell, when } of found) {
      const old = progress.cells[cell];
      progress.cells[cell] = this.eitherBits(when, encoded(graph, legal, old.length), old);
    }
  }

  /** Bit by bit: where nothing is written the literals stay what they are. */
  private eitherBits(condition: Literal, yes: readonly Literal[], no: readonly Literal[]): readonly Literal[] {
    return yes === no ? yes : yes.map((literal, i) => this.graph.choose(condition, literal, no[i]));
  }

  private require(statement: Extract<Statement, { kind: 'require' }>, locals: Locals, progress: Progress): void {
    const { graph } = this;
    const { property } = statement;
    const before = graph.any([...progress.violates.values()]);
    const fails = not(this.condition(statement.condition, progress.cells, locals));
    const first = graph.and(not(before), fails);
    progress.violates.set(property, graph.or(progress.violates.get(property) ?? FALSE, first));
  }
}

/** How many cells a field has. */
export function cellsOf({ extents }: FieldInfo): number {
  return extents.reduce((product, extent) => product * extent, 1);
}
