/**
 * Every property has a planted bug that violates it, and each planted bug is caught from a cold start by the property
 * that it is named for: on the emulator by random walks or the sweep, and by the exhaustive search where the abstract
 * machine can express it.
 */
import fc from 'fast-check';
import { entryModel } from '../../model/entry-model';
import { modelPropertySlug } from '../../model/property-names';
import { explore } from '../../model/search/explore';
import type { Walk } from '../exploration/random-walk';
import { runSeed } from '../exploration/seeded-random';
import { Subject } from '../exploration/subject';
import { Coverage, sweep } from '../exploration/sweep';
import { TraceArbitrary } from '../exploration/trace-arbitrary';
import { CHECKED_PROPERTIES, propertySlug } from '../safety/property';
import { DESIGNS, MUTANTS, searchBounds } from './registry';

const SEED = 'mutants';
const RUNS = 40;
/** Images are booted with these unless the manifest says otherwise; every mutant's model is asked at the same ones. */
const IMAGE = { cpus: 2, tasks: 2, mms: 1 } as const;

/** The property that the first violating walk violates; the sweep is asked where the walks find nothing. */
function firstViolation(subject: Subject): string | undefined {
  const arbitrary = new TraceArbitrary(subject.system, () => undefined);
  for (let run = 0; run < RUNS; run++) {
    const property = fc.property(arbitrary, (walk: Walk) => walk.failure?.kind !== 'violated');
    const details = fc.check(property, { seed: runSeed(SEED, run), numRuns: 1, endOnFailure: true });
    const [walk] = (details.counterexample ?? []) as Walk[];
    if (walk?.failure?.kind === 'violated') return propertySlug(walk.failure.property);
  }
  const { failure } = sweep(subject.system, new Coverage());
  return failure?.failure?.kind === 'violated' ? propertySlug(failure.failure.property) : undefined;
}

describe.each(MUTANTS)('$id', ({ id, property }) => {
  test(`is caught on the emulator by ${property}`, () => {
    expect(firstViolation(new Subject({ design: id }))).toBe(property);
  });

  const model = entryModel(id, searchBounds(id, IMAGE));
  if (model !== undefined)
    test(`is caught by the exhaustive search by ${property}`, () => {
      const found = explore(model);
      expect(found.property === undefined ? found.verdict : modelPropertySlug(found.property)).toBe(property);
    });
});

test('every checked property has a mutant or an unsafe design', () => {
  const violated = new Set([...MUTANTS.map((m) => m.property), ...DESIGNS.flatMap((d) => d.property ?? [])]);
  expect(CHECKED_PROPERTIES.map(propertySlug).filter((slug) => !violated.has(slug))).toEqual([]);
});
