/**
 * Promise: what an NMI interrupts is compared whole; what a maskable interrupt interrupts may come back after other
 * tasks and on another CPU, so only what belongs to the task is.
 */
import { CPL, CR2, CR3, CR4, CR4_FSGSBASE, EFLAGS, FLAG_CF, FS_BASE, GS_BASE, RAX } from '../../emulator/registers';
import { differenceOf, registersOf } from './interrupted-registers';
import { smallKernel } from './testing/small-kernel';

function differences(event: 'NMI' | 'interrupt', cpl: number, cr4 = CR4_FSGSBASE): boolean[] {
  return [RAX, FS_BASE, GS_BASE, CR2, CR3].map((register) => {
    const [cpu] = smallKernel().machine.cpus;
    cpu.r[CPL] = cpl;
    cpu.r[CR4] |= cr4;
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

test('a kernel without FSGSBASE may load other bases of null selectors when it comes back to a task', () => {
  expect(differences('interrupt', 3, 0)).toEqual([true, false, false, false, false]);
  expect(differences('NMI', 3, 0)).toEqual([true, true, true, true, true]);
});

test('flags count in every case', () => {
  const [cpu] = smallKernel().machine.cpus;
  const before = registersOf(cpu);
  cpu.r[EFLAGS] ^= FLAG_CF;
  for (const event of ['NMI', 'interrupt'] as const) expect(differenceOf(event, before, cpu)).toMatch(/^RFLAGS/);
});
