/**
 * Which violation of a state counts. A plain search reports the lowest property number; a search for one property, or
 * for a goal, drops whatever violates another one, because a run that has failed already is no witness of anything
 * else.
 */
import type { Transient } from '../language/schema-types';
import type { Model } from '../model';

/** The verdict on a state: 0 is fine, a positive number is the property to report. */
export type Judge<S> = (state: S) => number;

/** The state violates a property that this search does not ask for. */
export const DROPPED = -1;

function lowestViolation<S extends Transient, D>(model: Model<S, D>): Judge<S> {
  const { config, bounds } = model;
  const invariants = [...model.invariants].sort((a, b) => a.property - b.property);
  return (state) => {
    const { failed } = state;
    for (const invariant of invariants) {
      if (failed !== 0 && failed <= invariant.property) return failed;
      if (!invariant.holds(config, bounds, state)) return invariant.property;
    }
    return failed;
  };
}

export function makeJudge<S extends Transient, D>(
  model: Model<S, D>,
  property: number | undefined,
  filters: boolean,
): Judge<S> {
  const lowest = lowestViolation(model);
  if (!filters) return lowest;
  const { config, bounds } = model;
  const wanted = model.invariants.filter((invariant) => invariant.property === property);
  const limits = model.invariants.filter(({ isLimit }) => isLimit).map((limit) => limit.property);
  return (state) => {
    if (
      property !== undefined &&
      (state.failed === property || wanted.some((invariant) => !invariant.holds(config, bounds, state)))
    )
      return property;
    const violated = lowest(state);
    return violated === 0 || limits.includes(violated) ? violated : DROPPED;
  };
}
