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
import { changesInWords } from '../report/changes';
import { abstractMachine } from './abstraction';
import { StepCache } from './step-cache';

/** Where the machine did what the abstract machine does not allow. */
export interface Divergence {
  /** The field that says most about it, as `stack[0]`; `requirement` where only a property of the model failed. */
  readonly field: string;
  /** What the machine did, and what a rule would have done, in words. */
  readonly message: string;
}

/** What one boundary did to the abstract state. */
export type AbstractStep =
  | { readonly kind: 'stutter' }
  | { readonly kind: 'transition'; readonly instance: RuleInstance }
  | { readonly kind: 'diverged'; readonly divergence: Divergence };

const STUTTER: AbstractStep = { kind: 'stutter' };

export class Refinement {
  readonly model: EntryModel;
  readonly #design: string;
  /** The abstract state as of the last check. */
  readonly #packed: Uint32Array;
  readonly #next: Uint32Array;
  readonly #found: Uint32Array;
  readonly #state: State;
  readonly #scratch: State;
  readonly #boundState: ReturnType<EntryModel['packing']['bind']>;
  readonly #boundScratch: ReturnType<EntryModel['packing']['bind']>;
  /** Rule instances by their CPU. */
  readonly #instances: readonly (readonly RuleInstance[])[];
  readonly #table: InstanceTable<State, DesignConfig>;
  readonly #known: StepCache<AbstractStep>;

  /** `design` names the model in messages. */
  constructor(model: EntryModel, design: string) {
    this.model = model;
    this.#design = design;
    const { words } = model.packing;
    this.#packed = new Uint32Array(words);
    this.#next = new Uint32Array(words);
    this.#found = new Uint32Array(words);
    this.#state = model.packing.zero();
    this.#scratch = model.packing.zero();
    this.#boundState = model.packing.bind(this.#state);
    this.#boundScratch = model.packing.bind(this.#scratch);
    const instances = ruleInstances(model);
    this.#instances = Array.from({ length: model.bounds.cpus }, (_, c) => instances.filter((i) => i.args[0] === c));
    this.#table = instanceTable(model);
    this.#known = new StepCache(words);
  }

  /** Takes the machine's abstraction as the state from which the next transition starts. */
  start(m: Monitor): Divergence | undefined {
    const wrong = this.#abstract(m);
    if (wrong !== undefined) return wrong;
    this.#packed.set(this.#next);
    return undefined;
  }

  /** A copy of the abstract state, for saving beside a mark of the machine and for naming states. */
  save(): Uint32Array {
    return this.#packed.slice();
  }

  restore(words: Uint32Array): void {
    this.#packed.set(words);
  }

  /** The abstract state, unpacked into a state of the caller's. */
  read(into: State): State {
    this.model.packing.unpack(this.#packed, 0, into);
    return into;
  }

  /** Judges the boundary that CPU `c` has just reached. */
  check(m: Monitor, c: number): AbstractStep {
    const wrong = this.#abstract(m);
    if (wrong !== undefined) return { kind: 'diverged', divergence: wrong };
    if (equal(this.#next, this.#packed)) return STUTTER;
    let step = this.#known.get(c, this.#packed, this.#next);
    if (step === undefined) {
      step = this.#explain(c);
      this.#known.set(c, this.#packed, this.#next, step);
    }
    if (step.kind === 'transition') this.#packed.set(this.#next);
    return step;
  }

  /**
   * A rule of CPU `c` that violates the property in the held state, in the order of the rules; undefined where the
   * model has none.
   */
  violatingRule(c: number, property: number): RuleInstance | undefined {
    this.#dirty = true;
    return this.#instances[c].find((instance) => this.#apply(instance) && this.#scratch.failed === property);
  }

  #abstract(m: Monitor): Divergence | undefined {
    const { bounds } = this.model;
    this.#state.irqsLeft = bounds.irqs;
    this.#state.nmisLeft = bounds.nmis;
    const wrong = abstractMachine(m, this.#state);
    if (wrong !== undefined) return { field: wrong.field, message: wrong.what };
    this.#boundState.pack(this.#next, 0);
    return undefined;
  }

  #dirty = true;
  /** The rule of CPU `c` that leads from the held state to the machine's, or in words what the machine did instead. */
  #explain(c: number): AbstractStep {
    this.#dirty = true;
    const instance = this.#instances[c].find(
      (one) => this.#apply(one) && this.#scratch.failed === 0 && equal(this.#found, this.#next),
    );
    return instance === undefined
      ? { kind: 'diverged', divergence: this.#divergence(c) }
      : { kind: 'transition', instance };
  }

  #divergence(c: number): Divergence {
    this.#dirty = true;
    const { bounds } = this.model;
    const before = this.read(this.model.packing.zero());
    const did = `CPU ${c}: ${this.#words(before, this.#state, c)}`;
    const changed = differences(before, this.#state);
    const enabled: string[] = [];
    let nearest: Nearest | undefined;
    for (const instance of this.#instances[c]) {
      if (!this.#apply(instance)) continue;
      const name = instanceName(instance, bounds);
      if (equal(this.#found, this.#next)) {
        const property = modelPropertySlug(this.#scratch.failed);
        const message = `${did}; that is ${name}, which violates ${property} in ${this.#design}, but no property of the machine failed`;
        return { field: 'requirement', message };
      }
      if (!instance.event) enabled.push(name);
      const fields = differences(this.#scratch, this.#state);
      if (!isNear(changed, fields) || fields.length >= (nearest?.fields.length ?? Number.POSITIVE_INFINITY)) continue;
      const would = this.#words(before, this.#scratch, c);
      nearest = { fields, text: `what comes nearest is ${name}, which does: ${would}` };
    }
    const instead = nearest?.text ?? (enabled.length === 0 ? 'none is enabled' : `enabled are ${enabled.join(', ')}`);
    const message = `${did}; no rule of ${this.#design} does that here: ${instead}`;
    return { field: mostTelling(changed, nearest?.fields ?? changed), message };
  }

  #apply(instance: RuleInstance): boolean {
    const { config, bounds } = this.model;
    if (this.#dirty) this.#boundScratch.unpack(this.#packed, 0);
    this.#dirty = false;
    this.#scratch.failed = 0;
    const { apply, first, second, third } = this.#table;
    const i = instance.number;
    if (apply[i](config, bounds, this.#scratch, first[i], second[i], third[i]) === false) return false;
    this.#dirty = true;
    this.#scratch.irqsLeft = bounds.irqs;
    this.#scratch.nmisLeft = bounds.nmis;
    this.#boundScratch.pack(this.#found, 0);
    return true;
  }

  /** What led from one state to the other. */
  #words(from: State, to: State, c: number): string {
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

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
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
