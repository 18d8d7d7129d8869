import type { Bounds, State as StateOf } from '../language/schema-types';
import { global, range } from '../language/schema-types';
import type { Model, Rule } from '../model';
import { instanceName, ruleInstances } from '../model';
import type { Exploration, Progress } from './explore';
import { explore } from './explore';
import { guardedModel } from './guarded';
import { makePacking } from './packing';
import { peterson } from './peterson';

const BOUNDS: Bounds = { cpus: 2, tasks: 0, mms: 0, nesting: 0, nmis: 0, irqs: 0 };
const schema = { x: global(range(64)), y: global(range(64)) };
type State = StateOf<typeof schema>;
type CounterRule = Rule<State, unknown>;

function rule(name: string, apply: (s: State) => false | void): CounterRule {
  return { name, event: false, params: [], apply: (_d, _b, s) => apply(s) };
}

/** A machine of two counters, for searches whose answers can be told by looking. */
function counters(rules: readonly CounterRule[], invariants: Model<State>['invariants'] = []): Model<State> {
  const packing = makePacking(schema, BOUNDS);
  return { schema, bounds: BOUNDS, config: {}, packing, initial: packing.zero, rules, invariants };
}

const never = (property: number, bad: (s: State) => boolean) => ({
  property,
  name: `p${property}`,
  holds: (_d: unknown, _b: Bounds, s: State) => !bad(s),
});
/** Moves a counter by one, up to a limit. */
const step = (field: 'x' | 'y', limit: number, by = 1) =>
  rule(field, (s): false | void => {
    if (s[field] === limit) return false;
    s[field] = s[field] + by;
  });
const stepX = (limit: number) => step('x', limit);
const stepY = (limit: number) => step('y', limit);
const breaks = (property: number, when: (s: State) => boolean) =>
  rule(`break-${property}`, (s): false | void => {
    if (!when(s)) return false;
    s.failed = property;
  });

const names = (result: Exploration) => result.trace?.map((instance) => instanceName(instance, { tasks: 0 }));

/** The same search with strings and a Map: an oracle that shares no code with the real one. */
function naive<S extends { failed: number }>(model: Model<S>): { states: number; transitions: number; depth: number } {
  const depths = new Map([[JSON.stringify(model.initial()), 0]]);
  let transitions = 0;
  for (const [text, depth] of depths) {
    for (const instance of ruleInstances(model)) {
      const state = JSON.parse(text) as S;
      if (
        model.rules
          .find(({ name }) => name === instance.rule)
          ?.apply(model.config, model.bounds, state, ...instance.args) === false
      )
        continue;
      transitions++;
      const next = JSON.stringify(state);
      if (!depths.has(next)) depths.set(next, depth + 1);
    }
  }
  return { states: depths.size, transitions, depth: Math.max(...depths.values()) };
}

describe('counts', () => {
  test('Peterson has 20 reachable states, as a search with strings says too', () => {
    expect(explore(peterson())).toEqual({ verdict: 'holds', states: 20, transitions: 34, depth: 6 });
    expect(naive(peterson())).toEqual({ states: 20, transitions: 34, depth: 6 });
  });

  test('a grid has as many states as fields, through several doublings of the table', () => {
    const grid = counters([stepX(63), stepY(63)]);
    expect(explore(grid, { deadlock: false })).toEqual({
      verdict: 'holds',
      states: 64 * 64,
      transitions: 2 * 64 * 63,
      depth: 126,
    });
    expect(naive(grid)).toEqual({ states: 64 * 64, transitions: 2 * 64 * 63, depth: 126 });
  });

  test('a model that is guarded against indices out of range counts the same', () => {
    expect(explore(guardedModel(peterson()))).toEqual(explore(peterson()));
  });
});

describe('violations', () => {
  test('the trace to a violated invariant is a shortest one', () => {
    const result = explore(peterson({ givesTurn: 0 }));
    expect(result).toMatchObject({ verdict: 'violated', property: 1, depth: 6 });
    expect(names(result)).toEqual([
      'raise-flag(c1)',
      'give-turn(c1)',
      'enter(c1)',
      'raise-flag(c0)',
      'give-turn(c0)',
      'enter(c0)',
    ]);
  });

  test('a violating application ends the search, and counts as a transition', () => {
    const result = explore(counters([stepX(5), breaks(4, (s) => s.x === 3)]));
    expect(result).toMatchObject({ verdict: 'violated', property: 4, states: 5, transitions: 5, depth: 4 });
    expect(names(result)).toEqual(['x()', 'x()', 'x()', 'break-4()']);
  });

  test('of several violations at once the lowest number is reported', () => {
    const invariants = [never(8, (s) => s.x === 1), never(3, (s) => s.x === 1), never(5, (s) => s.x === 0)];
    expect(explore(counters([stepX(5)], invariants.slice(0, 2)))).toMatchObject({ property: 3 });
    const both = rule('both', (s) => {
      s.x = 1;
      s.failed = 5;
    });
    expect(explore(counters([both], invariants.slice(0, 2)))).toMatchObject({ property: 3 });
    expect(explore(counters([both], invariants.slice(0, 1)))).toMatchObject({ property: 5 });
  });

  test('the initial state is checked: a trace of length 0', () => {
    expect(explore(counters([stepX(1)], [never(12, (s) => s.x === 0)]))).toEqual({
      verdict: 'violated',
      property: 12,
      states: 1,
      transitions: 0,
      depth: 0,
      trace: [],
    });
  });

  test('after a violating application that is not reported the search goes on from the untouched state', () => {
    const spoil = rule('spoil', (s): false | void => {
      if (s.x !== 2) return false;
      s.y = 40;
      s.failed = 4;
    });
    expect(explore(counters([spoil, stepX(4)]), { property: 99, deadlock: false })).toMatchObject({
      verdict: 'holds',
      states: 5,
      transitions: 5,
    });
  });
});

describe('a search for one property', () => {
  const model = counters(
    [breaks(4, (s) => s.x === 1), stepX(6), stepY(2), breaks(9, (s) => s.x === 5)],
    [never(3, (s) => s.y === 2)],
  );

  test('passes the violations of others', () => {
    const result = explore(model, { property: 9 });
    expect(result).toMatchObject({ verdict: 'violated', property: 9, depth: 6 });
    expect(names(result)).toEqual(['x()', 'x()', 'x()', 'x()', 'x()', 'break-9()']);
  });

  test('does not go through states that violate others', () => {
    const hidden = counters([stepY(3)], [never(3, (s) => s.y === 1), never(9, (s) => s.y === 2)]);
    expect(explore(hidden, { property: 9 })).toEqual({ verdict: 'holds', states: 1, transitions: 1, depth: 0 });
  });

  test('reports it even where a lower number is violated too', () => {
    const both = counters([stepY(3)], [never(3, (s) => s.y === 1), never(9, (s) => s.y === 1)]);
    expect(explore(both, { property: 9 })).toMatchObject({ verdict: 'violated', property: 9 });
  });
});

describe('goals', () => {
  const model = counters([stepX(6), stepY(6)], [never(3, (s) => s.x === 1 && s.y === 0)]);

  test('a shortest trace to a state, around the states that violate something', () => {
    const result = explore(model, { goal: (s) => s.x === 2 });
    expect(result).toMatchObject({ verdict: 'holds', goalReached: true, depth: 3 });
    expect(names(result)).toEqual(['y()', 'x()', 'x()']);
  });

  test('the initial state may be the goal', () => {
    expect(explore(model, { goal: (s) => s.x === 0 })).toMatchObject({ goalReached: true, depth: 0, trace: [] });
  });

  test('a goal that cannot be reached', () => {
    expect(explore(model, { goal: (s) => s.x === 7 })).toMatchObject({ verdict: 'holds', goalReached: false });
  });

  test('a shortest trace to a transition, even one between known states', () => {
    const back = { ...step('x', 0, -1), name: 'back' };
    const result = explore(counters([stepX(3), back]), {
      goalTransition: (before, instance, after) => instance.rule === 'back' && before.x === 3 && after.x === 2,
    });
    expect(result).toMatchObject({ goalReached: true, depth: 4 });
    expect(names(result)).toEqual(['x()', 'x()', 'x()', 'back()']);
  });
});

describe('other endings', () => {
  test('a state without a successor is a deadlock, unless nobody asked', () => {
    expect(explore(counters([stepX(2)]))).toMatchObject({ verdict: 'deadlock', depth: 2, states: 3 });
    expect(explore(counters([stepX(2)]), { deadlock: false }).verdict).toBe('holds');
    expect(explore(counters([stepX(2)]), { property: 1 }).verdict).toBe('holds');
  });

  test('a bound on the depth leaves deeper states unknown, and says so', () => {
    const model = counters([stepX(9)], [never(2, (s) => s.x === 5)]);
    expect(explore(model, { stopAtDepth: 4 })).toEqual({
      verdict: 'unknown',
      reason: 'depth',
      states: 5,
      transitions: 4,
      depth: 4,
    });
    expect(explore(model, { stopAtDepth: 5 })).toMatchObject({ verdict: 'violated', depth: 5 });
  });

  test('a bound that nothing lies beyond does not spoil the verdict', () => {
    expect(explore(peterson(), { stopAtDepth: 7 })).toMatchObject({ verdict: 'holds', depth: 6 });
  });

  test('memory that ends is unknown', () => {
    const result = explore(counters([stepX(63), stepY(63)]), { memoryMiB: 0.01 });
    expect(result).toMatchObject({ verdict: 'unknown', reason: 'memory' });
    expect(result.states).toBeGreaterThan(1000);
  });

  test('an interruption is unknown', () => {
    expect(explore(counters([stepX(63), stepY(63)]), { shouldStop: () => true })).toMatchObject({
      verdict: 'unknown',
      reason: 'interrupted',
      transitions: 0,
    });
  });

  test('progress is reported twice a second', () => {
    const reports: Progress[] = [];
    const half = new Int32Array(new SharedArrayBuffer(4));
    // The first poll sleeps, so that a report is due at the second one, 1024 expanded states later.
    const shouldStop = () => Atomics.wait(half, 0, 0, reports.length === 0 ? 300 : 0) !== 'timed-out';
    explore(counters([stepX(63), stepY(63)]), { onProgress: (progress) => reports.push(progress), shouldStop });
    expect(reports).toHaveLength(1);
    expect(reports[0].states).toBeGreaterThan(1024);
    expect(reports[0]).toMatchObject({ frontier: reports[0].states - 2048 });
  });
});
