/**
 * Promises: for every design the compiled searches (in blocks, on one thread and on two, with bits or in a hash table,
 * and in bulk) answer what the direct search answers: verdict, counts, and the trace where there is one.
 */
import { DESIGN_NAMES } from '../../design-config';
import { type EntryModel, entryModel } from '../../entry-model';
import type { State } from '../../schema';
import type { OpenBounds } from '../language/schema-types';
import { type Exploration, explore } from '../search/explore';
import { exploreInBulk } from './bulk/explore-bulk';
import { FIRST_CAPACITIES } from './components';
import { Crew } from './crew';
import { type CompiledOptions, exploreCompiled } from './explore-compiled';

const ONE_TASK: OpenBounds = { cpus: 2, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 2 };
const ONE_CPU: OpenBounds = { cpus: 1, tasks: 2, mms: 2, nesting: 2, nmis: 1, irqs: 1 };
const NO_NESTING: OpenBounds = { cpus: 2, tasks: 2, mms: 1, nesting: 1, nmis: 1, irqs: 1 };

const ANY: OpenBounds = { cpus: 2, tasks: 1, mms: 1, nesting: 1, nmis: 'any', irqs: 'any' };

function modelOf(design: string, bounds: OpenBounds): EntryModel {
  const model = entryModel(design, bounds);
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

/** The answer without what direct execution does not count. */
function answerOf(model: EntryModel, options: CompiledOptions<State>): Exploration {
  const { bytes, joined, ...answer } = exploreCompiled(model, { memoryMiB: 64, ...options });
  return answer;
}

describe.each(DESIGN_NAMES)('%s', (design) => {
  test.each([ONE_TASK, ONE_CPU, NO_NESTING])(
    'verdict, counts and trace are those of the direct search at %j',
    (bounds) => {
      const model = modelOf(design, bounds);
      const direct = explore(model);
      const hashing = { capacities: { ...FIRST_CAPACITIES, asleepTask: 4095, asleepIdle: 4095 } };
      for (const options of [{}, { threads: 2 }, hashing, { ...hashing, threads: 2 }])
        expect(answerOf(model, options)).toEqual(direct);
    },
  );

  test.each<Partial<OpenBounds>>([
    { nesting: 2, nmis: 0 },
    { tasks: 2, nmis: 0 },
    { tasks: 2, mms: 2, nmis: 0, irqs: 0 },
    { cpus: 3, nmis: 0 },
  ])('in bulk they are, too, at %j', (bounds) => {
    const model = modelOf(design, { ...ANY, ...bounds });
    const direct = explore(model);
    const { verdict, states, transitions } = direct;
    // By itself it answers only for what holds, and has no levels that it could count.
    const { exploration } = exploreInBulk(model, {}, new Crew(0), {
      threads: 1,
      memoryBytes: 2 ** 26,
      reportsDeadlock: true,
      poll: () => false,
    });
    expect(exploration?.states).toBe(verdict === 'holds' ? states : undefined);
    expect(answerOf(model, { bulk: true })).toEqual(verdict === 'holds' ? { verdict, states, transitions } : direct);
  });
});
