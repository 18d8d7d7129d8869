/** The proof for systems of any size, as a task. */

import type { Bounds } from '../../model/checker/language/schema-types';
import { certificateText } from '../../model/checker/prove/certificate-text';
import { cutoff } from '../../model/checker/prove/cutoff';
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

export function proveAnswer({ design, table, cutoff: asksForCutoff, certificate: asksForText }: ProveTask): Proved {
  const started = performance.now();
  const modelAt = (bounds: Bounds): EntryModel => {
    const model = entryModel(table ?? design, bounds);
    if (model === undefined)
      throw new BadInputError(`expected a design that the abstract machine can express, found ${design}`);
    return model;
  };
  const proof = prove(modelAt, DEFAULT_BOUNDS);
  const isProved = proof.verdict === 'proved';
  const small = asksForCutoff && isProved ? { cutoff: cutoff(modelAt, proof.closure) } : {};
  const { running } = modelAt(DEFAULT_BOUNDS);
  const text = asksForText && isProved ? { certificate: certificateText(proof.closure, design, running) } : {};
  return { ...shown(proof), ...small, ...text, seconds: (performance.now() - started) / 1000 };
}
