/**
 * Promise: an event happens once in each situation of an excursion in swept code, and the machine is afterwards what it
 * was before; a handler that does not come back, does not handle, or does not leave registers alone is found, with a
 * trace that leads there again.
 */
import { IN_HLT } from '../../emulator/registers';
import { sweepExcursion } from './event-sweep';
import { KernelSystem } from './kernel-system';
import { SweptCode } from './swept-code';
import { NMI_BODY, SMALL_CODE, SMALL_PROGRAM, smallKernel } from './testing/small-kernel';

const code = new SweptCode(SMALL_CODE);
const FIRST = { name: 'first', round: 0 };
const NONE = { raised: 0, taken: 0, away: 0 };
const SECOND = { name: 'second', round: 3 };

const system = (patches = {}) => new KernelSystem(smallKernel(patches), SMALL_PROGRAM, NMI_BODY);

test('every instruction takes an NMI, those with interrupts on an IRQ; a loop counts once', () => {
  const kernel = system();
  const print = kernel.linux.machine.fingerprint();
  const first = sweepExcursion(kernel, code, FIRST);
  expect(first).toMatchObject({ complete: true, situations: 6, failures: [] });
  // Of the five behind STI the first is in its shadow.
  expect(first.events).toEqual({
    nmi: { raised: 6, taken: 6, away: 0 },
    irq: { raised: 3, taken: 3, away: 0 },
    // Behind the first instruction of the handler's body there is one more; and one when the first NMI is over.
    nested: { raised: 2, taken: 2, away: 0 },
    debug: { raised: 6, taken: 6, away: 0 },
    machineCheck: { raised: 6, taken: 6, away: 0 },
    other: NONE,
  });
  const second = sweepExcursion(kernel, code, SECOND);
  expect(second).toMatchObject({ complete: true, situations: 4, failures: [] });
  expect(second.events.nmi).toEqual({ raised: 4, taken: 4, away: 0 });
  expect(kernel.linux.machine.fingerprint()).toBe(print);
});

test('where a CPU switches tasks, another one goes on that does not wait', () => {
  const kernel = new KernelSystem(smallKernel({}, 2), SMALL_PROGRAM, NMI_BODY);
  const [cpu, other] = kernel.linux.machine.cpus;
  const { start, end } = SMALL_CODE.code.entry;
  const nowhere = { start: end, end };
  const list = ['__switch_to', 'behind'].map((name, i) => ({ name, address: i === 0 ? start : end, global: true }));
  const switches = new SweptCode({ ...SMALL_CODE, code: { entry: nowhere, noinstr: nowhere }, symbols: { list } });
  other.r[IN_HLT] = 1;
  expect(sweepExcursion(kernel, switches, FIRST).events.other).toEqual(NONE);
  other.r.set(cpu.r);
  const print = kernel.linux.machine.fingerprint();
  const executed = new Set<number>();
  kernel.onBoundary = ({ index }) => executed.add(index);
  const { events, failures } = sweepExcursion(kernel, switches, FIRST);
  expect([events.other.raised, events.debug.raised, failures]).toEqual([expect.any(Number), 1, []]);
  expect(events.other.raised).toBeGreaterThanOrEqual(6);
  expect([...executed].sort()).toEqual([0, 1]);
  expect(kernel.linux.machine.fingerprint()).toBe(print);
});

test('a third NMI comes where the first is prepared for its repetition', () => {
  const kernel = system();
  // Here nothing is repeated after a second NMI; the last instruction of the body stands for that.
  const repeat = { start: NMI_BODY + 1, end: NMI_BODY + 2 };
  const repeating = new SweptCode({ ...SMALL_CODE, code: { ...SMALL_CODE.code, nmi: { repeat } } });
  const more = sweepExcursion(kernel, code, FIRST).events.nested.raised + 1;
  expect(sweepExcursion(kernel, repeating, FIRST).events.nested).toEqual({ raised: more, taken: more, away: 0 });
});

test('excursions are the same whatever was swept before', () => {
  const [one, other] = [system(), system()];
  sweepExcursion(one, code, FIRST);
  for (const kernel of [one, other]) {
    kernel.perform({ action: 'excursion', ...SECOND });
    kernel.perform({ action: 'turns', count: 50 });
  }
  expect(one.linux.machine.fingerprint()).toBe(other.linux.machine.fingerprint());
});

test.each([
  ['a register that is lost', { 256: '90', 288: '90' }, 'resume-is-exact', /rax = 0{16}, expected 0{15}1/],
  ['an NMI that is not handled', { 259: '5848cf' }, 'nmi-is-handled', /its handler did not run/],
  ['an NMI that does not come back', { 259: 'ebfe' }, 'event-returns', /within 20000 instructions/],
  ['a shutdown', { 259: '8ec8' }, 'no-shutdown', /triple fault/],
  [
    'a register that a machine check loses',
    { 168: '90', 184: '90' },
    'resume-is-exact',
    /machine check .* rax = 0{16}/,
  ],
  ['a machine check that is not over', { 180: '9090' }, 'resume-is-exact', /IA32_MCG_STATUS.MCIP/],
  ['what is not executed here', { 259: 'c8000000' }, 'executable', /enter/],
])('%s is found, and its trace leads there again', (_name, patches, property, message) => {
  const kernel = system(patches);
  const { failures } = sweepExcursion(kernel, code, FIRST);
  expect(failures[0]).toMatchObject({ property, message: expect.stringMatching(message) });
  expect(failures[0].trace.slice(0, 2)).toEqual([
    { action: 'excursion', ...FIRST },
    { action: 'turns', count: 3 },
  ]);
  for (const action of failures[0].trace) kernel.perform(action);
  expect(kernel.linux.machine.cpus[0].rip()).toBe(failures[0].rip);
});
