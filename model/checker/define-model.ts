/** A model from its parts, with what is derived from them or is usually nothing filled in. */
import type { Bounds, Schema, State } from './language/schema-types';
import type { Invariant, Model, Rule } from './model';
import { makePacking } from './search/packing';

/** What a model is made of. */
export interface ModelParts<S extends Schema, D> {
  /** The fields of a state. */
  readonly schema: S;
  /** A bound that is not given is 0. */
  readonly bounds: Partial<Bounds>;
  /** What the rules read as `d`: integers, and tables of integers. */
  readonly config: D;
  /** In an order that stays the same: it numbers the steps. */
  readonly rules: readonly Rule<State<S>, D>[];
  /** What every reachable state has to satisfy. */
  readonly invariants: readonly Invariant<State<S>, D>[];
  /** Changes the state in which every value is 0 into the one that the search begins with. Default: no change. */
  readonly initialize?: (s: State<S>) => void;
  /**
   * The TypeScript of the rules, the invariants and what they use, as absolute paths or file: URLs. Needed by the
   * compiled search and the exports only.
   */
  readonly ruleFiles?: readonly (string | URL)[];
}

/** The model. Its `initial` makes a new state each time. */
export function defineModel<S extends Schema, D>(parts: ModelParts<S, D>): Model<State<S>, D> {
  const { schema, config, rules, invariants, initialize, ruleFiles } = parts;
  const bounds: Bounds = { cpus: 0, tasks: 0, mms: 0, nesting: 0, nmis: 0, irqs: 0, ...parts.bounds };
  const packing = makePacking(schema, bounds);
  const initial = () => {
    const state = packing.zero();
    initialize?.(state);
    return state;
  };
  const named = ruleFiles === undefined ? {} : { ruleFiles: () => ruleFiles };
  return { schema, bounds, config, packing, rules, invariants, initial, ...named };
}
