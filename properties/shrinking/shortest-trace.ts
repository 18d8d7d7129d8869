/**
 * The abstract machine's shortest trace to a violation of one property, by the compiled search. Most failures that are
 * asked about are those of somebody's own image under a design that holds, so the first question is whether the design
 * violates anything at all: that search counts blocks of states and may be reduced, and takes a tenth of the time of
 * one that looks for a single property and has to go past the violations of all others.
 */

import { exploreCompiled } from '../../model/checker/compiled/explore-compiled';
import type { RuleInstance } from '../../model/checker/model';
import { type Exploration, explore } from '../../model/checker/search/explore';
import type { EntryModel } from '../../model/entry-model';
import { isModelProperty } from '../../model/property-names';

/** What the abstract machine says of a property. `unknown`: the search was stopped, or ran out of memory. */
export type Shortest =
  | { readonly kind: 'trace'; readonly trace: readonly RuleInstance[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly reason: 'interrupted' | 'memory' };

/** From here on the reductions cost less than they save; they change no verdict, and a trace is always unreduced. */
const TASKS_WORTH_REDUCING = 3;

/**
 * MiB for the states of one search: room for more than a hundred million. A search reserves four times as much, and a
 * process that has reserved more than the machine has cannot start another one.
 */
const MEMORY_MIB = 512;

/** `shouldStop` is polled every few milliseconds. */
export function shortestTrace(model: EntryModel, property: number, shouldStop: () => boolean = () => false): Shortest {
  if (!isModelProperty(property)) return { kind: 'none' };
  const { tasks, cpus } = model.bounds;
  const reduced = Math.max(tasks, cpus) >= TASKS_WORTH_REDUCING;
  const how = { deadlock: false, shouldStop, memoryMiB: MEMORY_MIB };
  const any = searched(() => exploreCompiled(model, { ...how, symmetry: reduced, por: reduced }));
  // Where the first violation is one of this property, a search that leaves the others out meets it first as well.
  if (any.verdict !== 'violated' || any.property === property) return answer(any);
  return answer(searched(() => exploreCompiled(model, { ...how, property })));
}

/** Whether the abstract machine's initial state violates the property: then no trace is shorter than the empty one. */
export function failsInitially(model: EntryModel, property: number): boolean {
  return explore(model, { property, deadlock: false, stopAtDepth: 0 }).verdict === 'violated';
}

function searched(search: () => Exploration): Exploration {
  try {
    return search();
  } catch (error) {
    // The machine has less memory than the search may use.
    if (error instanceof RangeError && /allocation failed/i.test(error.message))
      return { verdict: 'unknown', reason: 'memory', states: 0, transitions: 0, depth: 0 };
    throw error;
  }
}

function answer({ verdict, trace, reason }: Exploration): Shortest {
  if (verdict === 'unknown') return { kind: 'unknown', reason: reason === 'interrupted' ? reason : 'memory' };
  return trace === undefined ? { kind: 'none' } : { kind: 'trace', trace };
}
