/**
 * Refinement: whatever one instruction or event does to the machine leaves its abstraction alone (a stutter) or is one
 * transition of the abstract machine. The checker holds the abstract state, and when the machine may have left it asks
 * the model for a rule that leads from the one to the other.
 *
 * The search of the model is bounded in events; the refinement is not: the counters of events left are full on both
 * sides, and are not compared.
 */

import {
  type InstanceTable,
  instanceName,
  instanceTable,
  type RuleInstance,
  ruleInstances,
} from '../../model/checker/model';
import type { DesignConfig } from '../../model/design-config';
import type { EntryModel } from '../../model/entry-model';
import { modelPropertySlug } from '../../model/property-names';
import type { State } from '../../model/schema';
import type { Monitor } from '../monitor/monitor';
import { AbstractKey } from './abstract-key';
import { abstractKey, refreshKey } from './abstraction';
import { changesInWords } from './changes';
import { StepCache } from './step-cache';

/** Where the machine did what the abstract machine does not allow. */
interface Divergence {
  /** The field that says most about it, as `stack[0]`; `requirement` where only a property of the model failed. */
  readonly field: string;
  /** What the machine did, and what a rule would have done, in words. */
  readonly message: string;
}

interface Transition {
  readonly kind: 'transition';
  readonly instance: RuleInstance;
}

/** What one boundary did to the abstract state. */
type AbstractStep =
  | { readonly kind: 'stutter' }
  | Transition
  | { readonly kind: 'diverged'; readonly divergence: Divergence };

const STUTTER: AbstractStep = { kind: 'stutter' };

export class Refinement {
  readonly model: EntryModel;
  private readonly design: string;
  /** The abstract state as of the last check, that of the machine now, and what a rule has made of the first. */
  private readonly held: AbstractKey;
  private readonly next: AbstractKey;
  private readonly found: AbstractKey;
  /** The CPU, and the parts of the held state and of the machine's by which a transition is known. */
  private readonly key: Uint32Array;
  private readonly scratch: State;
  /**
   * The CPU whose rule was last applied to the scratch state, or -1: that CPU, the thread that it ran and the one that
   * it runs now are all that can differ from the held state (locality.test.ts).
   */
  private appliedBy = -1;
  /** All that a rule of the CPU in question cannot change is the same in the held state and the machine's. */
  private agreesBeyond = true;
  /** Rule instances by their CPU. */
  private readonly instances: readonly (readonly RuleInstance[])[];
  private readonly table: InstanceTable<State, DesignConfig>;
  /** The transition by each rule instance. They are few, and are looked at all the time. */
  private readonly transitions: readonly Transition[];
  private readonly known: StepCache<Transition>;

  /** `design` names the model in messages. */
  constructor(model: EntryModel, design: string) {
    this.model = model;
    this.design = design;
    this.held = new AbstractKey(model.bounds);
    this.next = new AbstractKey(model.bounds);
    this.found = new AbstractKey(model.bounds);
    this.key = new Uint32Array(1 + 2 * this.held.localWords);
    this.scratch = this.stateOf(this.held);
    const instances = ruleInstances(model);
    this.instances = Array.from({ length: model.bounds.cpus }, (_, c) => instances.filter((i) => i.args[0] === c));
    this.transitions = instances.map((instance) => ({ kind: 'transition', instance }));
    this.table = instanceTable(model);
    this.known = new StepCache(this.key.length);
  }

  /** Takes the machine's abstraction as the state from which the next transition starts. */
  start(m: Monitor): Divergence | undefined {
    const wrong = this.abstract(m);
    if (wrong !== undefined) return wrong;
    this.held.words.set(this.next.words);
    return undefined;
  }

  /** A copy of the abstract state's key, for saving beside a mark of the machine; into `into` if it is given. */
  save(into: Uint32Array = new Uint32Array(this.held.words.length)): Uint32Array {
    into.set(this.held.words);
    return into;
  }

  restore(words: Uint32Array): void {
    this.held.words.set(words);
  }

  /** Judges the boundary that CPU `c` has just reached. */
  check(m: Monitor, c: number): AbstractStep {
    const wrong = this.look(m, c);
    if (wrong !== undefined) return { kind: 'diverged', divergence: wrong };
    if (this.next.equals(this.held)) return STUTTER;
    const step = this.judge(c);
    if (step.kind === 'transition') this.held.words.set(this.next.words);
    return step;
  }

  /** Is the boundary that CPU `c` has just reached no stutter? For whoever goes back to before it in any case. */
  isChange(m: Monitor, c: number): boolean {
    return this.look(m, c) !== undefined || !this.next.equals(this.held);
  }

  /** Brings the machine's abstract state up to date after a boundary of CPU `c`. */
  private look(m: Monitor, c: number): Divergence | undefined {
    return m.touchedBeyond || !refreshKey(m, this.next, c) ? this.abstract(m) : undefined;
  }

  /**
   * A rule of CPU `c` that violates the property in the held state, in the order of the rules; undefined where the
   * model has none.
   */
  violatingRule(c: number, property: number): RuleInstance | undefined {
    this.beginTrying();
    return this.instances[c].find((instance) => this.apply(instance) && this.scratch.failed === property);
  }

  private abstract(m: Monitor): Divergence | undefined {
    const wrong = abstractKey(m, this.next);
    // Where something has no counterpart, the rest is not up to date.
    m.touchedBeyond = wrong !== undefined;
    return wrong === undefined ? undefined : { field: wrong.field, message: wrong.what };
  }

  /**
   * What the change is. A rule of CPU `c` reads and writes that CPU, the thread that it runs and the one that it
   * switches to, and reads what the other CPUs run (locality.test.ts): by these a transition is known. A divergence is
   * worded anew.
   */
  private judge(c: number): AbstractStep {
    const t = this.held.running(c);
    const u = this.next.running(c);
    this.agreesBeyond = this.held.agreesBeyond(this.next, c, t, u);
    if (!this.agreesBeyond) return this.explain(c);
    const { key } = this;
    key[0] = c;
    const length = this.next.local(c, t, u, key, this.held.local(c, t, u, key, 1));
    const known = this.known.get(key, length);
    if (known !== undefined) return known;
    const step = this.explain(c);
    if (step.kind === 'transition') this.known.set(key, length, step);
    return step;
  }

  /** The rule of CPU `c` that leads from the held state to the machine's, or in words what the machine did instead. */
  private explain(c: number): AbstractStep {
    this.beginTrying();
    const instance = this.instances[c].find((one) => this.apply(one) && this.scratch.failed === 0 && this.isNext(c));
    return instance === undefined
      ? { kind: 'diverged', divergence: this.divergence(c) }
      : this.transitions[instance.number];
  }

  private divergence(c: number): Divergence {
    this.beginTrying();
    const { bounds } = this.model;
    const before = this.stateOf(this.held);
    const now = this.stateOf(this.next);
    const did = `CPU ${c}: ${this.words(before, now, c)}`;
    const changed = differences(before, now);
    const enabled: string[] = [];
    let nearest: Nearest | undefined;
    for (const instance of this.instances[c]) {
      if (!this.apply(instance)) continue;
      const name = instanceName(instance, bounds);
      this.found.setState(this.scratch);
      if (this.found.equals(this.next)) {
        const property = modelPropertySlug(this.scratch.failed);
        const message = `${did}; that is ${name}, which violates ${property} in ${this.design}, but no property of the machine failed`;
        return { field: 'requirement', message };
      }
      if (!instance.event) enabled.push(name);
      const fields = differences(this.scratch, now);
      if (!isNear(changed, fields) || fields.length >= (nearest?.fields.length ?? Number.POSITIVE_INFINITY)) continue;
      const would = this.words(before, this.scratch, c);
      nearest = { fields, text: `what comes nearest is ${name}, which does: ${would}` };
    }
    const instead = nearest?.text ?? (enabled.length === 0 ? 'none is enabled' : `enabled are ${enabled.join(', ')}`);
    const message = `${did}; no rule of ${this.design} does that here: ${instead}`;
    return { field: mostTelling(changed, nearest?.fields ?? changed), message };
  }

  /** The first rule of several starts from the held state. */
  private beginTrying(): void {
    this.held.read(this.scratch);
    this.appliedBy = -1;
  }

  /** Does to the held state what the rule does; false where it is not enabled. Takes back what the last one did. */
  private apply(instance: RuleInstance): boolean {
    const { config, bounds } = this.model;
    const { scratch, held } = this;
    if (this.appliedBy >= 0) {
      held.readThread(scratch.running[this.appliedBy], scratch);
      held.readCpu(this.appliedBy, scratch);
      held.readThread(scratch.running[this.appliedBy], scratch);
    }
    this.appliedBy = -1;
    scratch.failed = 0;
    const { apply, first, second, third } = this.table;
    const i = instance.number;
    if (apply[i](config, bounds, scratch, first[i], second[i], third[i]) === false) return false;
    this.appliedBy = first[i];
    scratch.irqsLeft = bounds.irqs;
    scratch.nmisLeft = bounds.nmis;
    return true;
  }

  /** What the rule of CPU `c` has made is the machine's state. A rule changes no other CPU (locality.test.ts). */
  private isNext(c: number): boolean {
    const { scratch, next, held } = this;
    const t = held.running(c);
    const u = next.running(c);
    return (
      next.holdsCpu(scratch, c) &&
      next.holdsThread(scratch, t) &&
      (t === u || next.holdsThread(scratch, u)) &&
      this.agreesBeyond
    );
  }

  private stateOf(key: AbstractKey): State {
    const { bounds, packing } = this.model;
    const state = packing.zero();
    key.read(state);
    state.irqsLeft = bounds.irqs;
    state.nmisLeft = bounds.nmis;
    return state;
  }

  /** What led from one state to the other. */
  private words(from: State, to: State, c: number): string {
    const { bounds, config } = this.model;
    const words = changesInWords(from, to, c, { bounds, halves: config.pti === 1 });
    return words.length > 0 ? words.join(', ') : `other ${differences(from, to).join(', ')}`;
  }
}

/** The rule whose result is the most like the machine's, the fields in which it differs, and what it does. */
interface Nearest {
  readonly fields: readonly string[];
  readonly text: string;
}

/** Every scalar in which two states differ, as `stack[0]` or `kind[1][0]`. */
function differences(a: State, b: State): string[] {
  const found: string[] = [];
  const visit = (field: string, x: unknown, y: unknown): void => {
    if (Array.isArray(x) && Array.isArray(y)) {
      for (const [i, value] of x.entries()) visit(`${field}[${i}]`, value, y[i]);
    } else if (x !== y) found.push(field);
  };
  for (const field of Object.keys(a) as (keyof State)[]) if (field !== 'failed') visit(field, a[field], b[field]);
  return found;
}

/** Does the rule do a part of what the machine did? A context of another kind is another event. */
function isNear(changed: readonly string[], unaccounted: readonly string[]): boolean {
  const left = changed.filter((field) => unaccounted.includes(field));
  return left.length < changed.length && !left.some((field) => field.startsWith('kind['));
}

/** What the registers say, before what follows from it. */
const TELLING: readonly string[] = [
  'running',
  'stack',
  'userHalf',
  'mm',
  'userGs',
  'user',
  'interrupts',
  'nmiBlocked',
  'kind',
];

/**
 * The field to name a divergence by: of those that the machine changed, one that the nearest rule does not account for;
 * where the machine only left something undone, what it left.
 */
function mostTelling(changed: readonly string[], unaccounted: readonly string[]): string {
  const both = changed.filter((field) => unaccounted.includes(field));
  const fields = both.length > 0 ? both : unaccounted;
  const rank = (field: string) => (TELLING.indexOf(field.split('[')[0]) + TELLING.length + 1) % (TELLING.length + 1);
  return fields.reduce((best, field) => (rank(field) < rank(best) ? field : best));
}
