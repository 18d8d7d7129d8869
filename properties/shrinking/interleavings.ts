/**
 * The same steps in another order. A shortest trace of the abstract machine is one of many that differ only in which
 * CPU goes first, and the guest may follow another one: the abstract machine loads an address space before it decides
 * on a task, the guest decides first. CPUs keep the order of their own steps. Orders with few changes of the CPU come
 * first (iterative context bounding, Musuvathi and Qadeer, PLDI 2007).
 */

import { type RuleInstance, violations } from '../../model/checker/model';
import type { EntryModel } from '../../model/entry-model';
import type { State } from '../../model/schema';

/** What the last step of a trace has to be: it reaches the situation, or violates the property. */
export type Ends = (before: State, instance: RuleInstance, after: State) => boolean;

/** Most changes of the CPU in an order: beyond three the orders are many, and a guest hardly follows only those. */
const MOST_CHANGES = 3;

/** A way to the end of the trace: how far each CPU has got, and the state. */
interface Way {
  readonly state: State;
  /** Steps that each CPU has yet to take. */
  readonly left: readonly (readonly RuleInstance[])[];
  /** The CPU of the last step; -1 before the first. */
  readonly cpu: number;
  /** Changes of the CPU that are allowed; all of them have to happen. */
  readonly changes: number;
}

/** The trace itself, then its steps in other orders that the abstract machine takes and that end as it does. */
export function* interleavings(
  model: EntryModel,
  trace: readonly RuleInstance[],
  ends: Ends,
): Generator<readonly RuleInstance[]> {
  yield trace;
  const left = Array.from({ length: model.bounds.cpus }, (_, c) => trace.filter(({ args }) => args[0] === c));
  const given = String(trace.map(({ number }) => number));
  for (let changes = 0; changes <= MOST_CHANGES; changes++)
    for (const order of from(model, ends, { state: model.initial(), left, cpu: -1, changes }))
      if (String(order.map(({ number }) => number)) !== given) yield order;
}

function* from(model: EntryModel, ends: Ends, way: Way): Generator<RuleInstance[]> {
  for (const [c, [instance]] of way.left.entries()) {
    const next = instance === undefined ? undefined : step(model, ends, way, c, instance);
    if (next === undefined) continue;
    if (next.left.every((steps) => steps.length === 0)) {
      if (next.changes === 0) yield [instance];
    } else for (const rest of from(model, ends, next)) yield [instance, ...rest];
  }
}

/** One step of CPU `c`; undefined where the abstract machine does not take it, or where it ends the trace too soon. */
function step(model: EntryModel, ends: Ends, way: Way, c: number, instance: RuleInstance): Way | undefined {
  const changes = way.changes - (way.cpu === -1 || way.cpu === c ? 0 : 1);
  const rule = model.rules.find(({ name }) => name === instance.rule);
  if (changes < 0 || rule === undefined) return undefined;
  const state = copyOf(model, way.state);
  if (rule.apply(model.config, model.bounds, state, ...instance.args) === false) return undefined;
  const left = way.left.map((steps, k) => (k === c ? steps.slice(1) : steps));
  const last = left.every((steps) => steps.length === 0);
  const asItShould = last ? ends(way.state, instance, state) : violations(model, state).length === 0;
  return asItShould ? { state, left, cpu: c, changes } : undefined;
}

function copyOf({ packing }: EntryModel, state: State): State {
  const words = new Uint32Array(packing.words);
  const copy = packing.zero();
  packing.pack(state, words, 0);
  packing.unpack(words, 0, copy);
  return copy;
}
