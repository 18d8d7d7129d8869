/**
 * Promises: a shrunk trace fails by the same property as the one that was found; it is the provably shortest where the
 * abstract machine has one; and without it delta debugging and shortcuts come down to what the failure needs.
 */
import fc from 'fast-check';
import type { Action } from '../../counterexamples/format';
import type { RuleInstance } from '../../model/checker/model';
import { explore } from '../../model/checker/search/explore';
import { type EntryModel, entryModel } from '../../model/entry-model';
import { type Failure, shrinkFailure, unshrunk } from '../campaign/failure';
import { campaignRun, type FailedWalk } from '../campaign/run';
import { Subject } from '../campaign/subject';
import { TraceArbitrary } from '../campaign/trace-arbitrary';
import { propertyNumber } from '../safety/index';
import { replayWalk, type Walk } from '../trace/walk';
import { concretise, concretiseAny } from './concretise';
import { candidates, isSimpler } from './delta-debugging';
import { interleavings } from './interleavings';
import { shortcut } from './shortcut';
import { shortestTrace } from './shortest-trace';

const headline = new Subject({ design: 'deferred-percpu' });
const S9 = propertyNumber('scheduled-out-on-own-stack') as number;

/** The first failing walk of a campaign, as it was found. */
function firstFailed(subject: Subject, seed: string): FailedWalk {
  for (let run = 0; ; run++) {
    const { failed } = campaignRun(subject, seed, run);
    if (failed !== undefined) return failed;
  }
}

test.each(Array.from({ length: 10 }, (_, i) => `shrink-${i}`))(
  'seed %s: the headline shrinks to the shortest trace of the abstract machine',
  (seed) => {
    const trace = headline.shortestTrace(S9);
    expect(shrinkFailure(headline, firstFailed(headline, seed))).toMatchObject({
      property: 'scheduled-out-on-own-stack',
      shrunk: trace?.length,
      shortest: trace?.length,
    });
  },
);

/** A failing walk as a replay of it is. */
function foundWalk(subject: Subject): Walk {
  return replayWalk(subject.system, shrinkFailure(subject, firstFailed(subject, 'found')).actions);
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
  // It ends in a context switch, which user code does not begin with.
  expect(concretise(headline.system, trace.slice(-1), undefined)).toBeUndefined();
});

test('where the guest takes the steps of a shortest trace in another order, that order is found', () => {
  const { system, model } = new Subject({ design: 'mainline', boot: { cpus: 2, tasks: 3, mms: 2 } });
  if (model === undefined) throw new Error('mainline has no model');
  // The abstract machine loads t0's address space on CPU 1 while t0 runs on CPU 0: the guest picks t0 only afterwards.
  const ends = (_before: unknown, { rule, args }: RuleInstance) => rule === 'switch-to' && String(args) === '1,0';
  const { trace = [] } = explore(model, { goalTransition: ends, deadlock: false });
  const orders = [...interleavings(model, trace, ends)];
  const ofCpu = (c: number, order: readonly RuleInstance[]) => order.filter(({ args }) => args[0] === c);
  expect(orders[0]).toBe(trace);
  expect(orders.length).toBeGreaterThan(3);
  expect(new Set(orders.map((order) => order.map(({ number }) => number).join())).size).toBe(orders.length);
  for (const order of orders) for (const c of [0, 1]) expect(ofCpu(c, order)).toEqual(ofCpu(c, trace));
  expect(concretise(system, trace, undefined)).toBeUndefined();
  const walk = concretiseAny(system, orders, undefined);
  expect(walk).toMatchObject({ length: trace.length, failure: undefined });
  expect(replayWalk(system, walk?.actions ?? [])).toMatchObject({ length: trace.length, failure: undefined });
});

test('a failing walk of the sweep is shrunk by the same candidates', () => {
  const failure = shrinkFailure(headline, { walk: foundWalk(headline), strategy: 'sweep', run: 0 });
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

describe("fast-check's own seed and path lead to the same shrunk trace", () => {
  test.each([
    ['by the shortest trace of the abstract machine', headline, 'replay', true],
    ['by candidates, several times over', new Subject({ design: 'mainline+nmi-handler-loops' }), 'replay', false],
  ] as const)('%s', (_, subject, seed, isProvable) => {
    const failure = shrinkFailure(subject, firstFailed(subject, seed));
    expect(failure.shortest !== undefined).toBe(isProvable);
    const arbitrary = new TraceArbitrary(subject.system, (f) => subject.shortestWalk(f));
    const property = fc.property(arbitrary, (walk: Walk) => walk.failure === undefined);
    const details = fc.check(property, { ...failure.replay, numRuns: 1, endOnFailure: true });
    expect(details.counterexample?.[0].actions).toEqual(failure.actions);
    // And fast-check would not shrink it any further.
    const further = fc.check(property, { ...failure.replay, numRuns: 1, endOnFailure: false });
    expect(further.counterexample?.[0].actions).toEqual(failure.actions);
  });
});

describe('shrinking that is stopped', () => {
  const subject = new Subject({ design: 'mainline+nmi-handler-loops' });
  const failed = firstFailed(subject, 'stopped');
  const whole = shrinkFailure(subject, failed);

  /** Stops when it has been asked as often. */
  const stoppedAfter = (polls: number): Failure => {
    let asked = 0;
    return shrinkFailure(subject, failed, { shouldStop: () => ++asked > polls });
  };

  test('at once answers with the walk that was found', () => {
    const { shrunk, replay, actions } = stoppedAfter(0);
    expect({ shrunk, replay, actions }).toEqual({
      shrunk: failed.walk.length,
      replay: undefined,
      actions: failed.walk.actions,
    });
    expect(unshrunk(subject, failed).actions).toEqual(failed.walk.actions);
  });

  test('on the way answers with what fails in the same way and is no longer than before', () => {
    const lengths = [0, 8, 32, 128, 512].map((polls) => {
      const failure = stoppedAfter(polls);
      expect(failure.property).toBe(whole.property);
      expect(replayWalk(subject.system, failure.actions).failure).toMatchObject({ message: failure.message });
      return failure.actions.length;
    });
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
    expect(lengths.at(-1)).toBeLessThan(lengths[0]);
  });

  test('tells each better trace, the last of which is the answer', () => {
    const told: Failure[] = [];
    shrinkFailure(subject, failed, { onBetter: (better) => told.push(better) });
    expect(told.length).toBeGreaterThan(1);
    expect(told.at(-1)?.actions).toEqual(whole.actions);
    expect(whole).not.toHaveProperty('unfinished');
  });
});

describe("the abstract machine's shortest trace", () => {
  const bounds = { cpus: 1, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 1 };
  const model = (design: string): EntryModel => entryModel(design, bounds) as EntryModel;

  test('is the one that direct execution finds, also past violations of other properties', () => {
    const headlineModel = headline.model as EntryModel;
    expect(shortestTrace(headlineModel, S9)).toEqual({
      kind: 'trace',
      trace: explore(headlineModel, { property: S9, deadlock: false }).trace,
    });
    // Where S2 is violated first, S3 still has a trace of its own, or none, as direct execution says.
    const mutant = model('mainline+no-cr3-switch-on-exit');
    for (const property of [2, 3]) {
      const { trace } = explore(mutant, { property, deadlock: false });
      const expected = trace === undefined ? { kind: 'none' } : { kind: 'trace', trace };
      expect(shortestTrace(mutant, property)).toEqual(expected);
    }
  });

  test('does not exist in a design that holds, nor for a property that only the emulator has', () => {
    expect(shortestTrace(model('mainline'), S9)).toEqual({ kind: 'none' });
    const S17 = propertyNumber('fast-return-is-canonical') as number;
    expect(shortestTrace(model('deferred-percpu'), S17)).toEqual({ kind: 'none' });
  });

  test('is not known where the search was stopped, and can be asked again', () => {
    const subject = new Subject({ design: 'mainline' });
    let stopped = true;
    expect(subject.shortestTrace(S9, () => stopped)).toBeUndefined();
    expect(shortestTrace(model('mainline'), S9, () => true)).toEqual({ kind: 'unknown', reason: 'interrupted' });
    stopped = false;
    const unsafe = new Subject({ design: 'deferred-percpu' });
    expect(unsafe.shortestTrace(S9, () => stopped)).toHaveLength(5);
  });
});
