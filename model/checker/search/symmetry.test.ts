/**
 * Promises: the reduced search answers what the plain one answers, with a trace that is as short; it keeps exactly one
 * state of each set of renamings; and renaming commutes with every rule. Some designs and mutants;
 * reductions.searches.test.ts has all of them.
 */
import fc from 'fast-check';
import { DEFAULT_BOUNDS, type EntryModel, entryModel } from '../../entry-model';
import type { Bounds } from '../language/schema-types';
import { explore } from './explore';
import { applyInstance, enabledInstances } from './successors';
import { makeCanonicalizer, renamings } from './symmetry';

const SMALL: Bounds = { ...DEFAULT_BOUNDS, nmis: 0, irqs: 0 };
const NESTED: Bounds = { ...DEFAULT_BOUNDS, cpus: 1, nesting: 3, nmis: 2, irqs: 0 };
const TWO_MMS: Bounds = { ...SMALL, mms: 2 };

function model(id: string, bounds: Bounds): EntryModel {
  const made = entryModel(id, bounds);
  if (made === undefined) throw new Error(`no model of ${id}`);
  return made;
}

function canonicalizer(m: EntryModel): (words: Uint32Array) => Uint32Array {
  const canonicalize = makeCanonicalizer(m.packing, m.schema, m.bounds);
  return (words) => {
    const copy = words.slice();
    canonicalize(copy);
    return copy;
  };
}

test('the renamings keep tasks in their address spaces', () => {
  expect(renamings({ ...SMALL, mms: 1 })).toHaveLength(4);
  expect(renamings({ ...SMALL, mms: 2 })).toHaveLength(4);
  // Tasks 0 and 2 share an address space, task 1 has its own: only the first two can change places.
  expect(renamings({ ...SMALL, tasks: 3, mms: 2 })).toHaveLength(4);
});

function expectSameAnswer(id: string, bounds: Bounds): void {
  const plain = explore(model(id, bounds));
  const reduced = explore(model(id, bounds), { symmetry: true });
  expect({ verdict: reduced.verdict, property: reduced.property, length: reduced.trace?.length }).toEqual({
    verdict: plain.verdict,
    property: plain.property,
    length: plain.trace?.length,
  });
  expect(reduced.states).toBeLessThanOrEqual(plain.states);
}

/** One that holds, one with a short trace and one with a long one. */
const SOME = ['mainline', 'deferred-percpu', 'mainline+top-not-switched'];

test.each(SOME)('%s answers the same with two CPUs', (id) => {
  expectSameAnswer(id, SMALL);
});

test('asm-return answers the same with two address spaces', () => {
  expectSameAnswer('asm-return', TWO_MMS);
});

test('mainline+nested-nmi-ignored answers the same with nested NMIs', () => {
  expectSameAnswer('mainline+nested-nmi-ignored', NESTED);
});

test('the default bounds shrink fourfold, up to the states that are symmetric themselves', () => {
  const plain = explore(model('mainline', SMALL));
  const reduced = explore(model('mainline', SMALL), { symmetry: true });
  expect(plain.states / reduced.states).toBeGreaterThan(3.8);
  expect(plain.states / reduced.states).toBeLessThanOrEqual(4);
});

test.each(['deferred-pertask', 'mainline'])('%s: equivalent states have equivalent successors', (id) => {
  const m = model(id, { ...TWO_MMS, tasks: 3, nmis: 1, irqs: 1 });
  const canonical = canonicalizer(m);
  const pack = (s: ReturnType<EntryModel['initial']>): Uint32Array => {
    const words = new Uint32Array(m.packing.words);
    m.packing.pack(s, words, 0);
    return words;
  };
  const successors = (words: Uint32Array): string[] =>
    enabledInstances(m, words)
      .map((instance) => applyInstance(m, words, instance))
      .map((after) =>
        after === undefined || after.failed !== 0 ? `fails ${after?.failed}` : canonical(pack(after)).join(),
      )
      .sort();
  const walk = fc.array(fc.nat(), { maxLength: 40 });
  fc.assert(
    fc.property(walk, (choices) => {
      let words = pack(m.initial());
      for (const choice of choices) {
        const enabled = enabledInstances(m, words);
        const after = applyInstance(m, words, enabled[choice % enabled.length]);
        if (after === undefined || after.failed !== 0) break;
        words = pack(after);
      }
      const other = canonical(words);
      expect(canonical(other)).toEqual(other);
      expect(successors(other)).toEqual(successors(words));
    }),
    { seed: 20201117, numRuns: 30 },
  );
});
