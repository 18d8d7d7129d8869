/**
 * Promises: of several properties that are violated at one moment the lowest number is reported, and what an earlier
 * moment of the same instruction violates comes before what follows from it.
 */
import { Mnemonic } from 'iced-x86';
import { fetchOp } from '../../emulator/fetch';
import { CPL, CR3 } from '../../emulator/registers';
import { Subject } from '../campaign/subject';
import { propertyNumber, propertySlug } from '../safety/index';

/** Runs CPU 0 of mainline, which answers its choices with `choices`, until `there`. */
function runTo(subject: Subject, choices: readonly number[], there: (subject: Subject) => boolean): void {
  const { machine } = subject.guest;
  let next = 0;
  machine.choose = () => choices[next++] ?? 0;
  for (let i = 0; i < 3000 && !there(subject); i++) machine.step(0);
  expect(there(subject)).toBe(true);
}

test('an IRETQ that returns with the CR3 of another address space violates S5 and S6, and S5 is reported', () => {
  const subject = new Subject({ design: 'mainline', boot: { cpus: 2, tasks: 3, mms: 2 } });
  const { machine, monitor, view } = subject.guest;
  const [cpu] = machine.cpus;
  subject.system.reset();
  // A system call that turns interrupts on, and an interrupt there: its IRETQ returns to IF=1 at CPL0.
  runTo(subject, [0, 2], ({ system }) => cpu.r[CPL] === 0 && system.takesIrq(0));
  machine.raiseIrq(0, view.timerVector ?? 0);
  machine.step(0);
  runTo(subject, [], () => fetchOp(cpu)?.mnemonic === Mnemonic.Iretq);
  const reported: number[] = [];
  const report = monitor.report.bind(monitor);
  monitor.report = (property, on, message) => {
    reported.push(property);
    report(property, on, message);
  };
  const other = 1 - view.mmOfRoot(cpu.r[CR3]);
  cpu.set64(CR3, BigInt(view.kernelRoot(other)) | BigInt(other + 1));
  machine.step(0);
  expect(reported).toEqual(
    expect.arrayContaining([propertyNumber('kernel-code-uses-kernel-cr3'), propertyNumber('resume-is-exact')]),
  );
  expect(propertySlug(monitor.violation?.property ?? 0)).toBe('kernel-code-uses-kernel-cr3');
});
