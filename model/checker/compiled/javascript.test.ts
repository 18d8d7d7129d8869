/**
 * Promise: the exported JavaScript is a program, and it is the one that is searched: its functions lead to the states
 * that direct execution leads to.
 */
import { DEFAULT_BOUNDS, entryModel } from '../../entry-model';
import { ruleInstances } from '../model';
import { applyInstance } from '../search/successors';
import { CompiledModel } from './compiled-model';
import { toJavaScript } from './javascript';
import type { Kernel } from './kernel';
import type { OrderedKernel } from './ordered-kernel';

interface Exported {
  readonly ordered: OrderedKernel;
  readonly learned: Kernel;
}

const model = entryModel('mainline', { ...DEFAULT_BOUNDS, cpus: 1, tasks: 1, nmis: 0, irqs: 1 });
if (model === undefined) throw new RangeError('no model of mainline');
const text = toJavaScript(model, 'mainline');
const exported = {} as Exported;
new Function('exports', text)(exported);

test('the exported functions take the first state where the rules take it', () => {
  const compiled = new CompiledModel(model);
  const initial = compiled.initial();
  const batch = new Int32Array(1000);
  const stride = compiled.words + 1;
  const filled = exported.ordered.successors(...initial, batch, 0) as number;
  const found = Array.from({ length: filled / stride }, (_, i) => ({
    number: batch[i * stride + compiled.words],
    state: compiled.unpack(batch, i * stride),
  }));
  const expected = ruleInstances(model).flatMap((instance) => {
    const state = applyInstance(model, model.initial(), instance);
    return state === undefined ? [] : [{ number: instance.number, state }];
  });
  expect(found.length).toBeGreaterThan(1);
  expect(found.sort((a, b) => a.number - b.number)).toEqual(expected);
  expect(exported.ordered.judge(...initial)).toBe(0);
});

test('the text says where each value lies, and has the passes of both searches by their names', () => {
  expect(text).toMatch(/^\/\/ {3}userHalf\[0\]: w0, bit \d+: 0, 1$/m);
  expect(Object.keys(exported.learned)).toEqual(['expand', 'canonical', 'enter', 'touch', 'mark', 'markShared']);
  expect(text).toContain('function expand(frontier, entry, to, batch, filled, limit, results, reportsDead, memory) {');
});
