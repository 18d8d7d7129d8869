/**
 * Promises: the exhaustive search answers for every design what the design declares, with exact counts at fixed bounds
 * (a changed rule changes them, and has to say so here), and no rule reads outside the arrays of a state.
 * `entry-model.searches.test.ts` asks the same of all designs.
 */

import { exploreCompiled } from './checker/compiled/explore-compiled';
import type { Bounds, OpenBounds } from './checker/language/schema-types';
import { instanceName, type RuleInstance } from './checker/model';
import { explore } from './checker/search/explore';
import { guardedModel } from './checker/search/guarded';
import { designConfig } from './design-config';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from './entry-model';
import { nestingHasRoom } from './invariants';
import { NMI } from './kinds';
import { NO_DEADLOCK, S9, S12 } from './property-names';
import type { State } from './schema';

const ONE_CPU: Bounds = { cpus: 1, tasks: 2, mms: 1, nesting: 3, nmis: 1, irqs: 1 };
const TWO_MMS: Bounds = { cpus: 1, tasks: 2, mms: 2, nesting: 2, nmis: 1, irqs: 1 };
const TWO_CPUS: Bounds = { ...DEFAULT_BOUNDS, nmis: 0, irqs: 0 };
const LATCHED_NMIS: Bounds = { cpus: 1, tasks: 1, mms: 1, nesting: 3, nmis: 3, irqs: 1 };
const NO_NESTING: Bounds = { ...LATCHED_NMIS, nesting: 1 };

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

test('mainline holds, with exactly these states and transitions', () => {
  expect([ONE_CPU, TWO_MMS, TWO_CPUS].map((bounds) => verdict('mainline', bounds))).toMatchSnapshot();
});

test('mainline and asm-return differ in the instruction that changes stacks, not in what may happen', () => {
  expect(verdict('mainline', TWO_CPUS)).toEqual(verdict('asm-return', TWO_CPUS));
});

test('deferred-percpu is scheduled out on the trampoline stack after five transitions, in the initial bounds', () => {
  const found = explore(model('deferred-percpu', DEFAULT_BOUNDS));
  expect(found.property).toBe(S9);
  expect(found.trace?.map((instance) => instanceName(instance, DEFAULT_BOUNDS))).toEqual([
    'user-page-fault(c0)',
    'swapgs-to-kernel(c0)',
    'load-kernel-cr3(c0)',
    'enter-body(c0)',
    'switch-to(c0, idle(c0))',
  ]);
});

test('no-pti maps the kernel for the user before anything happens', () => {
  const found = explore(model('no-pti', DEFAULT_BOUNDS));
  expect(found.property).toBe(S12);
  expect(found.trace).toEqual([]);
});

test('no-pti violates nothing else', () => {
  expect(explore(model('no-pti', ONE_CPU), { property: S9 }).verdict).toBe('holds');
});

/** One that holds and one that does not. */
const FOLLOWED = ['mainline', 'deferred-percpu'];

describe('a pending NMI that is not blocked comes before anything else on its CPU', () => {
  const overtakes = ({ nmiPending, nmiBlocked }: State, { rule, args: [cpu] }: RuleInstance): boolean =>
    nmiPending[cpu] === 1 && nmiBlocked[cpu] === 0 && rule !== 'latched-nmi';

  test.each(FOLLOWED)('%s has no rule that overtakes it', (id) => {
    expect(explore(model(id, LATCHED_NMIS), { goalTransition: overtakes }).goalReached).toBe(false);
    expect(explore(model(id, NO_NESTING), { goalTransition: overtakes }).goalReached).toBe(false);
  });

  test.each(FOLLOWED)('%s always has room for it: the IRET before it has made some', (id) => {
    expect(explore(model(id, NO_NESTING), { property: NO_DEADLOCK, deadlock: true }).verdict).toBe('holds');
  });
});

describe('an NMI that was nested in one from the kernel makes that one repeat', () => {
  /** The repeat of an NMI that interrupted the exit of one from user mode: that one asks for no more NMIs. */
  const repeatsInUserNmiExit = (s: State, { rule, args: [cpu] }: RuleInstance): boolean => {
    const t = s.running[cpu];
    return rule === 'repeat-nmi' && s.kind[t][0] === NMI && s.fromUser[t][0] === 1 && s.userHalf[cpu] === 1;
  };

  test.each(FOLLOWED)('%s repeats it on top of the exit of one from user mode, too, and goes on', (id) => {
    expect(explore(model(id, LATCHED_NMIS), { goalTransition: repeatsInUserNmiExit }).goalReached).toBe(true);
    expect(explore(model(id, LATCHED_NMIS), { property: NO_DEADLOCK, deadlock: true }).verdict).toBe('holds');
  });
});

test.each(FOLLOWED)('%s reads no array out of range', (id) => {
  const guarded = guardedModel(model(id, { ...DEFAULT_BOUNDS, mms: 2 }));
  expect(explore(guarded, { property: NO_DEADLOCK, stopAtDepth: 7 }).reason).toBe('depth');
});

describe('any number of events, nested to any depth', () => {
  test('mainline holds, never nests more than 6 deep, and a bound beyond that adds no state', () => {
    let deepest = 0;
    const sees = (s: State) => {
      deepest = Math.max(deepest, ...s.depth);
      return false;
    };
    const { states, transitions } = explore(model('mainline', ANY), { goal: sees });
    expect(deepest).toBe(6);
    for (const nesting of [6, 7])
      expect(explore(model('mainline', { ...ANY, nesting }))).toMatchObject({ verdict: 'holds', states, transitions });
  });

  test('counters of what is not counted take no bit, and there is nothing to allot to CPUs', () => {
    const { packing, partialOrder } = model('mainline', ANY);
    const counters = packing.describe().filter(({ field }) => field === 'irqsLeft' || field === 'nmisLeft');
    expect(counters.map(({ bits }) => bits)).toEqual([0, 0]);
    expect(partialOrder).toBeUndefined();
  });

  test('a search that needs all the room for contexts has no verdict, whatever it was asked for', () => {
    const { invariants, ...small } = model('mainline', { ...ANY, nesting: 2 });
    const [limit] = model('mainline', ANY).invariants.filter(({ holds }) => holds === nestingHasRoom);
    const narrow = { ...small, invariants: [...invariants, limit] };
    for (const options of [{}, { property: S9 }, { goal: () => false }, { symmetry: true }]) {
      const found = explore(narrow, options);
      expect(found).toMatchObject({ verdict: 'unknown', reason: 'capacity' });
      expect(found.trace).toBeUndefined();
      expect(exploreCompiled(narrow, { ...options, memoryMiB: 64 })).toMatchObject({
        verdict: 'unknown',
        reason: 'capacity',
      });
    }
  });
});

test('a name that is no design, or a mutant below the abstraction, has no model', () => {
  for (const id of [
    'mainlin',
    'mainline+',
    'mainline+nonsense',
    'mainline+user-rsp-in-scratch',
    'mainline+sti-on-trampoline+x',
  ])
    expect(designConfig(id)).toBeUndefined();
});
