/**
 * Refinement: whatever one instruction or event does to the machine leaves its abstraction alone (a stutter) or is one
 * transition of the abstract machine. The checker holds the abstract state, and when the machine may have left it asks
 * the model for a rule that leads from the one to the other.
 *
 * The search of the model is bounded in events; the refinement is not: the counters of events left are full on both
 * sides, and are not compared.
 */

import type { DesignConfig } from '../../model/design-config';
import type { EntryModel } from '../../model/entry-model';
import type { State } from '../../model/schema';
import {
  type InstanceTable,
  instanceName,
  instanceTable,
  type RuleInstance,
  ruleInstances,
} from '../../model/search/machine';
import type { Monitor } from '../monitor/monitor';
import { abstractMachine } from './abstraction';
import { StepCache } from './step-cache';

/** The first field in which the machine differs from what the abstract machine allows. */
export interface Divergence {
  readonly field: string;
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

  constructor(model: EntryModel) {
    this.model = model;
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
    if (wrong !== undefined) return { field: wrong.field, message: `${wrong.field}: ${wrong.what}` };
    this.#boundState.pack(this.#next, 0);
    return undefined;
  }

  #dirty = true;
  /** The rule of CPU `c` that leads from the held state to the machine's, or how the nearest one differs. */
  #explain(c: number): AbstractStep {
    this.#dirty = true;
    const instance = this.#instances[c].find(
      (one) => this.#apply(one) && this.#scratch.failed === 0 && equal(this.#found, this.#next),
    );
    return instance === undefined
      ? { kind: 'diverged', divergence: this.#nearest(c) }
      : { kind: 'transition', instance };
  }

  #nearest(c: number): Divergence {
    let nearest: Divergence | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const instance of this.#instances[c]) {
      if (!this.#apply(instance)) continue;
      if (equal(this.#found, this.#next)) {
        nearest = {
          field: 'requirement',
          message: `${instanceName(instance)} violates property ${this.#scratch.failed} in the model, and no property of the machine`,
        };
        least = 0;
      }
      const differences = this.#differences();
      if (differences.length >= least) continue;
      least = differences.length;
      nearest = {
        field: differences[0].field,
        message: `${instanceName(instance)} comes nearest: ${differences.map((d) => d.text).join(', ')}`,
      };
    }
    const changes = this.#changes();
    const message = `the machine changed ${changes}, which no rule of the model allows; ${nearest?.message ?? 'no rule is enabled'}`;
    return { field: nearest?.field ?? changes, message };
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

  #differences(): { field: string; text: string }[] {
    return compare(this.#scratch, this.#state, 'model', 'machine');
  }

  #changes(): string {
    this.#boundScratch.unpack(this.#packed, 0);
    return compare(this.#scratch, this.#state, 'before', 'after')
      .map((d) => d.text)
      .join(', ');
  }
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Every scalar in which two states differ, with both values. */
export function compare(a: State, b: State, nameA: string, nameB: string): { field: string; text: string }[] {
  const differences: { field: string; text: string }[] = [];
  const visit = (field: string, x: unknown, y: unknown): void => {
    if (Array.isArray(x) && Array.isArray(y)) {
      for (const [i, value] of x.entries()) visit(`${field}[${i}]`, value, y[i]);
    } else if (x !== y) differences.push({ field, text: `${field} (${nameA} ${x}, ${nameB} ${y})` });
  };
  for (const field of Object.keys(a))
    if (field !== 'failed') visit(field, a[field as keyof State], b[field as keyof State]);
  return differences;
}
