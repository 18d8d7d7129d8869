/**
 * The successors of a state, one step at a time: for random traces, for replays and for a reader who wants to see the
 * states of a trace. States that come in are never changed. Packed or unpacked ones are both welcome.
 */

import type { Transient } from '../language/schema-types';
import type { InstanceTable, Model, RuleInstance } from '../model';
import { instanceTable, ruleInstances } from '../model';
import type { BoundState } from './packing';

interface Stepper<S, D> {
  readonly instances: readonly RuleInstance[];
  readonly table: InstanceTable<S, D>;
  readonly scratch: S;
  readonly bound: BoundState;
  readonly words: Uint32Array;
}

// A caller asks thousands of times about one model: its instances and its scratch state are made once.
const steppers = new WeakMap<object, Stepper<unknown, unknown>>();

function stepperOf<S extends Transient, D>(model: Model<S, D>): Stepper<S, D> {
  const known = steppers.get(model) as Stepper<S, D> | undefined;
  if (known !== undefined) return known;
  const scratch = model.packing.zero();
  const bound = model.packing.bind(scratch);
  const stepper = {
    instances: ruleInstances(model),
    table: instanceTable(model),
    scratch,
    bound,
    words: new Uint32Array(model.packing.words),
  };
  steppers.set(model, stepper as unknown as Stepper<unknown, unknown>);
  return stepper;
}

function packed<S extends Transient, D>(model: Model<S, D>, state: S | Uint32Array): Uint32Array {
  if (ArrayBuffer.isView(state)) return state as Uint32Array;
  const { words } = stepperOf(model);
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
  return tryInstance(model, stepperOf(model).table, after, instance.number) ? after : undefined;
}

/** The instances that are enabled in the state, in the order of their numbers; violating ones included. */
export function enabledInstances<S extends Transient, D>(model: Model<S, D>, state: S | Uint32Array): RuleInstance[] {
  const { instances, table, scratch, bound } = stepperOf(model);
  const words = packed(model, state);
  bound.unpack(words, 0);
  return instances.filter((instance) => {
    const enabled = tryInstance(model, table, scratch, instance.number);
    if (enabled) bound.unpack(words, 0);
    return enabled;
  });
}
