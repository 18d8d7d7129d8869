/**
 * Promises: what a proof says of the entry model. `scripts/check-proofs.sh` asks the same of every design and mutant.
 */

import { type Bounds, UNLIMITED } from './checker/language/schema-types';
import { cutoff } from './checker/prove/cutoff';
import { prove } from './checker/prove/prove';
import { StateReader } from './checker/prove/state-views';
import { keyOf } from './checker/prove/views';
import { explore } from './checker/search/explore';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from './entry-model';
import { S8, S9 } from './property-names';

const modelAt = (design: string) => (bounds: Bounds) => entryModel(design, bounds) as EntryModel;
const proofOf = (design: string) => prove(modelAt(design), DEFAULT_BOUNDS);

test('mainline is proved, by this many values and contexts, and two rules cross', () => {
  const { verdict, closure } = proofOf('mainline');
  const { fixpoint, nesting } = closure;
  expect({ verdict, nesting, views: fixpoint.views.length, sleepers: fixpoint.sleepers.length }).toEqual({
    verdict: 'proved',
    nesting: 6,
    views: 5774,
    sleepers: 11,
  });
  expect([...fixpoint.crossing].sort()).toEqual(['switch-mm', 'switch-to']);
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

test('an exhaustive search meets nothing that the proof does not have, and as much as the cutoff says', () => {
  const shallow = (bounds: Bounds) => modelAt('mainline')({ ...bounds, nesting: 1 });
  const { verdict, closure } = prove(shallow, DEFAULT_BOUNDS);
  const size = { cpus: 2, tasks: 1, mms: 1 };
  const model = shallow({ ...size, nesting: 1, nmis: UNLIMITED, irqs: UNLIMITED });
  const reader = new StateReader(closure.system.layout, closure.system.form, model.running);
  const met = new Set<string>();
  explore(model, {
    goal: (state) => {
      met.add(keyOf(reader.view(state, model.bounds, [0])));
      for (const { values, kind } of reader.sleepers(state, model.bounds)) met.add(`${kind} ${keyOf(values)}`);
      return false;
    },
  });
  const { views, sleepers } = closure.fixpoint;
  const proved = new Set([
    ...views.map(({ values }) => keyOf(values)),
    ...sleepers.map(({ values, kind }) => `${kind} ${keyOf(values)}`),
  ]);
  expect(verdict).toBe('proved');
  expect([...met].filter((key) => !proved.has(key))).toEqual([]);
  expect(cutoff(shallow, closure, size).met).toBe(met.size);
  // With one task there is no switch from task to task; with three tasks in two address spaces nothing is missing.
  expect(met.size).toBeLessThan(closure.fixpoint.views.length);
  const { met: all, of } = cutoff(shallow, closure);
  expect(all).toBe(of);
});
