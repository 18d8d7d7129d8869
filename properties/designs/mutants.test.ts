/**
 * Every property has a planted bug that violates it, and each planted bug is caught from a cold start by the property
 * that it is named for: on the emulator by random walks or the sweep, and by the exhaustive search where the abstract
 * machine can express it.
 */

import { explore } from '../../model/checker/search/explore';
import { entryModel } from '../../model/entry-model';
import { modelPropertySlug } from '../../model/property-names';
import { Subject } from '../campaign/subject';
import { PROPERTIES } from '../safety/index';
import '../testing/jest';
import { searchBounds } from './bounds';
import { DESIGNS, MUTANTS } from './registry';

/** The sweep is asked where the walks find nothing. */
const PLAN = { seed: 'mutants', runs: 40, sweep: true };
/** Images are booted with these unless the manifest says otherwise; every mutant's model is asked at the same ones. */
const IMAGE = { cpus: 2, tasks: 2, mms: 1 } as const;

describe.each(MUTANTS)('$id', ({ id, property, runs = PLAN.runs }) => {
  test(`is caught on the emulator by ${property}`, () => {
    expect(new Subject({ design: id })).toViolate(property, { ...PLAN, runs });
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
  expect(PROPERTIES.map(({ slug }) => slug).filter((slug) => !violated.has(slug))).toEqual([]);
});
