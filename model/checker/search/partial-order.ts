/**
 * Partial-order reduction: where one CPU is *private*, whatever it does next commutes with whatever the others do
 * before it moves, so the search follows its steps alone (ample sets; Clarke, Grumberg, Peled, "Model Checking",
 * chapter 10).
 *
 * First the model is changed (`PartialOrder.model`): each event of the environment is allotted to a CPU before anything
 * else happens, and raised by that CPU or never. A run of the plain model is a run of this one, after it has allotted
 * what the run will raise; a run of this one is a run of the plain model, without the allotments. So the same states
 * are reached, up to the allotments, and the same rules fail there.
 *
 * In a state where CPU c is private, every enabled instance of c is in the ample set, and no other is.
 *
 *   C0  It is not empty: a private CPU that has no enabled instance is passed over.
 *   C1  The steps that c can take read and write its own fields and those of the thread that it runs, and no other CPU
 *       reads or writes these: a thread that runs is out of the scheduler's reach. What c can take stays the same until
 *       c moves. The only rules that look further are those of the scheduler (`switch-mm`, `switch-to`), and where one
 *       of them could be enabled by what others do, c is not private. Both sides are tested, by executing each pair
 *       in either order.
 *   C2  A violation is not lost. An invariant is a conjunction over CPUs (S8 also compares what two CPUs run; a switch
 *       that makes them equal violates S8 itself). Take a shortest run to a violation that the reduced search has not
 *       found, and the ample set of its first state. If c moves on the run, its first step may come first, by C1. If
 *       it does not, the violation is not of its making, and stays one if c makes a step first, by C1.
 *   C3  Not for ever: no cycle consists of private steps only. A cycle of all CPUs is, for each CPU that moves, a cycle
 *       of its own fields, since private steps of others do not change them. `isPrivate` excludes a place on each of
 *       these; that there are none left is tested.
 *
 * C0 and C1 preserve deadlocks, too. A state may be a deadlock only because an event is allotted to another CPU; as for
 * every ending but "holds", the plain search then decides. Two things are refused or not reduced: a goal may look
 * at several CPUs (C2), and so may a search for one property, since it does not follow violations of others. Depths are
 * those of the reduced search, which are greater.
 *
 * With symmetry: the conditions hold in a state if and only if they hold in its renamings, and a cycle of states that
 * stand for others is, repeated, a cycle of states.
 */
import type { Transient } from '../language/schema-types';
import { type Model, type PartialOrder, ruleInstances } from '../model';

/** Numbers of instances: those that go before all others, and those of each CPU. */
export interface Steps {
  readonly first: readonly number[];
  readonly byCpu: readonly (readonly number[])[];
}

export function partialOrderOf<S extends Transient, D>(model: Model<S, D>): PartialOrder<S, D> {
  const order = model.partialOrder?.();
  if (order === undefined)
    throw new RangeError('this model does not say where a CPU is private: search it without partial-order reduction');
  return order;
}

/** What the reduced search tries. */
export function stepsOf<S extends Transient, D>({ model, first, replaced }: PartialOrder<S, D>): Steps {
  const byCpu = Array.from({ length: model.bounds.cpus }, (): number[] => []);
  const before: number[] = [];
  for (const { number, rule, params, args } of ruleInstances(model)) {
    if (replaced.includes(rule)) continue;
    if (first.includes(rule)) before.push(number);
    else byCpu[args[params.indexOf('cpu')]].push(number);
  }
  return { first: before, byCpu };
}
