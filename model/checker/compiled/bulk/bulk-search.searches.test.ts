/**
 * Promises of searches in bulk that take longer: at any nesting they answer what the search in blocks answers, and two
 * threads count what one counts.
 */
import { type EntryModel, entryModel } from '../../../entry-model';
import type { State } from '../../../schema';
import type { OpenBounds } from '../../language/schema-types';
import { Crew } from '../crew';
import { type CompiledOptions, exploreCompiled } from '../explore-compiled';
import { exploreInBulk } from './explore-bulk';

const ANY: OpenBounds = { cpus: 2, tasks: 1, mms: 1, nesting: 1, nmis: 'any', irqs: 'any' };

function modelOf(design: string, bounds: Partial<OpenBounds>): EntryModel {
  const model = entryModel(design, { ...ANY, ...bounds });
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

/** The answer of the compiled search, without what direct execution does not count. */
function answerOf(model: EntryModel, options: CompiledOptions<State>) {
  const { bytes, joined, ...answer } = exploreCompiled(model, { memoryMiB: 64, ...options });
  return answer;
}

test('any nesting: the same as the search in blocks, and the same again with what was learnt', () => {
  const model = modelOf('mainline', { nesting: 'any', irqs: 0 });
  const { states, transitions } = answerOf(model, {});
  // So many that what has been learnt is kept.
  expect(states).toBeGreaterThan(100_000);
  for (let times = 0; times < 2; times++)
    expect(answerOf(model, { bulk: true })).toEqual({ verdict: 'holds', states, transitions });
});

test('two threads count what one counts', () => {
  const model = modelOf('mainline', { tasks: 2, nmis: 0 });
  const one = { threads: 1, memoryBytes: 2 ** 26, reportsDeadlock: true, poll: () => false };
  const { exploration: alone } = exploreInBulk(model, {}, new Crew(0), one);
  const crew = new Crew(1);
  // Time for the second thread to start, and to be let in.
  const nap = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1) === 'ok';
  let joined = 1;
  try {
    for (let times = 0; joined === 1 && times < 100; times++) {
      const options = { threads: 2, memoryBytes: 2 ** 26, reportsDeadlock: true, poll: nap };
      const { exploration } = exploreInBulk(model, {}, crew, options);
      expect({ ...exploration, bytes: 0, joined: 0 }).toEqual({ ...alone, bytes: 0, joined: 0 });
      joined = exploration?.joined ?? 0;
    }
  } finally {
    crew.dismiss();
  }
  expect(joined).toBe(2);
});
