/**
 * Promises: what partial-order.ts claims of the private steps holds in every state of small models, and a wrong claim
 * is found; a reduced search answers what the plain one answers, by direct execution and compiled, with or without
 * symmetry.
 */
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import { maySchedule } from '../../rules/body';
import { exploreCompiled } from '../compiled/explore-compiled';
import type { Bounds } from '../language/schema-types';
import { explore } from './explore';
import { partialOrderOf } from './partial-order';
import { auditPartialOrder } from './partial-order-audit';
import { peterson } from './peterson';

/** Two CPUs go for one task. */
const RACE: Bounds = { ...DEFAULT_BOUNDS, tasks: 1, nmis: 0, irqs: 0 };
/** One CPU takes an NMI whose handler faults. */
const FAULT: Bounds = { ...DEFAULT_BOUNDS, cpus: 1, tasks: 1, nmis: 1, irqs: 0 };
const SMALL: Bounds = { ...DEFAULT_BOUNDS, nmis: 0, irqs: 0 };

function model(id: string, bounds: Bounds): EntryModel {
  const made = entryModel(id, bounds);
  if (made === undefined) throw new Error(`no model of ${id}`);
  return made;
}

const orderOf = (id: string, bounds: Bounds) => partialOrderOf(model(id, bounds));

type Order = ReturnType<typeof orderOf>;

function findingsOf(order: Order, isPrivate: Order['isPrivate'] = order.isPrivate): readonly string[] {
  return auditPartialOrder({ ...order, isPrivate }).findings;
}

describe.each(['mainline', 'deferred-pertask', 'deferred-percpu', 'mainline+on-cpu-released-early'])('%s', (id) => {
  test.each([RACE, FAULT])('private steps commute with all others, and end, at %p', (bounds) => {
    const { states, pairs, findings } = auditPartialOrder(orderOf(id, bounds));
    expect(findings).toEqual([]);
    expect(states).toBeGreaterThan(30);
    expect(pairs > 100).toBe(bounds.cpus > 1);
  });
});

describe('a wrong claim is found', () => {
  test('everything is private: steps of the scheduler do not commute', () => {
    expect(findingsOf(orderOf('mainline', RACE), () => true).join()).toMatch(/switch-to/);
  });

  test('all but the scheduler is private: the handler of an NMI may fault for ever', () => {
    const notScheduling: Order['isPrivate'] = (d, b, s, c) => !maySchedule(d, b, s, c, s.running[c]);
    expect(findingsOf(orderOf('mainline', FAULT), notScheduling)).toEqual(['a cycle of private steps']);
  });

  test('a CPU that waits for its thread to be released is not private', () => {
    const order = orderOf('mainline+on-cpu-released-early', RACE);
    const inKernel: Order['isPrivate'] = (_d, _b, s, c) => s.user[c] === 0;
    expect(findingsOf(order, inKernel).join()).toMatch(/switch-to\(c\d, t0\) do not fail alike/);
  });

  test('events that are not allotted couple the CPUs', () => {
    const order = orderOf('mainline', { ...RACE, nmis: 1 });
    const shared = { ...order, first: [], replaced: ['allot-irq', 'allot-nmi', 'allotted-irq', 'allotted-nmi'] };
    expect(findingsOf(shared).join()).toMatch(/nmi\(c\d\) changes what CPU/);
  });
});

const ANSWERS = ['verdict', 'property', 'trace'] as const;

/** Verdict, property and trace, of each search with these reductions. */
function answers(id: string, bounds: Bounds, reductions: { readonly por: boolean; readonly symmetry: boolean }) {
  const made = model(id, bounds);
  const pick = (found: ReturnType<typeof explore>) => ANSWERS.map((key) => found[key]);
  return { plain: pick(explore(made)), reduced: pick(explore(made, reductions)) };
}

// Some designs and mutants; reductions.searches.test.ts has all of them.
test.each([
  'mainline',
  'deferred-percpu',
  'no-pti',
  'deferred-pertask+sp0-not-switched',
  'mainline+on-cpu-released-early',
  'mainline+sti-on-trampoline',
])('%s answers the same', (id) => {
  for (const symmetry of [false, true]) {
    const { plain, reduced } = answers(id, SMALL, { por: true, symmetry });
    expect(reduced).toEqual(plain);
  }
});

test('the reductions multiply', () => {
  const made = model('mainline', SMALL);
  const [plain, por, symmetry, both] = [{}, { por: true }, { symmetry: true }, { por: true, symmetry: true }].map(
    (reductions) => explore(made, reductions).states,
  );
  expect(plain / por).toBeGreaterThan(2);
  expect(plain / symmetry).toBeGreaterThan(3.8);
  expect(plain / both).toBeGreaterThan(8);
});

describe('compiled', () => {
  const made = model('mainline', { ...SMALL, tasks: 1, irqs: 1 });

  test.each([{ symmetry: true }, { por: true }])('%p: the counts are those of direct execution', (reductions) => {
    const { bytes, joined, ...answer } = exploreCompiled(made, { ...reductions, memoryMiB: 64 });
    expect(answer).toEqual(explore(made, reductions));
    expect(bytes).toBeGreaterThan(0);
  });

  test('both: the verdict is, and no more states are met than with one', () => {
    const both = exploreCompiled(made, { symmetry: true, por: true, memoryMiB: 64 });
    expect(both.verdict).toBe('holds');
    expect(both.states).toBeLessThan(explore(made, { por: true }).states);
  });

  test('a violation is reported as the plain search does', () => {
    const broken = model('deferred-percpu', RACE);
    expect(exploreCompiled(broken, { symmetry: true, por: true, memoryMiB: 64 })).toEqual(explore(broken));
  });
});

test('a search for one property is not reduced', () => {
  const broken = model('no-pti', { ...SMALL, tasks: 1 });
  expect(explore(broken, { property: 9, por: true })).toEqual(explore(broken, { property: 9 }));
});

test('neither goals nor models without private steps go with it', () => {
  expect(() => explore(model('mainline', RACE), { por: true, goal: () => false })).toThrow(RangeError);
  expect(() => explore(peterson(), { por: true })).toThrow(/does not say where a CPU is private/);
});
