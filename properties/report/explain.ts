/**
 * What each property promises and what it means when it does not hold, for readers who have never seen this program:
 * one sentence each, by slug. They stand in the descriptors of the properties.
 */
import { allProperties, propertyNumber, shortName } from '../safety/index';

export interface Explanation {
  /** What the property promises. */
  readonly promise: string;
  /** What has gone wrong when it is violated, in terms of a real kernel. */
  readonly violated: string;
}

const REFINEMENT: Explanation = {
  promise: 'Every instruction leaves the abstract state alone or is one transition of the abstract machine.',
  violated: 'The code did something that the abstract machine of its design does not allow: one of the two is wrong.',
};

const UNKNOWN: Explanation = { promise: 'Not a property of this version.', violated: 'A property of another version.' };

/** The explanation of a slug; for one that this version does not have, a sentence that says so. */
export function explain(slug: string): Explanation {
  if (slug === 'refinement') return REFINEMENT;
  const property = allProperties().find((one) => one.slug === slug);
  return property === undefined ? UNKNOWN : { promise: property.promise, violated: property.violated };
}

/** The short name that documents use (S9, L1), or an empty string for what has none. */
export function propertyLabel(slug: string): string {
  const number = propertyNumber(slug);
  return number === undefined ? '' : shortName(number);
}
