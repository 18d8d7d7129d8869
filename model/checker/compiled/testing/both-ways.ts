/**
 * For tests: each rule instance, compiled and executed directly, on a state.
 */
import type { Transient } from '../../language/schema-types';
import { type Model, ruleInstances } from '../../model';
import { guardedModel } from '../../search/guarded';
import { packed } from '../../search/testing/random-states';
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
