/**
 * Promise: what an NMI interrupts is compared whole; what a maskable interrupt interrupts may come back after other
 * tasks and on another CPU, so only what belongs to the task is.
 */
import { CPL, CR2, CR3, EFLAGS, FLAG_CF, FS_BASE, GS_BASE, RAX } from '../../emulator/registers';
import { differenceOf, registersOf } from './interrupted-registers';
import { smallKernel } from './testing/small-kernel';

function differences(event: 'NMI' | 'interrupt', cpl: number): boolean[] {
  return [RAX, FS_BASE, GS_BASE, CR2, CR3].map((register) => {
    const [cpu] = smallKernel().machine.cpus;
    cpu.r[CPL] = cpl;
    const before = registersOf(cpu);
    expect(differenceOf(event, before, cpu)).toBeUndefined();
    cpu.r[register] ^= 0x1000;
    return differenceOf(event, before, cpu) !== undefined;
  });
}

test('after an NMI everything is as it was', () => {
  expect(differences('NMI', 0)).toEqual([true, true, true, true, true]);
  expect(differences('NMI', 3)).toEqual([true, true, true, true, true]);
});

test('after an interrupt CR2 and CR3 are those of whatever ran in between', () => {
  expect(differences('interrupt', 3)).toEqual([true, true, true, false, false]);
  expect(differences('interrupt', 0)).toEqual([true, false, false, false, false]);
});

test('flags count in every case', () => {
  const [cpu] = smallKernel().machine.cpus;
  const before = registersOf(cpu);
  cpu.r[EFLAGS] ^= FLAG_CF;
  for (const event of ['NMI', 'interrupt'] as const) expect(differenceOf(event, before, cpu)).toMatch(/^RFLAGS/);
});
