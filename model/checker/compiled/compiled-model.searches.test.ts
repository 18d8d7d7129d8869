/**
 * The guard against bugs of the translator, at bounds where everything meets: for every design each rule instance,
 * compiled and executed directly, on random states, and in each reachable state of a walk the same invariants.
 */
import fc from 'fast-check';
import { DESIGN_NAMES } from '../../design-config';
import { entryModel } from '../../entry-model';
import type { Bounds } from '../language/schema-types';
import { violations } from '../model';
import { anyState, nearState, reachedState } from '../search/testing/random-states';
import { packState } from './code/packer';
import { CompiledModel } from './compiled-model';
import { compiled, directly, kernelOf } from './testing/both-ways';

const BOUNDS: Bounds = { cpus: 2, tasks: 2, mms: 2, nesting: 2, nmis: 2, irqs: 1 };

describe.each([...DESIGN_NAMES, 'mainline+on-cpu-released-early'])('%s, compiled', (design) => {
  const model = entryModel(design, BOUNDS);
  if (model === undefined) throw new Error(`no design ${design}`);
  const code = new CompiledModel(model, { full: true });
  const states = fc.oneof(anyState(model), nearState(model), reachedState(model));

  test('does what direct execution does', () => {
    fc.assert(
      fc.property(states, (state) => expect(compiled(code, state)).toEqual(directly(model, state))),
      { numRuns: 100 },
    );
  });

  test('judges invariants as direct execution does', () => {
    const kernel = kernelOf(code);
    fc.assert(
      fc.property(states, (state) => {
        const words = new Int32Array(code.words);
        packState(code.layout, state, words);
        expect(kernel.judge(...words)).toBe(violations(model, state)[0] ?? 0);
      }),
      { numRuns: 100 },
    );
  });
});
