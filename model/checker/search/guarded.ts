/**
 * A slow twin of a model that throws when a rule reads or writes beyond the end of an array. The rule language promises
 * that this never happens (an exported Murphi model would fail there, JavaScript answers `undefined`), and no type can
 * check it; a search of the twin at small bounds does.
 */
import type { Transient } from '../language/schema-types';
import type { Model } from '../model';

function guard<T extends object>(name: string, target: T): T {
  const check = (key: string | symbol) => {
    if (typeof key === 'string' && !Object.hasOwn(target, key))
      throw new RangeError(`${name}[${key}] does not exist: a rule must test the index first`);
  };
  return new Proxy(target, {
    get(_, key) {
      check(key);
      return Reflect.get(target, key);
    },
    set(_, key, value) {
      check(key);
      return Reflect.set(target, key, value);
    },
  });
}

function guardState<S extends object>(state: S): S {
  const guarded = Object.entries(state).map(([name, value]) => {
    if (!Array.isArray(value)) return [name, value];
    const rows = value.map((row, i) => (Array.isArray(row) ? guard(`${name}[${i}]`, row) : row));
    return [name, guard(name, rows)];
  });
  return Object.fromEntries(guarded) as S;
}

/** The model with guarded states, for any function that takes a model. */
export function guardedModel<S extends Transient, D>(model: Model<S, D>): Model<S, D> {
  const zero = () => guardState(model.packing.zero());
  return { ...model, packing: { ...model.packing, zero } };
}
