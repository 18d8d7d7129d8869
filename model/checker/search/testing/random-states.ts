/**
 * Random states of a model, for tests that compare direct execution with something else.
 */
import fc from 'fast-check';
import type { Transient } from '../../language/schema-types';
import type { Model } from '../../model';
import { enabledInstances } from '../successors';

export function packed<S extends Transient, D>(model: Model<S, D>, state: S): Uint32Array {
  const words = new Uint32Array(model.packing.words);
  model.packing.pack(state, words, 0);
  return words;
}

export function unpacked<S extends Transient, D>(model: Model<S, D>, words: Uint32Array): S {
  const state = model.packing.zero();
  model.packing.unpack(words, 0, state);
  return state;
}

/** Any values of the sorts: hardly one of these states can be reached. */
export function anyState<S extends Transient, D>(model: Model<S, D>): fc.Arbitrary<S> {
  const cells = model.packing.describe();
  return fc.tuple(...cells.map(({ size }) => fc.nat(size - 1))).map((values) => {
    const words = new Uint32Array(model.packing.words);
    cells.forEach(({ word, shift }, n) => {
      words[word] |= values[n] << shift;
    });
    return unpacked(model, words);
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
    return unpacked(model, words);
  });
}

/** A state at the end of a random walk. */
export function reachedState<S extends Transient, D>(model: Model<S, D>): fc.Arbitrary<S> {
  return fc.array(fc.nat(1000), { minLength: 5, maxLength: 90, size: 'max' }).map((choices) => {
    let state = model.initial();
    for (const choice of choices) {
      const enabled = enabledInstances(model, state);
      const instance = enabled[choice % Math.max(1, enabled.length)];
      const after = unpacked(model, packed(model, state));
      const rule = model.rules.find(({ name }) => name === instance?.rule);
      if (instance === undefined || rule === undefined) break;
      rule.apply(model.config, model.bounds, after, ...instance.args);
      if (after.failed !== 0) break;
      state = after;
    }
    return state;
  });
}
