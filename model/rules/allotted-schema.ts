/**
 * The state of the abstract machine with the events that are allotted to each CPU: the schema of the partial-order
 * reduction alone (allotment.ts).
 */

import { perCpu, range, type State } from '../checker/language/schema-types';
import { eventCounts, schema } from '../schema';

export const allottedSchema = {
  ...schema,
  /** Of the events that the search may still raise (irqsLeft, nmisLeft), those that only this CPU will take. */
  ownIrqs: perCpu(range((b) => eventCounts(b.irqs))),
  ownNmis: perCpu(range((b) => eventCounts(b.nmis))),
} as const;

export type AllottedState = State<typeof allottedSchema>;
