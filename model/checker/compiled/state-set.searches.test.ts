/**
 * Promises about the room for the set of states: where no array has it, the set is a hash table with the same states;
 * a search that runs out of it begins anew with more.
 */
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import type { State } from '../../schema';
import type { Bounds, Transient } from '../language/schema-types';
import type { Model } from '../model';
import { type Exploration, explore } from '../search/explore';
import { type Capacities, FIRST_CAPACITIES } from './components';
import { type CompiledOptions, exploreCompiled as exploreWithBytes } from './explore-compiled';

/** The answer without what direct execution does not count. */
function exploreCompiled<S extends Transient, D>(model: Model<S, D>, options?: CompiledOptions<S>): Exploration {
  // Little is reserved: the process starts others.
  const { bytes, joined, ...answer } = exploreWithBytes(model, { memoryMiB: 64, ...options });
  return answer;
}

const ONE_TASK: Bounds = { ...DEFAULT_BOUNDS, tasks: 1, irqs: 1 };
const ONE_CPU: Bounds = { cpus: 1, tasks: 2, mms: 2, nesting: 2, nmis: 1, irqs: 1 };
const NO_NESTING: Bounds = { cpus: 2, tasks: 2, mms: 1, nesting: 1, nmis: 0, irqs: 1 };

const models = new Map<string, EntryModel>();

function modelOf(design: string, bounds: Bounds): EntryModel {
  const key = JSON.stringify([design, bounds]);
  const model = models.get(key) ?? entryModel(design, bounds);
  if (model === undefined) throw new Error(`no design ${design}`);
  models.set(key, model);
  return model;
}

const direct = new Map<EntryModel, Exploration>();

/** What the direct search answers, asked once for each model. */
function answerOf(model: EntryModel): Exploration {
  const answer = direct.get(model) ?? explore(model);
  direct.set(model, answer);
  return answer;
}

test('a search that runs out of room begins anew with more', () => {
  const model = modelOf('mainline', NO_NESTING);
  const capacities: Capacities = {
    runningTask: 30,
    runningIdle: 30,
    asleepTask: 1,
    asleepIdle: 1,
    globals: 1,
    crossings: 4,
    records: 60,
  };
  for (const threads of [1, 2]) expect(exploreCompiled(model, { capacities, threads })).toEqual(answerOf(model));
});

describe('where no array has room for all regions, the set is a hash table', () => {
  // Far more values of a sleeping thread than there are.
  const capacities: Capacities = { ...FIRST_CAPACITIES, asleepTask: 4095, asleepIdle: 4095 };
  const hashing = (model: EntryModel, options?: CompiledOptions<State>) =>
    exploreWithBytes(model, { memoryMiB: 64, capacities, ...options });

  test.each([ONE_TASK, ONE_CPU, NO_NESTING])('with the same states on any number of threads, %p', (bounds) => {
    const model = modelOf('mainline', bounds);
    const { verdict, states, transitions, depth } = answerOf(model);
    expect(hashing(model, { threads: 2 })).toMatchObject({ verdict, states, transitions, depth, joined: 1 });
  });

  test('with three CPUs, whose states no array holds', () => {
    const model = modelOf('mainline', { cpus: 3, tasks: 1, mms: 1, nesting: 1, nmis: 0, irqs: 1 });
    const { verdict, states, transitions, depth } = answerOf(model);
    expect(hashing(model)).toMatchObject({ verdict, states, transitions, depth });
  });

  test('reductions are those that were asked for', () => {
    const model = modelOf('mainline', NO_NESTING);
    for (const options of [{ symmetry: true }, { por: true }, { symmetry: true, por: true }]) {
      const { bytes, ...answer } = exploreWithBytes(model, { memoryMiB: 64, ...options });
      expect(hashing(model, options)).toMatchObject(answer);
    }
  });

  test('a violation and its trace are those of the direct search', () => {
    const model = modelOf('deferred-percpu', ONE_TASK);
    expect(hashing(model)).toEqual(answerOf(model));
  });

  test('there is no verdict only when nearly all memory is in use', () => {
    const answer = hashing(modelOf('mainline', DEFAULT_BOUNDS), { memoryMiB: 3 });
    expect(answer).toMatchObject({ verdict: 'unknown', reason: 'memory' });
    expect(answer.bytes).toBeGreaterThan(0.9 * 3 * 2 ** 20);
    expect(answer.bytes).toBeLessThan(1.1 * 3 * 2 ** 20);
    expect(answer.neededMiB).toBeGreaterThan(3);
  });
});
