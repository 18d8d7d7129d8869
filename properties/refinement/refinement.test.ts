/**
 * Promises: refinement notices a machine that does something which its abstract machine does not allow, names the first
 * differing field with both sides, and goes on checking properties afterwards; what it accepts it names by the rule.
 */
import { entryModel } from '../../model/entry-model';
import { designImage } from '../designs/registry';
import { EntrySystem } from '../exploration/entry-system';
import { Subject } from '../exploration/subject';
import { bootGuest } from '../guest/guest';
import { Refinement } from './refinement';

const BOUNDS = { cpus: 2, tasks: 2, mms: 1, nesting: 7, nmis: 1, irqs: 1 };

/** The image of one design judged by the abstract machine of another. */
function judgedBy(image: string, judge: string): EntrySystem {
  const elf = designImage(image);
  const model = entryModel(judge, BOUNDS);
  if (elf === undefined || model === undefined) throw new Error(`no image of ${image} or model of ${judge}`);
  return new EntrySystem(bootGuest(elf), new Refinement(model));
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

test('mainline judged by the abstract machine of asm-return diverges where SYSCALL takes CR3 into rsp', () => {
  const [, , third] = outcomes(judgedBy('mainline', 'asm-return'), 3);
  expect(third).toMatchObject({
    kind: 'diverged',
    field: 'stack[0]',
    message: expect.stringMatching(/stack\[0\] \(before 0, after 1\)/),
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
