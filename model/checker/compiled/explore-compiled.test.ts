import { join } from 'node:path';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import { ruleFiles } from '../../rule-files';
import type { State } from '../../schema';
import type { Bounds, Transient } from '../language/schema-types';
import type { Model } from '../model';
import { type Exploration, explore } from '../search/explore';
import { peterson } from '../search/peterson';
import type { SourceProgram, Statement } from '../translate/ir';
import { sourceProgram } from '../translate/source-program';
import { isFamiliar } from './compiled-model';
import { FIRST_CAPACITIES } from './components';
import { type CompiledOptions, exploreCompiled as exploreWithBytes } from './explore-compiled';
import { estimateStates } from './progress';
import { type Coupling, coupled } from './testing/coupled';

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

// One that holds and one that is violated; explore-compiled.searches.test.ts has all designs, and
// scripts/cross-check.sh all mutants, too.
describe.each(['mainline', 'deferred-percpu'])('%s', (design) => {
  test.each([ONE_TASK, ONE_CPU])('verdict, counts and trace are those of the direct search at %p', (bounds) => {
    const model = modelOf(design, bounds);
    expect(exploreCompiled(model)).toEqual(answerOf(model));
  });
});

test('a probe finds a near violation before anything is translated, and leaves what holds to a search', () => {
  // To ask for a kept translation of files that have none is no translation.
  const untranslated = (design: string, asks: number) => {
    let asked = 0;
    const ruleFiles = () => {
      if (asked++ === asks) throw new Error('translated');
      return [__filename];
    };
    return { ...modelOf(design, ONE_TASK), ruleFiles };
  };
  const bad = untranslated('deferred-percpu', 1);
  expect(exploreCompiled(bad, { probe: true })).toEqual(explore(bad));
  expect(() => exploreCompiled(untranslated('deferred-percpu', 0))).toThrow('translated');
  expect(() => exploreCompiled(untranslated('mainline', 1), { probe: true })).toThrow('translated');
});

test('a model is familiar once a search of it has been compiled, and one whose rules are not translated is not', () => {
  const model = modelOf('mainline', ONE_TASK);
  exploreCompiled(model);
  expect(isFamiliar(model, {})).toBe(true);
  expect(isFamiliar({ ...model, ruleFiles: () => [__filename] }, {})).toBe(false);
});

test('a search for one property passes the violations of others, as the direct one does', () => {
  const model = modelOf('no-pti', ONE_CPU);
  const property = 9;
  expect(exploreCompiled(model, { property })).toEqual(explore(model, { property }));
});

test.each(['deferred-pertask+sp0-not-switched', 'mainline+on-cpu-released-early'])(
  '%s: the shortest trace, the same one',
  (mutant) => {
    const model = modelOf(mutant, ONE_TASK);
    const result = exploreCompiled(model);
    expect(result).toEqual(answerOf(model));
    expect(result.verdict).toBe('violated');
  },
);

// state-set.searches.test.ts has what becomes of a search whose set has no room.
describe('endings', () => {
  const model = modelOf('mainline', NO_NESTING);

  test('two threads count the same', () => {
    const { verdict, states, transitions, depth } = answerOf(model);
    expect(exploreCompiled(model, { threads: 2 })).toEqual({ verdict, states, transitions, depth });
  });

  test('two threads report the same violation, with the same trace', () => {
    const broken = modelOf('deferred-percpu', ONE_TASK);
    expect(exploreCompiled(broken, { threads: 2 })).toEqual(answerOf(broken));
  });

  test('a bound on the depth', () => {
    expect(exploreCompiled(model, { stopAtDepth: 7 })).toEqual(explore(model, { stopAtDepth: 7 }));
    expect(exploreCompiled(model, { stopAtDepth: 7, threads: 2 })).toMatchObject({
      verdict: 'unknown',
      reason: 'depth',
      depth: 7,
    });
  });

  test('memory that ends is unknown', () => {
    for (const threads of [1, 2]) {
      const result = exploreCompiled(modelOf('mainline', DEFAULT_BOUNDS), {
        memoryMiB: 0.3,
        threads,
        // Nothing is recalled: values that an earlier search has met count as met.
        capacities: FIRST_CAPACITIES,
      });
      expect(result).toMatchObject({ verdict: 'unknown', reason: 'memory' });
      expect(result.states).toBeGreaterThan(1000);
    }
  });

  test('the pages of the set count as memory, not the lists alone', () => {
    // No level has so many states that their entries take that much.
    const result = exploreCompiled(modelOf('mainline', DEFAULT_BOUNDS), { memoryMiB: 1, stopAtDepth: 40 });
    expect(result).toMatchObject({ verdict: 'unknown', reason: 'memory' });
  });

  test('what has been learnt is kept, and a search that recalls it answers the same', () => {
    const known = modelOf('mainline', { ...DEFAULT_BOUNDS, irqs: 1 });
    const [first, second, third] = [1, 1, 2].map((threads) => exploreWithBytes(known, { threads, memoryMiB: 64 }));
    expect({ ...second, bytes: first.bytes }).toEqual(first);
    expect({ ...third, bytes: first.bytes, joined: first.joined }).toEqual(first);
    // Bits for combinations of values, by the page, and the frontier: less than the two words of a collapsed state.
    expect(first.bytes).toBeLessThan(first.states * 8);
  });

  test('an interruption is unknown', () => {
    expect(exploreCompiled(model, { shouldStop: () => true })).toMatchObject({
      verdict: 'unknown',
      reason: 'interrupted',
    });
  });

  test('goals are for the direct search', () => {
    const goal = (s: State) => s.depth[0] === 1;
    expect(exploreCompiled(model, { goal })).toEqual(explore(model, { goal }));
  });
});

describe('other models', () => {
  const sources = sourceProgram([join(__dirname, '..', 'search', 'peterson.ts')]);

  test('Peterson', () => {
    expect(exploreCompiled(peterson(), { sources })).toEqual(explore(peterson()));
    expect(exploreCompiled(peterson({ givesTurn: 0 }), { sources })).toEqual(explore(peterson({ givesTurn: 0 })));
  });

  test('a rule whose source is not translated is named', () => {
    const others = sourceProgram(ruleFiles());
    expect(() => exploreCompiled(peterson(), { sources: others })).toThrow(/raise-flag is the function raiseFlag/);
  });

  test('a model that names no sources is told so', () => {
    expect(() => exploreCompiled(peterson())).toThrow(/does not say in which files its rules are written/);
  });
});

describe('CPUs that meet in a global', () => {
  const sources = sourceProgram([join(__dirname, 'testing', 'coupled.ts')]);

  // A step that waits for a global must not be left out where another CPU has just changed that: `lead` and `follow`
  // have no other way.
  test.each<Coupling>([
    { rules: ['lead', 'follow'] },
    { rules: ['advance', 'wrap', 'setMode', 'clearMode'], waits: 1 },
    { rules: ['advance', 'wrap', 'clearMode', 'setMode'], waits: 1, cpus: 3, tasks: 0 },
    { rules: ['advance', 'wrap', 'toggleMode'], waits: 1 },
    { rules: ['advance', 'setMode'], waits: 1, cpus: 1 },
    { rules: ['toil', 'switchReady', 'wakeSleeping', 'advance', 'setMode'], waits: 1, invariants: ['threadsApart'] },
  ])('%j: verdict and counts are those of the direct search', (coupling) => {
    const model = coupled(coupling);
    const { bytes, joined, ...answer } = exploreWithBytes(model, { sources, memoryMiB: 64, deadlock: false });
    expect(answer).toEqual(explore(model, { deadlock: false }));
    // Of the search by blocks, not of the one in order.
    expect(bytes).toBeGreaterThan(0);
    expect(joined).toBe(1);
  });
});

describe('a translator with a planted error', () => {
  /** The program with one rule's statements changed. */
  const changed = (name: string, change: (body: readonly Statement[]) => readonly Statement[]): SourceProgram => {
    const program = sourceProgram(ruleFiles());
    const rule = program.rules[name];
    return { ...program, rules: { ...program.rules, [name]: { ...rule, body: change(rule.body) } } };
  };

  test.each([
    ['a guard is lost', 'syscall', (body: readonly Statement[]) => body.slice(1)],
    [
      'a write is lost',
      'cli',
      (body: readonly Statement[]) =>
        [
          ...body.slice(0, -1),
          {
            kind: 'assign',
            field: 'interrupts',
            indices: [{ kind: 'local', name: 'c', type: 'int' }],
            value: { kind: 'int', value: 1 },
          },
        ] as const,
    ],
    ['a rule is lost', 'iretToKernel', () => [{ kind: 'reject' }] as const],
  ])('%s: verdict or counts differ', (_, name, change) => {
    const model = modelOf('mainline', NO_NESTING);
    const sources = changed(name, change as (body: readonly Statement[]) => readonly Statement[]);
    // What a rule does beyond what direct execution allows is noticed at once where the layout has to grow.
    const outcome = (() => {
      try {
        return exploreCompiled(model, { sources });
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(outcome).not.toEqual(answerOf(model));
  });
});

test('the estimate continues the fall of the growth', () => {
  const bell = Array.from({ length: 60 }, (_, i) => Math.round(1e6 * Math.exp(-((i - 30) ** 2) / 100)));
  const total = bell.reduce((sum, size) => sum + size, 0);
  expect(estimateStates(bell.slice(0, 3))).toBeUndefined();
  expect(estimateStates(bell.slice(0, 32))).toBeGreaterThan(total * 0.8);
  expect(estimateStates(bell.slice(0, 32))).toBeLessThan(total * 1.2);
});
