/**
 * The abstract machine as a sequential circuit in AIGER 1.9 (Biere, Heljanko, Wieringa, "AIGER 1.9 and beyond", 2011),
 * as the Hardware Model Checking Competition has it. A latch is one bit of one value of the state. The inputs are the
 * number of the rule instance that is tried, in binary; where it is not enabled, and with a number that no instance
 * has, the state stays what it is. A bad output for each property is true where the state violates it as an invariant,
 * or where the step that is tried violates it as something that its rule requires; and one, `range`, where the step
 * writes what the state has no room for.
 */
import { unrollProgram } from '../fold';
import { argumentsOf, type InitialValues, instanceBody } from '../guarded-rules';
import type { FieldInfo, Program, RuleInfo } from '../ir';
import { AndGraph, FALSE, type Literal, not } from './and-graph';
import { bitsFor, decoded } from './numbers';
import { cellsOf, RuleCircuits } from './rule-circuit';

/** The name of the bad output for what the state has no room for. */
const RANGE = 'range';

interface Latch {
  readonly name: string;
  readonly literal: Literal;
  readonly reset: number;
  next: Literal;
}

/** The bits of a field's values, as latches of the graph. */
function cellsIn(graph: AndGraph, field: FieldInfo, initial: readonly number[]): Latch[][] {
  return Array.from({ length: cellsOf(field) }, (_, element) => {
    const name =
      field.name +
      indicesOf(field, element)
        .map((index) => `[${index}]`)
        .join('');
    return Array.from({ length: bitsFor(field.size) }, (_, i): Latch => {
      const literal = graph.variable();
      return { name: `${name}.${i}`, literal, reset: (initial[element] >> i) & 1, next: literal };
    });
  });
}

function indicesOf({ extents }: FieldInfo, element: number): number[] {
  const indices: number[] = [];
  let rest = element;
  for (const extent of [...extents].reverse()) {
    indices.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return indices;
}

export interface AigerWords {
  readonly heading: readonly string[];
  /** The name of a property. */
  property(number: number): string;
  /** The name of a rule instance. */
  instance(rule: RuleInfo, args: readonly number[]): string;
}

class Exporter {
  private readonly graph = new AndGraph();
  private readonly inputs: readonly Literal[];
  private readonly cells: readonly (readonly Latch[])[];
  private readonly state: readonly (readonly Literal[])[];
  private readonly circuits: RuleCircuits;
  private readonly instances: readonly string[];
  private readonly bad = new Map<string, Literal>();

  constructor(program: Program, initial: InitialValues, words: AigerWords) {
    const flat = unrollProgram(program);
    const instances = flat.rules.flatMap((rule) => argumentsOf(rule).map((args) => ({ rule, args })));
    this.instances = instances.map(({ rule, args }) => words.instance(rule, args));
    // One number more than there are instances: with that one nothing happens.
    this.inputs = Array.from({ length: bitsFor(instances.length + 1) }, () => this.graph.variable());
    this.cells = program.fields.flatMap((field) => cellsIn(this.graph, field, initial(field.name)));
    this.state = this.cells.map((latches) => latches.map(({ literal }) => literal));
    this.circuits = new RuleCircuits(this.graph, program.fields);
    const selected = decoded(this.graph, this.inputs, instances.length);
    for (const { name, property, condition } of flat.invariants)
      this.addBad(words.property(property) || name, not(this.circuits.condition(condition, this.state)));
    for (const [number, { rule, args }] of instances.entries())
      this.addStep(selected.get(number) ?? FALSE, flat, rule, args, words);
  }

  private addBad(name: string, when: Literal): void {
    this.bad.set(name, this.graph.or(this.bad.get(name) ?? FALSE, when));
  }

  private addStep(selected: Literal, flat: Program, rule: RuleInfo, args: readonly number[], words: AigerWords): void {
    const { graph, state } = this;
    const step = this.circuits.step(instanceBody(flat, rule, args), state);
    const taken = graph.and(selected, step.guard);
    for (const [property, when] of step.violates) this.addBad(words.property(property), graph.and(selected, when));
    this.addBad(RANGE, graph.and(selected, step.leavesRange));
    for (const [i, latches] of this.cells.entries()) {
      if (step.cells[i] === state[i]) continue;
      const bits = step.cells[i];
      for (const [b, latch] of latches.entries()) latch.next = graph.choose(taken, bits[b], latch.next);
    }
  }

  text(heading: readonly string[]): string {
    const { graph, inputs } = this;
    const latches = this.cells.flat();
    const bad = [...this.bad];
    const ands: string[] = [];
    const isUsed = graph.usedBy([...latches.map(({ next }) => next), ...bad.map(([, literal]) => literal)]);
    for (let variable = 1; variable < graph.size; variable++) {
      const operands = graph.operands(variable);
      if (operands !== undefined && isUsed[variable] === 1) ands.push(`${2 * variable} ${operands[0]} ${operands[1]}`);
    }
    const most = graph.size - 1;
    const lines = [
      `aag ${most} ${inputs.length} ${latches.length} 0 ${ands.length} ${bad.length}`,
      ...inputs.map((literal) => `${literal}`),
      ...latches.map(({ literal, next, reset }) => `${literal} ${next} ${reset}`),
      ...bad.map(([, literal]) => `${literal}`),
      ...ands,
      ...inputs.map((_, i) => `i${i} rule.${i}`),
      ...latches.map(({ name }, i) => `l${i} ${name}`),
      ...bad.map(([name], i) => `b${i} ${name}`),
      'c',
      ...heading,
      ...this.instances.map((name, i) => `rule ${i} ${name}`),
    ];
    return `${lines.join('\n')}\n`;
  }
}

/** The model as an AIGER file in ASCII. */
export function toAiger(program: Program, initial: InitialValues, words: AigerWords): string {
  return new Exporter(program, initial, words).text(words.heading);
}
