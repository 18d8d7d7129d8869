/**
 * Walking a model one step at a time: for random traces, for replays and for a reader who wants to see the states of a
 * trace. States that come in are never changed. Packed or unpacked ones are both welcome.
 */

import type { Transient } from '../language/schema-types';
import type { InstanceTable, Model, RuleInstance } from '../model';
import { instanceTable, ruleInstances } from '../model';
import type { BoundState } from './packing';

interface Walker<S, D> {
  readonly instances: readonly RuleInstance[];
  readonly table: InstanceTable<S, D>;
  readonly scratch: S;
  readonly bound: BoundState;
  readonly words: Uint32Array;
}

// A walk asks thousands of times about one model: its instances and its scratch state are made once.
const walkers = new WeakMap<object, Walker<unknown, unknown>>();

function walkerOf<S extends Transient, D>(model: Model<S, D>): Walker<S, D> {
  const known = walkers.get(model) as Walker<S, D> | undefined;
  if (known !== undefined) return known;
  const scratch = model.packing.zero();
  const bound = model.packing.bind(scratch);
  const walker = {
    instances: ruleInstances(model),
    table: instanceTable(model),
    scratch,
    bound,
    words: new Uint32Array(model.packing.words),
  };
  walkers.set(model, walker as unknown as Walker<unknown, unknown>);
  return walker;
}

function packed<S extends Transient, D>(model: Model<S, D>, state: S | Uint32Array): Uint32Array {
  if (ArrayBuffer.isView(state)) return state as Uint32Array;
  const { words } = walkerOf(model);
  model.packing.pack(state, words, 0);
  return words;
}

function tryInstance<S extends Transient, D>(
  model: Model<S, D>,
  table: InstanceTable<S, D>,
  state: S,
  number: number,
): boolean {
  const rule = table.apply[number];
  return (
    rule(model.config, model.bounds, state, table.first[number], table.second[number], table.third[number]) !== false
  );
}

/**
 * The state after the step, with `failed` set if the step violates a property; undefined when the step is not enabled.
 */
export function applyInstance<S extends Transient, D>(
  model: Model<S, D>,
  state: S | Uint32Array,
  instance: RuleInstance,
): S | undefined {
  const after = model.packing.zero();
  model.packing.unpack(packed(model, state), 0, after);
  return tryInstance(model, walkerOf(model).table, after, instance.number) ? after : undefined;
}

/** The instances that are enabled in the state, in the order of their numbers; violating ones included. */
export function enabledInstances<S extends Transient, D>(model: Model<S, D>, state: S | Uint32Array): RuleInstance[] {
  const { instances, table, scratch, bound } = walkerOf(model);
  const words = packed(model, state);
  bound.unpack(words, 0);
  return instances.filter((instance) => {
    const enabled = tryInstance(model, table, scratch, instance.number);
    if (enabled) bound.unpack(words, 0);
    return enabled;
  });
}
