/**
 * The guard against bugs of the translator: each rule instance, compiled and executed directly, on random states. A
 * state has at most one successor for each instance, so the list of successors says everything.
 */
import fc from 'fast-check';
import type { DesignConfig } from '../../design-config';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import type { State } from '../../schema';
import { type Bounds, sizeOf } from '../language/schema-types';
import { ruleInstances, violations } from '../model';
import { explore } from '../search/explore';
import { guardedModel } from '../search/guarded';
import { enabledInstances } from '../search/successors';
import { markedInstance, markedProperty, NO_CELL, NO_CODE } from './code/marker';
import { packState } from './code/packer';
import { CompiledModel } from './compiled-model';

/**
 * Between them they have every rule, a thread that another CPU takes, and two address spaces. All at once makes four
 * times the code, which takes most of the time.
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

/**
 * What each instance does to a state, as text: "12 -> words", "12 fails 8", or "12 cannot" where it leaves the sorts.
 */
function directly(model: EntryModel, state: State): string[] {
  const guarded = guardedModel(model);
  const words = packed(model, state);
  return ruleInstances(model).flatMap((instance) => {
    const rule = model.rules.find(({ name }) => name === instance.rule);
    const after = guarded.packing.zero();
    model.packing.unpack(words, 0, after);
    try {
      if (rule?.apply(model.config, model.bounds, after, ...instance.args) === false) return [];
      if (after.failed !== 0) return [`${instance.number} fails ${after.failed}`];
      return [`${instance.number} -> ${packed(model, after).join()}`];
    } catch {
      return [`${instance.number} cannot`];
    }
  });
}

function packed(model: EntryModel, state: State): Uint32Array {
  const words = new Uint32Array(model.packing.words);
  model.packing.pack(state, words, 0);
  return words;
}

function compiled(code: CompiledModel<State, DesignConfig>, state: State): string[] {
  const words = new Int32Array(code.words);
  expect(packState(code.layout, state, words)).toBeUndefined();
  const out = new Int32Array(1 << 14);
  const stride = code.words + 1;
  const kernel = kernelOf(code);
  const end = kernel.expand(words, 0, code.words, out, 0, 1, new Int32Array(4), false);
  const steps: string[] = [];
  for (let at = 0; at < end; at += stride) {
    const instance = out[at + code.words];
    if ((out[at] & 1) === 1) {
      steps.push(`${instance} -> ${packed(code.model, code.unpack(out, at)).join()}`);
      continue;
    }
    const property = markedProperty(out[at]);
    expect(markedInstance(out[at])).toBe(instance);
    steps.push(property === NO_CODE || property === NO_CELL ? `${instance} cannot` : `${instance} fails ${property}`);
    at += stride;
    expect([...out.subarray(at, at + code.words)]).toEqual([...words]);
  }
  return steps;
}

const kernels = new WeakMap<object, ReturnType<CompiledModel<State, DesignConfig>['kernel']>>();

function kernelOf(code: CompiledModel<State, DesignConfig>) {
  const kernel = kernels.get(code) ?? code.kernel();
  kernels.set(code, kernel);
  return kernel;
}

const compiledModels = new Map<string, CompiledModel<State, DesignConfig>>();

/** A design, compiled once for all tests, with codes for all values of all sorts. */
function compile(design: string, bounds: Bounds): CompiledModel<State, DesignConfig> {
  const code = compiledModels.get(design) ?? new CompiledModel(modelOf(design, bounds), { full: true });
  compiledModels.set(design, code);
  return code;
}

/** Any values of the sorts: hardly one of these states can be reached. */
function anyState(model: EntryModel): fc.Arbitrary<State> {
  const cells = model.packing.describe();
  return fc.tuple(...cells.map(({ size }) => fc.nat(size - 1))).map((values) => {
    const state = model.packing.zero();
    const words = new Uint32Array(model.packing.words);
    cells.forEach(({ word, shift }, n) => {
      words[word] |= values[n] << shift;
    });
    model.packing.unpack(words, 0, state);
    return state;
  });
}

/**
 * A reachable state with some values changed: rules are enabled in it that hardly ever are in a state of arbitrary
 * values.
 */
function nearState(model: EntryModel): fc.Arbitrary<State> {
  const cells = model.packing.describe();
  const change = fc.tuple(fc.nat(cells.length - 1), fc.nat(1000));
  return fc.tuple(reachedState(model), fc.array(change, { minLength: 1, maxLength: 6 })).map(([reached, changes]) => {
    const words = packed(model, reached);
    for (const [n, value] of changes) {
      const { bits, shift, word, size } = cells[n];
      const mask = bits === 0 ? 0 : -1 >>> (32 - bits);
      words[word] = (words[word] & ~(mask << shift)) | ((value % size) << shift);
    }
    const state = model.packing.zero();
    model.packing.unpack(words, 0, state);
    return state;
  });
}

/** A state at the end of a random walk. */
function reachedState(model: EntryModel): fc.Arbitrary<State> {
  return fc.array(fc.nat(1000), { minLength: 5, maxLength: 90, size: 'max' }).map((choices) => {
    let state = model.initial();
    for (const choice of choices) {
      const enabled = enabledInstances(model, state);
      const instance = enabled[choice % Math.max(1, enabled.length)];
      const after = model.packing.zero();
      model.packing.unpack(packed(model, state), 0, after);
      const rule = model.rules.find(({ name }) => name === instance?.rule);
      if (instance === undefined || rule === undefined) break;
      rule.apply(model.config, model.bounds, after, ...instance.args);
      if (after.failed !== 0) break;
      state = after;
    }
    return state;
  });
}

describe.each(COMPILED)('%s, compiled', (design, bounds) => {
  const code = compile(design, bounds);
  const { model } = code;

  test('does what direct execution does, in reachable states', () => {
    fc.assert(
      fc.property(reachedState(model), (state) => expect(compiled(code, state)).toEqual(directly(model, state))),
      { numRuns: 30 },
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
