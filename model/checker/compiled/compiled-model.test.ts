/**
 * The guard against bugs of the translator: each rule instance, compiled and executed directly, on random states. A
 * state has at most one successor for each instance, so the list of successors says everything.
 */
import fc from 'fast-check';
import type { DesignConfig } from '../../design-config';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import type { State } from '../../schema';
import { type Bounds, sizeOf } from '../language/schema-types';
import { violations } from '../model';
import { explore } from '../search/explore';
import { enabledInstances } from '../search/successors';
import { anyState, nearState, reachedState } from '../search/testing/random-states';
import { packState } from './code/packer';
import { CompiledModel } from './compiled-model';
import { compiled, directly, kernelOf } from './testing/both-ways';

/**
 * Between them they have every rule, a thread that another CPU takes, and two address spaces. All at once makes four
 * times the code, which takes most of the time; compiled-model.searches.test.ts has that.
 */
const COMPILED: readonly (readonly [design: string, bounds: Bounds])[] = [
  ['deferred-pertask', { cpus: 1, tasks: 2, mms: 2, nesting: 2, nmis: 2, irqs: 1 }],
  ['mainline+on-cpu-released-early', { cpus: 2, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 1 }],
];

function modelOf(design: string, bounds: Bounds): EntryModel {
  const model = entryModel(design, bounds);
  if (model === undefined) throw new Error(`no design ${design}`);
  return model;
}

const compiledModels = new Map<string, CompiledModel<State, DesignConfig>>();

/** A design, compiled once for all tests, with codes for all values of all sorts. */
function compile(design: string, bounds: Bounds): CompiledModel<State, DesignConfig> {
  const code = compiledModels.get(design) ?? new CompiledModel(modelOf(design, bounds), { full: true });
  compiledModels.set(design, code);
  return code;
}

describe.each(COMPILED)('%s, compiled', (design, bounds) => {
  const code = compile(design, bounds);
  const { model } = code;

  test('does what direct execution does, in reachable states', () => {
    fc.assert(
      fc.property(reachedState(model), (state) => expect(compiled(code, state)).toEqual(directly(model, state))),
      { numRuns: 15 },
    );
  });

  test('does what direct execution does, in unreachable states', () => {
    fc.assert(
      fc.property(fc.oneof(anyState(model), nearState(model)), (state) =>
        expect(compiled(code, state)).toEqual(directly(model, state)),
      ),
      { numRuns: 40 },
    );
  });

  test('judges invariants as direct execution does', () => {
    const kernel = kernelOf(code);
    fc.assert(
      fc.property(fc.oneof(anyState(model), reachedState(model)), (state) => {
        const words = new Int32Array(code.words);
        packState(code.layout, state, words);
        expect(kernel.judge(...words)).toBe(violations(model, state)[0] ?? 0);
      }),
      { numRuns: 20 },
    );
  });
});

/** The rules that the design does not disable altogether. */
function possibleRules(code: CompiledModel<State, DesignConfig>): string[] {
  return code.program.rules.filter(({ body }) => body[0]?.kind !== 'reject').map(({ name }) => name);
}

test('every rule is executed where it is enabled', () => {
  const met = new Set<string>();
  const remember = (model: EntryModel, state: State) => {
    for (const { rule } of enabledInstances(model, state)) met.add(rule);
  };
  for (const [design, bounds] of COMPILED) {
    const code = compile(design, bounds);
    const { model } = code;
    for (const state of fc.sample(reachedState(model), { numRuns: 60, seed: 1 })) remember(model, state);
    // What walks do not reach the search does.
    const wanted = new Set(possibleRules(code).filter((name) => !met.has(name)));
    const found: State[] = [];
    const goalTransition = (before: State, { rule }: { readonly rule: string }) => {
      if (wanted.delete(rule)) found.push(structuredClone(before));
      return wanted.size === 0;
    };
    if (wanted.size > 0) explore(model, { goalTransition, stopAtDepth: 14 });
    for (const state of found) {
      remember(model, state);
      expect(compiled(code, state)).toEqual(directly(model, state));
    }
  }
  const [[design, bounds]] = COMPILED;
  const missing = modelOf(design, bounds).rules.filter(({ name }) => !met.has(name));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

test('a layout of what occurs is smaller than the sorts', () => {
  const model = modelOf('mainline', DEFAULT_BOUNDS);
  const code = new CompiledModel(model);
  expect(code.words).toBeLessThan(model.packing.words);
  // One address space, and TSS.sp0 never changes: no bits.
  expect(code.layout.cells.filter(({ field, bits }) => ['mm', 'sp0'].includes(field) && bits > 0)).toEqual([]);
  expect(sizeOf(model.schema.mm.sort, DEFAULT_BOUNDS)).toBe(1);
});
