/** The proof for systems of any size, as a task. */

import type { Bounds } from '../../model/checker/language/schema-types';
import { obstacleInWords } from '../../model/checker/prove/obstacle-words';
import { type Proof, prove } from '../../model/checker/prove/prove';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../model/entry-model';
import { modelPropertySlug } from '../../model/property-names';
import { BadInputError } from '../bad-input';
import type { Proved, ProveTask } from './tasks';

function shown({ verdict, closure, violation, alarm }: Proof): Omit<Proved, 'seconds'> {
  const { system, fixpoint, nesting } = closure;
  return {
    verdict,
    views: fixpoint.views.length,
    sleepers: fixpoint.sleepers.length,
    nesting,
    cpusOfView: system.form.tracked,
    crossing: [...fixpoint.crossing].sort(),
    ...(violation === undefined ? {} : { bounds: violation.bounds, exploration: violation.exploration }),
    ...(alarm === undefined ? {} : { obstacle: obstacleInWords(system, alarm, modelPropertySlug) }),
  };
}

export function proveAnswer({ design, table }: ProveTask): Proved {
  const started = performance.now();
  const modelAt = (bounds: Bounds): EntryModel => {
    const model = entryModel(table ?? design, bounds);
    if (model === undefined)
      throw new BadInputError(`expected a design that the abstract machine can express, found ${design}`);
    return model;
  };
  const proof = shown(prove(modelAt, DEFAULT_BOUNDS));
  return { ...proof, seconds: (performance.now() - started) / 1000 };
}
