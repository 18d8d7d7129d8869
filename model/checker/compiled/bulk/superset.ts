/**
 * What the regions and values of a bulk search say of all states without meeting them. In the superset each CPU has
 * any of its values, whatever the others have. Every step of every value has been executed to find it, so a superset
 * that is complete holds no violation.
 */
import type { ComponentSteps } from './component-steps';
import type { Region } from './regions';

/** So many states are in the superset; no more can be met. */
export function mostStates(regions: readonly Region[], steps: ComponentSteps): number {
  const statesOf = ({ running }: Region) =>
    running.reduce((product, thread, cpu) => product * steps.count(cpu, thread), 1);
  return regions.reduce((sum, region) => sum + statesOf(region), 0);
}

/** Has the superset a state in which no CPU has a step? */
export function hasDeadlock(regions: readonly Region[], steps: ComponentSteps): boolean {
  return regions.some((region) => region.running.every((thread, cpu) => mayRest(region, steps, cpu, thread)));
}

/** Has the CPU a value without a step in this region? */
function mayRest({ edges }: Region, { values }: ComponentSteps, cpu: number, thread: number): boolean {
  const { steps, crossing } = values[cpu][thread];
  const crosses = new Set(crossing.filter((_, index) => edges[cpu][index].length > 0));
  return steps.some((local, value) => local.length === 0 && !crosses.has(value));
}
