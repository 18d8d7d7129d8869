/**
 * For tests: each rule instance, compiled and executed directly, on a state; and states of three kinds for that.
 */
import fc from 'fast-check';
import type { Transient } from '../../language/schema-types';
import { type Model, ruleInstances } from '../../model';
import { guardedModel } from '../../search/guarded';
import { enabledInstances } from '../../search/successors';
import { markedInstance, markedProperty, NO_CELL, NO_CODE } from '../code/marker';
import { packState } from '../code/packer';
import type { CompiledModel } from '../compiled-model';

/**
 * What each instance does to a state, as text: "12 -> words", "12 fails 8", or "12 cannot" where it leaves the sorts.
 */
export function directly<S extends Transient, D>(model: Model<S, D>, state: S): string[] {
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

function packed<S extends Transient, D>(model: Model<S, D>, state: S): Uint32Array {
  const words = new Uint32Array(model.packing.words);
  model.packing.pack(state, words, 0);
  return words;
}

/** The same by the generated code. Throws Error where what it says of a failure is not of that instance and state. */
export function compiled<S extends Transient, D>(code: CompiledModel<S, D>, state: S): string[] {
  const words = new Int32Array(code.words);
  const problem = packState(code.layout, state, words);
  if (problem !== undefined) throw new Error(`expected a code for every value, found none: ${JSON.stringify(problem)}`);
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
    if (markedInstance(out[at]) !== instance)
      throw new Error(`the marker of ${instance} names ${markedInstance(out[at])}`);
    steps.push(property === NO_CODE || property === NO_CELL ? `${instance} cannot` : `${instance} fails ${property}`);
    at += stride;
    if (out.subarray(at, at + code.words).join() !== words.join())
      throw new Error(`${instance} fails from another state than it was given`);
  }
  return steps;
}

const kernels = new WeakMap<object, ReturnType<CompiledModel<Transient, unknown>['kernel']>>();

/** The code of a model, generated once. */
export function kernelOf<S extends Transient, D>(code: CompiledModel<S, D>) {
  const kernel = kernels.get(code) ?? code.kernel();
  kernels.set(code, kernel);
  return kernel;
}

/** Any values of the sorts: hardly one of these states can be reached. */
export function anyState<S extends Transient, D>(model: Model<S, D>): fc.Arbitrary<S> {
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
export function nearState<S extends Transient, D>(model: Model<S, D>): fc.Arbitrary<S> {
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
export function reachedState<S extends Transient, D>(model: Model<S, D>): fc.Arbitrary<S> {
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
