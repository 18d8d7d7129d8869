/**
 * Promises: a proof is one for any number of CPUs, tasks and events, so a bounded search never meets a view that the
 * closed set lacks, and never a violation of what is proved; what fails is shown by a shortest trace at the smallest
 * bounds; what is neither proved nor found is unknown, with what is in the way. Each way in which CPUs are coupled is
 * either followed, or in the way.
 */
import { join } from 'node:path';
import { type Coupling, coupled } from '../compiled/testing/coupled';
import type { Bounds } from '../language/schema-types';
import { explore } from '../search/explore';
import { obstacleInWords } from './obstacle-words';
import { type Proof, prove } from './prove';
import { StateReader } from './state-views';
import { keyOf } from './views';

const FILES = [join(__dirname, '..', 'compiled', 'testing', 'coupled.ts')];
const LIKE: Bounds = { cpus: 2, tasks: 1, mms: 0, nesting: 0, nmis: 0, irqs: 0 };

const modelAt =
  (coupling: Coupling) =>
  ({ cpus, tasks }: Pick<Bounds, 'cpus' | 'tasks'>) => ({
    ...coupled({ ...coupling, cpus, tasks }),
    ruleFiles: () => FILES,
  });

const proofOf = (coupling: Coupling) => prove(modelAt(coupling), LIKE);

/** The views that a search of a system of this size meets and the proof does not have. */
function missed(coupling: Coupling, { closure }: Proof, size: Pick<Bounds, 'cpus' | 'tasks'>): string[] {
  const { system, fixpoint } = closure;
  const model = modelAt(coupling)(size);
  const reader = new StateReader(system.layout, system.form, model.running);
  const known = new Set(fixpoint.views.map(({ values }) => keyOf(values)));
  const asleep = new Set(fixpoint.sleepers.map(({ values }) => keyOf(values)));
  const found: string[] = [];
  explore(model, {
    goal: (state) => {
      for (const view of reader.views(state, model.bounds)) if (!known.has(keyOf(view))) found.push(`view ${view}`);
      for (const { values } of reader.sleepers(state, model.bounds))
        if (!asleep.has(keyOf(values))) found.push(`sleeper ${values}`);
      return false;
    },
  });
  return found;
}

const PROVED: Readonly<Record<string, Coupling>> = {
  'steps of one CPU': { rules: ['advance', 'wrap'] },
  'a thread that is taken if it sleeps': { rules: ['toil', 'switchBlindly'], invariants: ['threadsApart'] },
  'a sleeping thread that is changed': { rules: ['switchReady', 'wakeSleeping'], invariants: ['threadsApart'] },
  'a thread that is changed wherever it is': { rules: ['switchReady', 'wakeAny'], invariants: ['threadsApart'] },
  'a global that another CPU sets': { rules: ['setMode', 'clearMode', 'follow', 'advance'] },
  'a field of another CPU that is written': { rules: ['nudge', 'advance', 'wrap'] },
  'a condition about two CPUs': { rules: ['approach', 'enterAlone', 'wrap'], invariants: ['notBothAtThree'] },
};

test.each(Object.entries(PROVED))('%s: proved, and no small system meets anything else', (_, coupling) => {
  const proof = proofOf(coupling);
  expect(proof.verdict).toBe('proved');
  const pairs = proof.closure.system.form.tracked === 2;
  for (const size of [
    { cpus: 2, tasks: 1 },
    { cpus: pairs ? 3 : 1, tasks: 2 },
  ])
    expect(missed(coupling, proof, size).slice(0, 3)).toEqual([]);
});

test('a condition about two CPUs takes pairs of CPUs, and nothing else does', () => {
  const tracked = Object.values(PROVED).map((coupling) => proofOf(coupling).closure.system.form.tracked);
  expect(tracked).toEqual([1, 1, 1, 1, 1, 1, 2]);
});

test('which rules ask for more than one CPU and its thread is found out', () => {
  const crossing = (coupling: Coupling) => [...proofOf(coupling).closure.fixpoint.crossing].sort();
  expect(crossing({ rules: ['advance', 'toil', 'setMode', 'follow'] })).toEqual([]);
  expect(crossing({ rules: ['advance', 'toil', 'switchBlindly', 'wakeSleeping'] })).toEqual([
    'switchBlindly',
    'wakeSleeping',
  ]);
});

test('what fails is shown by a shortest trace at the smallest bounds', () => {
  const { verdict, violation } = proofOf({ rules: ['advance', 'wrap'], invariants: ['notBothAtThree'] });
  expect(verdict).toBe('violated');
  expect(violation?.bounds).toMatchObject({ cpus: 2, tasks: 1 });
  expect(violation?.exploration).toMatchObject({ property: 1, depth: 6 });
});

test('what hangs on a global is unknown, with the view and the global that is in the way', () => {
  const rules = ['approach', 'acquire', 'release'];
  const { verdict, alarm, closure } = proofOf({ rules, invariants: ['notBothAtThree'] });
  expect(verdict).toBe('unknown');
  expect(alarm).toMatchObject({ kind: 'property', property: 1 });
  const names = alarm?.open.map((cell) => closure.system.layout.cells[cell].field);
  expect(names).toContain('mode');
});

test('more views than allowed are no proof', () => {
  const { verdict, alarm } = prove(modelAt({ rules: ['advance', 'wrap'] }), LIKE, { mostViews: 3 });
  expect({ verdict, kind: alarm?.kind }).toEqual({ verdict: 'unknown', kind: 'size' });
});

test('what is in the way is said in words: the step or the view, what is left open, what would have to be kept', () => {
  const said = ({ closure, alarm }: Proof) =>
    alarm && obstacleInWords(closure.system, alarm, (property) => `property ${property}`);
  expect(said(proofOf({ rules: ['approach', 'acquire', 'release'], invariants: ['notBothAtThree'] }))).toEqual({
    what: 'property 1 may be violated',
    element: expect.stringMatching(/^2 CPUs with their threads: .*pc 3.*pc 3/),
    open: ['mode'],
    refine: 'the globals kept with it',
  });
  const few = prove(modelAt({ rules: ['advance', 'wrap'] }), LIKE, { mostViews: 3 });
  expect(said(few)).toMatchObject({
    what: 'the set has more elements than the limit',
    refine: 'the limits of the proof',
  });
});
