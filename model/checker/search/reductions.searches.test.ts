/**
 * Promises: for every design and mutant the reduced searches answer what the plain one answers: the same verdict and
 * property, with a trace that is as short, and by partial order with the same trace.
 */
import { DESIGN_NAMES, MUTANT_NAMES } from '../../design-config';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import type { Bounds } from '../language/schema-types';
import { type Exploration, explore } from './explore';

const SMALL: Bounds = { ...DEFAULT_BOUNDS, nmis: 0, irqs: 0 };
const NESTED: Bounds = { ...DEFAULT_BOUNDS, cpus: 1, nesting: 3, nmis: 2, irqs: 0 };
const TWO_MMS: Bounds = { ...SMALL, mms: 2 };

function model(id: string, bounds: Bounds): EntryModel {
  const made = entryModel(id, bounds);
  if (made === undefined) throw new Error(`no model of ${id}`);
  return made;
}

const lengthOf = ({ verdict, property, trace }: Exploration) => ({ verdict, property, length: trace?.length });
const traceOf = ({ verdict, property, trace }: Exploration) => ({ verdict, property, trace });

/** What searches with each reduction answer is what `plain` answers. */
function expectSameAnswers(id: string, bounds: Bounds): void {
  const searched = model(id, bounds);
  const plain = explore(searched);
  const [symmetry, por, both] = [{ symmetry: true }, { por: true }, { symmetry: true, por: true }].map((reductions) =>
    explore(searched, reductions),
  );
  expect(lengthOf(symmetry)).toEqual(lengthOf(plain));
  expect(symmetry.states).toBeLessThanOrEqual(plain.states);
  expect(traceOf(por)).toEqual(traceOf(plain));
  expect(traceOf(both)).toEqual(traceOf(plain));
}

test.each([...DESIGN_NAMES, ...MUTANT_NAMES])('%s answers the same with two CPUs', (id) => {
  expectSameAnswers(id, SMALL);
});

test.each(DESIGN_NAMES)('%s answers the same with two address spaces', (id) => {
  expectSameAnswers(id, TWO_MMS);
});

test.each([...DESIGN_NAMES, ...MUTANT_NAMES])('%s answers the same with nested NMIs', (id) => {
  expectSameAnswers(id, NESTED);
});
