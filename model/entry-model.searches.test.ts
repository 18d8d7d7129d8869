/**
 * Promises: every safe design holds, with exact counts at fixed bounds (a changed rule changes them, and has to say so
 * here), and nests no deeper than any number of events can take it. `entry-model.test.ts` has mainline alone.
 */
import type { Bounds, OpenBounds } from './checker/language/schema-types';
import { explore } from './checker/search/explore';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from './entry-model';
import type { State } from './schema';

const ONE_CPU: Bounds = { cpus: 1, tasks: 2, mms: 1, nesting: 3, nmis: 1, irqs: 1 };
const TWO_MMS: Bounds = { cpus: 1, tasks: 2, mms: 2, nesting: 2, nmis: 1, irqs: 1 };
const TWO_CPUS: Bounds = { ...DEFAULT_BOUNDS, nmis: 0, irqs: 0 };

const ANY: OpenBounds = { cpus: 1, tasks: 1, mms: 1, nesting: 'any', nmis: 'any', irqs: 'any' };

function model(id: string, bounds: OpenBounds): EntryModel {
  const made = entryModel(id, bounds);
  if (made === undefined) throw new Error(`no model of ${id}`);
  return made;
}

function verdict(id: string, bounds: Bounds): object {
  const { verdict: answer, states, transitions } = explore(model(id, bounds));
  return { answer, states, transitions };
}

describe.each(['mainline', 'asm-return', 'deferred-pertask'])('%s', (id) => {
  test('holds, with exactly these states and transitions', () => {
    expect([verdict(id, ONE_CPU), verdict(id, TWO_MMS), verdict(id, TWO_CPUS)]).toMatchSnapshot();
  });

  test('holds with any number of events, never nests more than 6 deep, and a bound beyond that adds no state', () => {
    let deepest = 0;
    const sees = (s: State) => {
      deepest = Math.max(deepest, ...s.depth);
      return false;
    };
    const { states, transitions } = explore(model(id, ANY), { goal: sees });
    expect(deepest).toBe(6);
    for (const nesting of [6, 7])
      expect(explore(model(id, { ...ANY, nesting }))).toMatchObject({ verdict: 'holds', states, transitions });
  });
});
