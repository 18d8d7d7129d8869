/**
 * Promises: every safe design holds, with exact counts at fixed bounds (a changed rule changes them, and has to say so
 * here), and nests no deeper than any number of events can take it; in every design a pending NMI comes first, and no
 * rule reads outside the arrays of a state. `entry-model.test.ts` has some designs.
 */
import type { Bounds, OpenBounds } from './checker/language/schema-types';
import type { RuleInstance } from './checker/model';
import { explore } from './checker/search/explore';
import { guardedModel } from './checker/search/guarded';
import { DESIGN_NAMES } from './design-config';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from './entry-model';
import { NMI } from './kinds';
import { NO_DEADLOCK } from './property-names';
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

// The initial state of no-pti is wrong already: nothing follows from it.
const FOLLOWED = DESIGN_NAMES.filter((id) => id !== 'no-pti');

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
