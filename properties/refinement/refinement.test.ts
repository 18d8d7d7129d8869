/**
 * Promises: refinement notices a machine that does something which its abstract machine does not allow, says in words
 * what that is, names the field, and goes on checking properties afterwards; what it accepts it names by the rule.
 */
import { entryModel } from '../../model/entry-model';
import { Subject } from '../campaign/subject';
import { designImage } from '../designs/images';
import { bootGuest } from '../monitor/guest';
import { EntrySystem } from '../trace/entry-system';
import { Refinement } from './refinement';

const BOUNDS = { cpus: 2, tasks: 2, mms: 1, nesting: 7, nmis: 1, irqs: 1 };

/** The image of one design judged by the abstract machine of another. */
function judgedBy(image: string, judge: string): EntrySystem {
  const elf = designImage(image);
  const model = entryModel(judge, BOUNDS);
  if (elf === undefined || model === undefined) throw new Error(`no image of ${image} or model of ${judge}`);
  return new EntrySystem(bootGuest(elf), new Refinement(model, judge));
}

function outcomes(system: EntrySystem, steps: number): unknown[] {
  system.reset();
  return Array.from({ length: steps }, () => {
    const { action, outcome } = system.take({ kind: 'step', cpu: 0 }, () => 0);
    return outcome.kind === 'done' && action.action === 'step' ? action.rule : outcome;
  });
}

test('a system call of mainline is these transitions', () => {
  const { system } = new Subject({ design: 'mainline' });
  expect(outcomes(system, 11)).toEqual([
    'syscall',
    'swapgs-to-kernel',
    'read-cr3-into-rsp',
    'load-kernel-cr3',
    'load-kernel-stack',
    'enter-body',
    'leave-to-entry-stack',
    'load-user-cr3',
    'load-user-rsp',
    'swapgs-to-user',
    'sysret',
  ]);
});

test.each([
  [
    'mainline',
    'asm-return',
    'stack[0]',
    'CPU 0: rsp: user stack -> no stack (a CR3 value); no rule of asm-return does that here: enabled are load-entry-stack(c0)',
  ],
  [
    'asm-return',
    'mainline',
    'stack[0]',
    'CPU 0: rsp: user stack -> entry stack of CPU 0; no rule of mainline does that here: enabled are read-cr3-into-rsp(c0)',
  ],
  [
    'deferred-percpu',
    'asm-return',
    'body[0][0]',
    'CPU 0: syscall has reached its body; no rule of asm-return does that here: enabled are load-kernel-stack(c0)',
  ],
])('the image of %s judged as %s leaves it in %s, in words', (image, judge, field, message) => {
  expect(outcomes(judgedBy(image, judge), 5)).toContainEqual({ kind: 'diverged', field, message });
});

test('the field that is named is one that the machine changed and the rule that comes nearest does not account for', () => {
  const system = judgedBy('mainline+frame-left-on-entry-stack', 'mainline');
  system.reset();
  let asked = 0;
  const outcome = Array.from({ length: 20 }, (_, n) => {
    const option = n === 1 ? ({ kind: 'irq', cpu: 0, vector: 0x20 } as const) : ({ kind: 'step', cpu: 0 } as const);
    return system.take(option, (alternatives) => (7 * asked++) % alternatives).outcome;
  }).find(({ kind }) => kind === 'diverged');
  expect(outcome).toMatchObject({
    field: 'stack[0]',
    message:
      'CPU 0: rsp: entry stack of CPU 0 -> irq stack of CPU 0, irq no longer needs its frame on entry stack of CPU 0; no rule of mainline does that here: ' +
      'what comes nearest is load-kernel-stack(c0), which does: rsp: entry stack of CPU 0 -> kernel stack of t0, irq no longer needs its frame on entry stack of CPU 0',
  });
});

test('after a divergence properties are still checked, and win', () => {
  const system = judgedBy('mainline+no-cr3-switch-on-exit', 'asm-return');
  expect(outcomes(system, 12).at(-1)).toMatchObject({ kind: 'violated', property: 2 });
});

test('going back undoes a divergence', () => {
  const system = judgedBy('mainline', 'asm-return');
  outcomes(system, 3);
  expect(system.diverged).toBeDefined();
  system.reset();
  expect(system.diverged).toBeUndefined();
  expect(outcomes(system, 2)).toEqual(['syscall', 'swapgs-to-kernel']);
});

test('going back restores machine, ghosts and abstract state exactly', () => {
  const { system, guest } = new Subject({ design: 'deferred-pertask' });
  system.reset();
  const before = [system.fingerprint(), guest.monitor.ghost.words.join()];
  const mark = system.mark();
  for (let i = 0; i < 40; i++) system.take({ kind: 'step', cpu: i % 2 }, (alternatives) => i % alternatives);
  expect(system.fingerprint()).not.toBe(before[0]);
  system.rollback(mark);
  expect([system.fingerprint(), guest.monitor.ghost.words.join()]).toEqual(before);
});
