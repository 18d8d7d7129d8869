/**
 * Promise: every safe design reaches every `sometimes` property that concerns it, with three tasks in two address
 * spaces. `mainline` does in designs.test.ts.
 */
import { directedWalk, sometimesOf } from './sometimes';
import { Subject } from './subject';

describe.each(['deferred-pertask', 'asm-return'])('%s', (design) => {
  const subject = new Subject({ design, boot: { cpus: 2, tasks: 3, mms: 2 } });

  test.each(sometimesOf(subject).map((s) => [s.name, s] as const))('reaches %s', (_name, sometimes) => {
    expect(directedWalk(subject, sometimes)).toMatchObject({ kind: 'reached' });
  });
});
