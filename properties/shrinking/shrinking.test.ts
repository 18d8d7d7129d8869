/**
 * Promises: a shrunk trace fails by the same property as the one that was found; it is the provably shortest where the
 * abstract machine has one; and without it delta debugging and shortcuts come down to what the failure needs.
 */
import fc from 'fast-check';
import type { Action } from '../../counterexamples/format';
import { campaignRun, shrinkWalk } from '../exploration/campaign';
import { replayWalk, type Walk } from '../exploration/random-walk';
import { Subject } from '../exploration/subject';
import { TraceArbitrary } from '../exploration/trace-arbitrary';
import { propertyNumber } from '../safety/property';
import { concretise } from './concretise';
import { candidates, isSimpler } from './delta-debugging';
import { shortcut } from './shortcut';

const headline = new Subject({ design: 'deferred-percpu' });
const S9 = propertyNumber('scheduled-out-on-own-stack') as number;

test.each(Array.from({ length: 10 }, (_, i) => `shrink-${i}`))(
  'seed %s: the headline shrinks to the shortest trace of the abstract machine',
  (seed) => {
    const trace = headline.shortestTrace(S9);
    let result = campaignRun(headline, seed, 0);
    for (let run = 1; result.failure === undefined; run++) result = campaignRun(headline, seed, run);
    expect(result.failure).toMatchObject({
      property: 'scheduled-out-on-own-stack',
      shrunk: trace?.length,
      shortest: trace?.length,
    });
  },
);

/** A failing walk as the random walk found it. */
function foundWalk(subject: Subject): Walk {
  for (let run = 0; ; run++) {
    const result = campaignRun(subject, 'found', run);
    if (result.failure !== undefined) {
      const replayed = replayWalk(subject.system, result.failure.actions);
      return replayed;
    }
  }
}

test('without an abstract trace delta debugging and shortcuts reach the same length', () => {
  const long: Action[] = [
    ...foundWalk(headline).actions.slice(0, -1),
    { action: 'nmi', cpu: 1 },
    ...foundWalk(headline).actions,
  ];
  const walk = replayWalk(headline.system, long);
  const arbitrary = new TraceArbitrary(headline.system, () => undefined);
  let best = walk;
  for (
    let next = arbitrary.shrink(best, 'candidate').getNthOrLast(0);
    next !== null;
    next = arbitrary.shrink(best, 'candidate').getNthOrLast(0)
  )
    best = next.value;
  expect(best.failure).toMatchObject({ kind: 'violated', property: S9 });
  expect(best.length).toBe(5);
});

test('a shortcut finds a way that deletion cannot', () => {
  const detour: Action[] = [
    { action: 'step', cpu: 0, rule: 'syscall', choices: [0] },
    { action: 'step', cpu: 0, rule: 'swapgs-to-kernel' },
    { action: 'step', cpu: 0, rule: 'load-entry-stack' },
    { action: 'step', cpu: 0, rule: 'load-kernel-cr3' },
    { action: 'step', cpu: 0, rule: 'enter-body' },
    { action: 'step', cpu: 0, rule: 'switch-to', args: [2], choices: [3, 3] },
  ];
  const walk = replayWalk(headline.system, detour);
  expect(walk).toMatchObject({ length: 6, failure: { property: S9 } });
  expect(shortcut(headline.system, walk)?.length).toBeLessThan(6);
});

test('an abstract trace is replayed with choices that the search finds', () => {
  const trace = headline.shortestTrace(S9) ?? [];
  const failure = { kind: 'violated', property: S9, message: '' } as const;
  const walk = concretise(headline.system, trace, failure);
  expect(walk?.actions.some((a) => a.action === 'step' && (a.choices ?? []).some((choice) => choice > 0))).toBe(true);
  expect(replayWalk(headline.system, walk?.actions ?? []).failure).toMatchObject({ kind: 'violated', property: S9 });
});

test('an abstract trace that the guest cannot follow has no walk', () => {
  const trace = headline.shortestTrace(S9) ?? [];
  expect(concretise(headline.system, [...trace].reverse(), undefined)).toBeUndefined();
});

test('a failing walk of the sweep is shrunk by the same candidates', () => {
  const failure = shrinkWalk(headline, foundWalk(headline), 'sweep');
  expect(failure).toMatchObject({ shrunk: 5, strategy: 'sweep', property: 'scheduled-out-on-own-stack' });
});

describe('candidates', () => {
  const step = (rule: string): Action => ({ action: 'step', cpu: 0, rule });
  const walk = (actions: Action[]): Walk => ({ actions, length: actions.length, failure: undefined });

  test('leave out every single action, and only ever leave out or simplify', () => {
    const actions = ['a', 'b', 'c', 'd'].map(step);
    const tried = [...candidates(walk(actions))].map((c) => c.map((a) => (a.action === 'step' ? a.rule : '')).join(''));
    expect(tried).toEqual(expect.arrayContaining(['bcd', 'acd', 'abd', 'abc', 'cd', 'ab', 'ad', '']));
    for (const t of tried) expect(t.length).toBeLessThan(4);
  });

  test('drop where an event was raised, and what was chosen', () => {
    const actions: Action[] = [{ action: 'nmi', cpu: 0, at: 'x+0x1' }, { ...step('a'), choices: [2] } as Action];
    const tried = [...candidates(walk(actions))];
    expect(tried).toContainEqual([{ action: 'nmi', cpu: 0 }, actions[1]]);
    expect(tried).toContainEqual([actions[0], step('a')]);
  });

  test('a trace is not simpler than itself', () => {
    const w = walk(['a', 'b'].map(step));
    expect(isSimpler(w, w)).toBe(false);
    expect(isSimpler(walk([step('a')]), w)).toBe(true);
  });
});

test("fast-check's own seed and path lead to the same shrunk trace", () => {
  let result = campaignRun(headline, 'replay', 0);
  for (let run = 1; result.failure === undefined; run++) result = campaignRun(headline, 'replay', run);
  const { failure } = result;
  const arbitrary = new TraceArbitrary(headline.system, (f) => headline.shortestWalk(f));
  const property = fc.property(arbitrary, (walk: Walk) => walk.failure === undefined);
  const details = fc.check(property, { ...failure?.replay, numRuns: 1, endOnFailure: true });
  expect(details.counterexample?.[0].actions).toEqual(failure?.actions);
});
