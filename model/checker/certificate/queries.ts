/**
 * What has to be unsatisfiable so that a certificate is an inductive invariant of an AIGER file and implies each of its
 * properties. With "the invariant holds" in each of them:
 *
 *   the initial state              does not satisfy the invariant (this one is without "the invariant holds")
 *   the threads                    the CPUs run other threads than in one of the cases that follow
 *   each property                  is violated, in each case: which thread each CPU runs
 *   each rule instance             violates a property, or leads out of the invariant, in each case
 *   no rule                        the same, where the inputs are a number that no rule has
 *
 * So together they speak of every state of the invariant, and of every number that the inputs can be.
 */
import { AndGraph, FALSE, type Literal, not, TRUE, truth } from '../translate/aiger/and-graph';
import type { Aiger } from './aiger';
import type { Certificate } from './certificate';
import { dimacs } from './cnf';
import { Cycles } from './cycles';
import { Invariant } from './invariant';

interface Query {
  /** The rule instance, or what else is asked. */
  readonly name: string;
  /** Which thread each CPU runs, where that is part of it. */
  readonly runs: readonly number[];
  /** Literals of the graph that can be true at once if and only if the certificate is wrong. */
  readonly literals: readonly Literal[];
}

/** Which thread each CPU runs, and what is known where they do. */
interface Case {
  readonly runs: readonly number[];
  readonly latches: readonly Literal[];
  /** The parts of the invariant. */
  readonly holds: readonly Literal[];
  /** When each bad output is true where nothing is tried. */
  readonly bad: readonly Literal[];
  /** What each rule instance is asked with: the invariant, and the properties, which are asked before. */
  readonly assumed: readonly Literal[];
}

export class Queries {
  readonly graph = new AndGraph();
  private readonly aiger: Aiger;
  private readonly invariant: Invariant;
  private readonly cycles: Cycles;
  private readonly latches: readonly Literal[];
  /** Of literals that are never forgotten, the variables that they depend on. */
  private readonly variables = new Map<Literal, ReadonlySet<number>>();

  constructor(certificate: Certificate, aiger: Aiger) {
    this.aiger = aiger;
    this.invariant = new Invariant(certificate, aiger);
    this.cycles = new Cycles(aiger, this.graph);
    this.latches = aiger.latches.map(() => this.graph.variable());
  }

  /** Nodes of the decision diagrams. */
  get nodes(): number {
    return this.invariant.size;
  }

  /** A query is good until the next one is asked for. */
  *all(): Generator<Query> {
    const { graph, invariant, aiger } = this;
    const resets = aiger.latches.map(({ reset }) => truth(reset === 1));
    yield { name: 'the initial state', runs: [], literals: [not(graph.all(invariant.conjuncts(graph, resets)))] };
    const threads = invariant.runningThreads();
    const none = threads.map((runs) => not(graph.all(this.runningLiterals(runs))));
    yield { name: 'the threads', runs: [], literals: [...invariant.conjuncts(graph, this.latches), ...none] };
    // Where a part of the invariant is false, no state of it is of this case.
    const cases = threads.map((runs) => this.caseOf(runs)).filter(({ holds }) => !holds.includes(FALSE));
    for (const { runs, holds, bad } of cases)
      for (const [i, { name }] of aiger.bad.entries()) yield this.query(`property ${name}`, runs, holds, bad[i]);
    const mark = graph.size;
    for (const [number, name] of aiger.rules.entries()) {
      for (const each of cases) yield this.query(name, each.runs, each.assumed, this.goesWrong(number, each));
      graph.forget(mark);
    }
    const count = 2 ** aiger.inputs.length - aiger.rules.length;
    const others = Array.from({ length: count }, (_, i) => aiger.rules.length + i);
    for (const each of cases) {
      const wrong = graph.any(others.map((number) => this.goesWrong(number, each)));
      yield this.query('no rule', each.runs, each.assumed, wrong);
    }
  }

  /** As text for a SAT solver. */
  cnf({ literals }: Query): string {
    return dimacs(this.graph, literals);
  }

  private runningLiterals(runs: readonly number[]): Literal[] {
    return this.running(runs).map(([latch, value]) => (value ? this.latches[latch] : not(this.latches[latch])));
  }

  private running(runs: readonly number[]): (readonly [number, boolean])[] {
    return runs.flatMap((thread, cpu) => this.invariant.runningLatches(cpu, thread));
  }

  private caseOf(runs: readonly number[]): Case {
    const { graph, invariant } = this;
    const latches = [...this.latches];
    for (const [latch, value] of this.running(runs)) latches[latch] = truth(value);
    const holds = invariant.conjuncts(graph, latches);
    const { bad } = this.cycles.cycle(this.aiger.rules.length, latches);
    const assumed = [...holds, ...bad.map(not)].flatMap((literal) => graph.conjuncts(literal));
    return { runs, latches, holds, bad, assumed: [...new Set(assumed)].filter((literal) => literal !== TRUE) };
  }

  /** When the step that is tried violates a property, or leads out of the invariant. */
  private goesWrong(number: number, { latches, assumed }: Case): Literal {
    const { graph, invariant } = this;
    const step = this.cycles.cycle(number, latches);
    const isAssumed = new Set(assumed);
    const wanted = [...step.bad.map(not), ...invariant.conjuncts(graph, step.next)];
    const open = wanted.flatMap((literal) => graph.conjuncts(literal)).filter((literal) => !isAssumed.has(literal));
    // In one order, so that what is asked in two cases alike is one query.
    return graph.any([...new Set(open)].sort((a, b) => a - b).map(not));
  }

  private query(name: string, runs: readonly number[], assumed: readonly Literal[], wrong: Literal): Query {
    return { name, runs, literals: [wrong, ...(wrong === FALSE ? [] : this.concerning(wrong, assumed))] };
  }

  /**
   * Of the assumptions those that share a latch with what goes wrong, or with one that does. The others speak of other
   * latches, and to leave out an assumption makes no query unsatisfiable.
   */
  private concerning(wrong: Literal, assumed: readonly Literal[]): Literal[] {
    const met = this.graph.variablesOf(wrong);
    const found = new Set<Literal>();
    for (let count = -1; count !== found.size; ) {
      count = found.size;
      for (const literal of assumed) {
        if (found.has(literal)) continue;
        const variables = this.variablesOf(literal);
        if (![...variables].some((variable) => met.has(variable))) continue;
        found.add(literal);
        for (const variable of variables) met.add(variable);
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  private variablesOf(literal: Literal): ReadonlySet<number> {
    const variables = this.variables.get(literal) ?? this.graph.variablesOf(literal);
    this.variables.set(literal, variables);
    return variables;
  }
}
