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
import { anyState, nearState, packed, reachedState } from '../search/testing/random-states';
import { markedInstance, markedProperty, NO_CELL, NO_CODE } from './code/marker';
import { packState } from './code/packer';
import { CompiledModel } from './compiled-model';

const SMALL: Bounds = { cpus: 2, tasks: 2, mms: 2, nesting: 2, nmis: 2, irqs: 1 };

function modelOf(design: string, bounds: Bounds = SMALL): EntryModel {
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

/** A design, compiled once for all tests: with codes for all values of all sorts that takes a second. */
function compile(design: string): CompiledModel<State, DesignConfig> {
  const code = compiledModels.get(design) ?? new CompiledModel(modelOf(design), { full: true });
  compiledModels.set(design, code);
  return code;
}

describe.each(['deferred-pertask', 'mainline+on-cpu-released-early'])('%s, compiled', (design) => {
  const code = compile(design);
  const { model } = code;

  test('does what direct execution does, in reachable states', () => {
    fc.assert(
      fc.property(reachedState(model), (state) => expect(compiled(code, state)).toEqual(directly(model, state))),
      { numRuns: 12 },
    );
  });

  test('does what direct execution does, in unreachable states', () => {
    fc.assert(
      fc.property(fc.oneof(anyState(model), nearState(model)), (state) =>
        expect(compiled(code, state)).toEqual(directly(model, state)),
      ),
      { numRuns: 20 },
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
  for (const design of ['mainline', 'deferred-pertask']) {
    const code = compile(design);
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
  const missing = modelOf('mainline').rules.filter(({ name }) => !met.has(name));
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
