/**
 * Checks what partial-order.ts claims of a model, by execution: visits every state that the unreduced search of the
 * allotted model reaches, and looks there for a private CPU whose steps do not commute with those of another one (C1),
 * for a violation that a private step hides (C2), and at last for a cycle of private steps (C3).
 */

import type { Transient } from '../language/schema-types';
import { type InstanceTable, instanceName, instanceTable, type PartialOrder, ruleInstances } from '../model';
import { makeJudge } from './judge';
import type { BoundState } from './packing';
import { type Steps, stepsOf } from './partial-order';

interface Audit {
  readonly states: number;
  /** Pairs of a private step and another one that were executed in either order. */
  readonly pairs: number;
  /** What contradicts the claims, the first few of each kind; empty if nothing does. */
  readonly findings: readonly string[];
}

/** A state, or the violation that an application ends with. */
interface Reached {
  /** Equal for equal outcomes. */
  readonly key: string;
  readonly words?: Uint32Array;
  /** A violating application, or a state that violates an invariant. */
  readonly bad: boolean;
}

interface Step {
  readonly number: number;
  readonly to: Reached;
}

const ENOUGH = 5;

class Auditor<S extends Transient, D> {
  private readonly order: PartialOrder<S, D>;
  private readonly steps: Steps;
  private readonly table: InstanceTable<S, D>;
  private readonly names: readonly string[];
  private readonly judge: (state: S) => number;
  private readonly scratch: S;
  private readonly bound: BoundState;
  private readonly numbers = new Map<string, number>();
  private readonly states: Uint32Array[] = [];
  /** Private steps, as pairs of numbers of states. */
  private readonly edges: [number, number][] = [];
  private readonly findings: string[] = [];
  private pairs = 0;

  constructor(order: PartialOrder<S, D>) {
    this.order = order;
    this.steps = stepsOf(order);
    this.table = instanceTable(order.model);
    this.names = ruleInstances(order.model).map((instance) => instanceName(instance, order.model.bounds));
    this.judge = makeJudge(order.model, undefined, false);
    this.scratch = order.model.packing.zero();
    this.bound = order.model.packing.bind(this.scratch);
  }

  run(): Audit {
    const { model } = this.order;
    const initial = new Uint32Array(model.packing.words);
    model.packing.pack(model.initial(), initial, 0);
    this.numberOf(initial.join(), initial);
    for (let n = 0; n < this.states.length && this.findings.length < ENOUGH; n++) this.visit(n);
    if (this.findings.length === 0) this.lookForCycle();
    return { states: this.states.length, pairs: this.pairs, findings: this.findings };
  }

  private numberOf(key: string, words: Uint32Array): number {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.states.length);
    return this.states.push(words) - 1;
  }

  private visit(number: number): void {
    const words = this.states[number];
    const first = this.enabled(words, this.steps.first);
    if (first.length > 0) {
      for (const { to } of first) this.follow(to);
      return;
    }
    const byCpu = this.steps.byCpu.map((numbers) => this.enabled(words, numbers));
    byCpu.forEach((own, cpu) => {
      const isPrivate = own.length > 0 && this.isPrivate(words, cpu);
      for (const { to } of own) {
        const next = this.follow(to);
        if (isPrivate && next !== undefined) this.edges.push([number, next]);
      }
      if (isPrivate) this.commutes(cpu, own, byCpu.filter((_, other) => other !== cpu).flat());
    });
  }

  /** The number of the state; violations are not followed. */
  private follow({ key, words, bad }: Reached): number | undefined {
    return bad || words === undefined ? undefined : this.numberOf(key, words);
  }

  private isPrivate(words: Uint32Array, cpu: number): boolean {
    const { model } = this.order;
    this.bound.unpack(words, 0);
    return this.order.isPrivate(model.config, model.bounds, this.scratch, cpu);
  }

  private enabled(words: Uint32Array, numbers: readonly number[]): Step[] {
    const steps: Step[] = [];
    this.bound.unpack(words, 0);
    for (const number of numbers) {
      const to = this.applied(words, number);
      if (to === undefined) continue;
      steps.push({ number, to });
      this.bound.unpack(words, 0);
    }
    return steps;
  }

  private apply(words: Uint32Array, i: number): Reached | undefined {
    this.bound.unpack(words, 0);
    return this.applied(words, i);
  }

  /** Applies to the scratch state, which holds these words; a disabled rule leaves them there. */
  private applied(words: Uint32Array, i: number): Reached | undefined {
    const { config, bounds } = this.order.model;
    const { apply, first, second, third } = this.table;
    const { scratch } = this;
    const rule = apply[i];
    if (rule(config, bounds, scratch, first[i], second[i], third[i]) === false) return undefined;
    if (scratch.failed !== 0) return { key: `fails ${scratch.failed}`, bad: true };
    const after = new Uint32Array(words.length);
    this.bound.pack(after, 0);
    return { key: after.join(), words: after, bad: this.judge(scratch) !== 0 };
  }

  private commutes(cpu: number, own: readonly Step[], others: readonly Step[]): void {
    for (const other of others) {
      if (other.to.words !== undefined) {
        const still = this.enabled(other.to.words, this.steps.byCpu[cpu]).map(({ number }) => number);
        if (still.join() !== own.map(({ number }) => number).join())
          this.found(`${this.names[other.number]} changes what CPU ${cpu} can do`);
      }
      for (const step of own) this.pair(step, other);
    }
  }

  private pair(own: Step, other: Step): void {
    this.pairs++;
    const names = `${this.names[own.number]} and ${this.names[other.number]}`;
    const ownFirst = own.to.words && this.apply(own.to.words, other.number);
    const otherFirst = other.to.words && this.apply(other.to.words, own.number);
    // A violating application ends the run, and must not depend on the other step.
    if (own.to.words === undefined) {
      if (otherFirst !== undefined && otherFirst.key !== own.to.key) this.found(`${names} do not fail alike`);
    } else if (other.to.words === undefined) {
      if (ownFirst?.key !== other.to.key && !own.to.bad) this.found(`${names} do not fail alike`);
    } else if (ownFirst === undefined || ownFirst.key !== otherFirst?.key) {
      this.found(`${names} do not commute`);
    } else if (other.to.bad && !own.to.bad && !ownFirst.bad) this.found(`${names}: the violation is gone`);
  }

  private found(text: string): void {
    if (!this.findings.includes(text)) this.findings.push(text);
  }

  /** Takes away states that no private step leads to (any more), until none is left or a cycle. */
  private lookForCycle(): void {
    const incoming = new Int32Array(this.states.length);
    const outgoing = this.states.map((): number[] => []);
    for (const [from, to] of this.edges) {
      incoming[to]++;
      outgoing[from].push(to);
    }
    const open = this.states.map((_, n) => n).filter((n) => incoming[n] === 0);
    let gone = 0;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      gone++;
      for (const to of outgoing[at]) if (--incoming[to] === 0) open.push(to);
    }
    if (gone < this.states.length) this.found('a cycle of private steps');
  }
}

export function auditPartialOrder<S extends Transient, D>(order: PartialOrder<S, D>): Audit {
  return new Auditor(order).run();
}
