/**
 * Promise: a random interleaving is a function of its seed, leaves the kernel as it was, and what it finds is a trace
 * that leads there again, and that can be shrunk.
 */
import { KernelSystem } from './kernel-system';
import { randomRun } from './random-interleaving';
import { shrinkTrace, violationOf } from './shrink-trace';
import { NMI_BODY, SMALL_PROGRAM, smallKernel } from './testing/small-kernel';

const system = (patches = {}) => new KernelSystem(smallKernel(patches), SMALL_PROGRAM, NMI_BODY);
/** mov %rax,%cs in the handler of NMIs: an exception without a gate. */
const SHUTS_DOWN = { 259: '8ec8' };
const forever = () => false;

test('a run is a function of its seed', () => {
  const kernel = system();
  const print = kernel.linux.machine.fingerprint();
  const one = randomRun(kernel, 'one', forever, 20_000);
  expect(one.failure).toBeUndefined();
  expect(one.instructions).toBeGreaterThanOrEqual(20_000);
  expect(one.nmis).toBeGreaterThan(0);
  expect(kernel.linux.machine.fingerprint()).toBe(print);
  expect(randomRun(system(), 'one', forever, 20_000)).toEqual(one);
  expect(randomRun(kernel, 'other', forever, 20_000)).not.toEqual(one);
});

test('what it finds is a trace, which shrinks to what is needed', () => {
  const kernel = system(SHUTS_DOWN);
  const { failure } = randomRun(kernel, 'one', forever, 100_000);
  if (failure === undefined) throw new RangeError('nothing was found');
  expect(failure.property).toBe('no-shutdown');
  expect(violationOf(kernel, failure.trace)?.message).toBe(failure.message);
  const shrunk = shrinkTrace(kernel, failure).trace;
  expect(shrunk.map(({ action }) => action)).toEqual(['excursion', 'nmi', 'run']);
});
