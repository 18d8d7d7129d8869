/**
 * Promises: a search in bulk answers what the direct search answers, to the state and the transition; what it cannot
 * take together it leaves to others.
 */
import { type EntryModel, entryModel } from '../../../entry-model';
import type { State } from '../../../schema';
import type { OpenBounds } from '../../language/schema-types';
import { explore } from '../../search/explore';
import { Crew } from '../crew';
import { type CompiledOptions, exploreCompiled } from '../explore-compiled';
import { exploreInBulk } from './explore-bulk';

const ANY: OpenBounds = { cpus: 2, tasks: 1, mms: 1, nesting: 1, nmis: 'any', irqs: 'any' };

function modelOf(design: string, bounds: Partial<OpenBounds>): EntryModel {
  const model = entryModel(design, { ...ANY, ...bounds });
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

/** Without a fallback: undefined where a bulk search has no answer. */
function inBulk(model: EntryModel, memoryBytes = 2 ** 26, poll = () => false) {
  return exploreInBulk(model, {}, new Crew(0), { threads: 1, memoryBytes, reportsDeadlock: true, poll });
}

/** The answer of the compiled search, without what direct execution does not count. */
function answerOf(model: EntryModel, options: CompiledOptions<State>) {
  const { bytes, joined, ...answer } = exploreCompiled(model, { memoryMiB: 64, ...options });
  return answer;
}

// ../explore-compiled.searches.test.ts has the other designs, and bulk-search.searches.test.ts what takes longer.
describe('mainline has exactly the states and transitions of the direct search', () => {
  test.each<Partial<OpenBounds>>([
    { nesting: 2, nmis: 0 },
    { tasks: 2, nmis: 0 },
    { tasks: 2, mms: 2, nmis: 0, irqs: 0 },
    { cpus: 3, nmis: 0 },
  ])('at %j', (bounds) => {
    const model = modelOf('mainline', bounds);
    const { verdict, states, transitions } = explore(model);
    expect(inBulk(model).exploration).toMatchObject({ verdict, states, transitions });
    expect(verdict).toBe('holds');
  });
});

test.each(['deferred-percpu', 'mainline+on-cpu-released-early', 'deferred-pertask+sp0-not-switched'])(
  '%s: the violation, its trace and the counts beside it are those of the direct search',
  (id) => {
    const model = modelOf(id, { nmis: 0 });
    expect(inBulk(model).exploration).toBeUndefined();
    expect(answerOf(model, { bulk: true })).toEqual(explore(model));
  },
);

test('a step that is wrong is suspect; CPUs that look at each other are not', () => {
  expect(inBulk(modelOf('deferred-percpu', { nmis: 0 }))).toEqual({ isSuspect: true });
  expect(inBulk(modelOf('mainline+on-cpu-released-early', { nmis: 0 }))).toEqual({});
});

test('a violation that a probe does not reach is that of the direct search', () => {
  const model = modelOf('deferred-pertask+sp0-not-switched', { tasks: 2, nesting: 'any', nmis: 0 });
  expect(explore(model, { memoryMiB: 0.5 }).verdict).toBe('unknown');
  expect(answerOf(model, { bulk: true, probe: true })).toEqual(explore(model));
});

/** A model that comes to states without a successor. */
function stuck(): EntryModel {
  const { rules, ...rest } = modelOf('mainline', { nmis: 0 });
  return { ...rest, rules: rules.filter(({ name }) => !['load-kernel-cr3', 'iret-to-kernel'].includes(name)) };
}

test('a state without a successor is found', () => {
  const model = stuck();
  expect(inBulk(model).exploration).toBeUndefined();
  const answer = answerOf(model, { bulk: true });
  expect(answer).toEqual(explore(model));
  expect(answer.verdict).toBe('deadlock');
});

test('a counter that belongs to all is not for a bulk search, nor is one CPU', () => {
  expect(inBulk(modelOf('mainline', { irqs: 1 }))).toEqual({});
  expect(inBulk(modelOf('mainline', { cpus: 1 }))).toEqual({});
});

describe('where there is no room for the states', () => {
  test('that all are fine is known all the same, and how many there are at most', () => {
    const model = modelOf('mainline', { nesting: 2, nmis: 0, irqs: 0 });
    const { verdict, states } = explore(model);
    const { mostStates = 0, ...answer } = exploreCompiled(model, { memoryMiB: 2 ** -20, bulk: true });
    expect(answer).toEqual({ verdict, states: 0, transitions: 0, neededMiB: 1, joined: 1 });
    expect(mostStates).toBeGreaterThanOrEqual(states);
    expect(mostStates).toBeLessThan(2 * states);
  });

  test('a state without a successor is left to another search, which says how much it needs', () => {
    const model = stuck();
    const { exploration, neededBytes = 0 } = inBulk(model, 1);
    expect(exploration).toBeUndefined();
    expect(neededBytes).toBeGreaterThan(1);
    expect(exploreCompiled(model, { memoryMiB: 2 ** -20, bulk: true })).toMatchObject({
      verdict: 'unknown',
      reason: 'memory',
      neededMiB: 1,
    });
  });
});

test('an interruption is unknown', () => {
  const { exploration } = inBulk(modelOf('mainline', {}), 2 ** 26, () => true);
  expect(exploration).toMatchObject({ verdict: 'unknown', reason: 'interrupted' });
});
