/**
 * Promise: a failing trace of a kernel is made as short as it goes, and its case replays to the same violation, with
 * every instruction on the way for those who ask.
 */
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { replayKernelCase, toKernelCase } from '../linux/case-of-kernel';
import { KernelSystem } from '../linux/kernel-system';
import { ourProgram } from '../linux/our-program';
import { shrinkTrace, violationOf } from '../linux/shrink-trace';
import { NMI_BODY, SMALL_PROGRAM, smallKernel } from '../linux/testing/small-kernel';
import { narrateKernelSteps, recordKernelSteps } from './kernel-steps';

/** The handler of NMIs loses RAX. */
const LOSES_RAX = { 256: '90', 288: '90' };
const system = (patches = LOSES_RAX) => new KernelSystem(smallKernel(patches), SMALL_PROGRAM, NMI_BODY);

const LONG = [
  { action: 'excursion', name: 'first', round: 1 },
  { action: 'turns', count: 3 },
  { action: 'time' },
  { action: 'run', cpu: 0, count: 40 },
  { action: 'irq', cpu: 0, vector: 0xec },
  { action: 'turns', count: 9 },
  { action: 'nmi', cpu: 0 },
  { action: 'back', cpu: 0 },
  { action: 'turns', count: 100 },
] as const;

const IMAGE = {
  release: '6.1.0-test',
  vmlinuxSha256: 'cd'.repeat(32),
  symbols: { ...emptySymbols(), symbolAt: (va: number) => ({ name: 'kernel', offset: va - NMI_BODY + 288 }) },
  sourceAt: (va: number) => (va === NMI_BODY ? 'arch/x86/kernel/nmi.c:512' : undefined),
};

function emptySymbols() {
  return { layout: 'symtab' as const, list: [], find: () => undefined, address: () => 0 };
}

const found = () => {
  const failure = violationOf(system(), LONG);
  if (failure === undefined) throw new RangeError('nothing is violated');
  return failure;
};

const saved = () => {
  const failure = shrinkTrace(system(), found());
  const options = { commandLine: '', features: readCpuFeatures(''), cpus: 1, memoryMiB: 64 };
  return toKernelCase(
    IMAGE,
    ourProgram(),
    { options, plants: [] },
    { failure, lengthBeforeShrinking: 8, date: '2026-01-31' },
  );
};

test('what comes after the violation is cut off, and the system is back at its start', () => {
  const kernel = system();
  const print = kernel.linux.machine.fingerprint();
  expect(violationOf(kernel, LONG)?.trace).toEqual(LONG.slice(0, 8));
  expect(kernel.linux.machine.fingerprint()).toBe(print);
  expect(violationOf(system({ 256: '50', 288: '58' }), LONG)).toBeUndefined();
});

test('shrinking leaves what is needed', () => {
  expect(shrinkTrace(system(), found()).trace).toEqual([
    { action: 'excursion', name: 'first', round: 1 },
    { action: 'nmi', cpu: 0 },
    { action: 'back', cpu: 0 },
  ]);
});

test('its case replays to the same violation, and passes on a kernel that is mended', () => {
  const made = saved();
  expect(replayKernelCase(system(), made)).toMatchObject({ verdict: 'reproduced', step: 3 });
  expect(replayKernelCase(system({ 256: '50', 288: '58' }), made).verdict).toBe('passed');
  expect(replayKernelCase(system({ 256: '50', 288: '58' }), { ...made, property: 'no-shutdown' }).message).toMatch(
    /^expected no-shutdown to be violated, the trace ran to its end/,
  );
});

test('step by step it shows each instruction', () => {
  const { steps, replay } = recordKernelSteps(system(), saved(), IMAGE);
  const lines = narrateKernelSteps(steps, replay);
  expect(lines[0]).toMatch(/^1\. excursion first, round 1: \d+ boundaries$/);
  expect(lines.find((line) => line.startsWith('3.'))).toBe('3. CPU 0 comes back: 5 boundaries');
  expect(lines.slice(-6, -1).map((line) => line.replace(/ +/g, ' ').split(' CPL')[0])).toEqual([
    ' c0 kernel+0x100 nop',
    ' c0 kernel+0x101 xor %eax,%eax',
    expect.stringContaining(' c0 kernel+0x103 jmp'),
    ' c0 kernel+0x120 nop',
    ' c0 kernel+0x121 iretq',
  ]);
  expect(lines.filter((line) => line.endsWith('  arch/x86/kernel/nmi.c:512'))).toEqual([lines.at(-3)]);
  expect(lines.at(-1)).toMatch(/^=> resume-is-exact: the NMI comes back with rax = 0{16}, expected/);
});
