/**
 * Tries to answer a search in bulk (bulk-search.ts). Where that is not possible, or something may be wrong with the
 * model, another search has to answer.
 */
import { type Schema, sizeOf, type Transient } from '../../language/schema-types';
import type { Model } from '../../model';
import type { Exploration } from '../../search/explore';
import type { CompileOptions } from '../compiled-model';
import { type Capacities, FIRST_CAPACITIES, roomier } from '../components';
import type { Crew } from '../crew';
import { LearnableModel, WORTH_REMEMBERING } from '../learnable';
import { type BulkOptions, BulkSearch, isBulky } from './bulk-search';

/** A bulk search reserves no products of these, so they may be large. */
const BULK_CAPACITIES: Capacities = {
  ...FIRST_CAPACITIES,
  runningTask: 8192,
  runningIdle: 2048,
  asleepTask: 63,
  asleepIdle: 15,
  globals: 1,
  crossings: 2 ** 17,
  records: 2 ** 22,
};

/** Does the model have a field that belongs to all, and more than one value of it? */
function hasGlobals<S extends Transient, D>({ schema, bounds }: Model<S, D>): boolean {
  return Object.values<Schema[string]>(schema).some(({ rank, sort }) => rank === 0 && sizeOf(sort, bounds) > 1);
}

export interface BulkAnswer {
  /** Undefined where another search has to answer. */
  readonly exploration?: Exploration;
  /** What the bulk search would take, where that is too much. */
  readonly neededBytes?: number;
  /** A step of some value, or a state without a successor, is wrong, and some trace most likely leads there. */
  readonly isSuspect?: boolean;
}

export function exploreInBulk<S extends Transient, D>(
  model: Model<S, D>,
  compileOptions: CompileOptions,
  crew: Crew,
  options: BulkOptions,
): BulkAnswer {
  if (hasGlobals(model)) return {};
  const learnable = new LearnableModel(model, undefined, compileOptions);
  for (let { capacities, steps } = learnable.recall('bulk', BULK_CAPACITIES); ; steps = undefined) {
    const initial = learnable.compiled.initial();
    const from = learnable.learnable(capacities);
    if (!isBulky(from)) return {};
    const search = new BulkSearch(from, crew, options, steps);
    const stop = search.run(initial);
    const { states, transitions, bytes, joined } = search;
    const keep = (met: number) => {
      const learnt = met >= WORTH_REMEMBERING ? search.learnt() : undefined;
      if (learnt !== undefined) learnable.remember('bulk', capacities, learnt);
    };
    switch (stop.kind) {
      case 'recompile':
        learnable.compiled.widenFor(stop.before, stop.instance);
        break;
      case 'full':
        capacities = roomier(capacities, stop.what);
        break;
      case 'memory': {
        const { neededBytes, most } = stop;
        if (most === undefined) return { neededBytes };
        // Nothing can be wrong, whatever states there are. There is no room to count them.
        keep(most);
        const neededMiB = Math.ceil(neededBytes / 2 ** 20);
        return { exploration: { verdict: 'holds', states: 0, transitions: 0, mostStates: most, neededMiB, joined: 1 } };
      }
      case 'done': {
        keep(states);
        return { exploration: { verdict: 'holds', states, transitions, bytes, joined } };
      }
      case 'interrupted':
        return { exploration: { verdict: 'unknown', reason: 'interrupted', states, transitions, bytes, joined } };
      case 'bad':
        return { isSuspect: true };
      default:
        return {};
    }
  }
}
