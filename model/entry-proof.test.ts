/**
 * Promises: what a proof says of the entry model. `scripts/check-proofs.sh` asks the same of every design and mutant.
 */

import type { Bounds } from './checker/language/schema-types';
import { prove } from './checker/prove/prove';
import { StateReader } from './checker/prove/state-views';
import { keyOf } from './checker/prove/views';
import { explore } from './checker/search/explore';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from './entry-model';
import { S8, S9 } from './property-names';

const modelAt = (design: string) => (bounds: Bounds) => entryModel(design, bounds) as EntryModel;
const proofOf = (design: string) => prove(modelAt(design), DEFAULT_BOUNDS);

test('mainline is proved, and a bounded search meets nothing that the proof does not have', () => {
  const { verdict, closure } = proofOf('mainline');
  const { fixpoint, nesting, system } = closure;
  expect({ verdict, nesting, views: fixpoint.views.length, sleepers: fixpoint.sleepers.length }).toEqual({
    verdict: 'proved',
    nesting: 6,
    views: 5774,
    sleepers: 11,
  });
  expect([...fixpoint.crossing].sort()).toEqual(['switch-mm', 'switch-to']);
  const model = modelAt('mainline')({ cpus: 1, tasks: 2, mms: 1, nesting: 2, nmis: 1, irqs: 0 });
  const reader = new StateReader(system.layout, system.form, model.running);
  const known = new Set(fixpoint.views.map(({ values }) => keyOf(values)));
  let missing = 0;
  const met = new Set<string>();
  explore(model, {
    goal: (state) => {
      for (const view of reader.views(state, model.bounds)) {
        met.add(keyOf(view));
        if (!known.has(keyOf(view))) missing++;
      }
      return false;
    },
  });
  expect(missing).toBe(0);
  expect(met.size).toBeGreaterThan(200);
});

test.each([
  ['deferred-percpu', S9, 5, { cpus: 1, tasks: 1, mms: 1, nesting: 1, nmis: 0, irqs: 0 }],
  ['mainline+on-cpu-released-early', S8, 7, { cpus: 2, tasks: 1, mms: 1, nesting: 1, nmis: 0, irqs: 0 }],
])('%s is violated: S%i, by %i steps at the smallest bounds', (design, property, length, bounds) => {
  const { verdict, violation } = proofOf(design);
  expect(verdict).toBe('violated');
  expect(violation?.bounds).toEqual(bounds);
  expect(violation?.exploration.property).toBe(property);
  expect(violation?.exploration.trace).toHaveLength(length);
});
