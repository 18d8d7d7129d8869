/**
 * Promise: a case of a kernel that was saved reads back as it was, and only once; what is no such case, or a damaged or
 * a newer one, is told apart.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sample } from './arbitraries';
import { CounterexampleError } from './counterexample-error';
import { KERNEL_FORMAT, type KernelCase, parseKernelCase, serializeKernelCase } from './kernel-case';
import { readKernelCase, saveCounterexample, saveKernelCase } from './store';

const CASE: KernelCase = {
  format: KERNEL_FORMAT,
  version: 1,
  property: 'resume-is-exact',
  kernel: { release: '6.1.0-56-cloud-amd64', vmlinuxSha256: 'ab'.repeat(32) },
  program: '01'.repeat(32),
  options: { commandLine: 'pti=off', features: ['fsgsbase', 'pcid'], cpus: 2, memoryMiB: 128 },
  actions: [
    { action: 'excursion', name: 'page_fault_read', round: 3 },
    { action: 'turns', count: 17 },
    { action: 'nmi', cpu: 1 },
    { action: 'run', cpu: 1, count: 90 },
    { action: 'unblock', cpu: 1, count: 7 },
    { action: 'irq', cpu: 0, vector: 0xec },
    { action: 'debug', cpu: 0 },
    { action: 'machine-check', cpu: 0 },
    { action: 'time' },
    { action: 'back', cpu: 1 },
  ],
  expected: { message: 'the NMI comes back with rax = 0', cpu: 1, at: 'do_sigaltstack.constprop.0+0xa7' },
  origin: { strategy: 'random', seed: 'a seed', lengthBeforeShrinking: 40, date: '2026-01-31' },
};

const folder = mkdtempSync(path.join(tmpdir(), 'pti-check-kernel-case-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a case is saved once and read back, with each action on a line', () => {
  const saved = saveKernelCase(folder, CASE);
  expect(path.basename(saved.path)).toMatch(/^resume-is-exact--linux-6\.1\.0-56-cloud-amd64--[0-9a-f]{8}\.json$/);
  expect(readKernelCase(saved.path)).toEqual(CASE);
  expect(saveKernelCase(folder, { ...CASE, origin: { ...CASE.origin, seed: 'other' } })).toEqual({
    path: saved.path,
    created: false,
  });
  expect(saveKernelCase(folder, { ...CASE, actions: CASE.actions.slice(1) }).created).toBe(true);
  const planted = saveKernelCase(folder, { ...CASE, plants: ['no-cr3-switch'] });
  expect([planted.created, readKernelCase(planted.path)?.plants]).toEqual([true, ['no-cr3-switch']]);
  expect(serializeKernelCase(CASE).split('\n')).toContain('    { "action": "run", "cpu": 1, "count": 90 },');
});

test('a case of a guest, and what is no case, is no case of a kernel', () => {
  const { path: guest } = saveCounterexample(folder, sample);
  expect(readKernelCase(guest)).toBeUndefined();
  expect(parseKernelCase('no JSON', 'file')).toBeUndefined();
  expect(parseKernelCase(`{ "format": "${KERNEL_FORMAT}"`, 'file')).toBeUndefined();
});

test.each([
  [{ version: 2 }, /^file: expected a kernel counterexample of version 1, found version 2; replay it with a newer/],
  [{ actions: [] }, /found actions wrong/],
  [{ actions: [{ action: 'excursion', name: '../x', round: 0 }] }, /found actions.0.name wrong/],
  [{ kernel: { release: '6.1', vmlinuxSha256: 'ab' } }, /found kernel.vmlinuxSha256 wrong/],
  [{ bytes: 'of the kernel' }, /found the object wrong/],
])('%j is refused in one sentence', (wrong, message) => {
  const text = JSON.stringify({ ...CASE, ...wrong });
  expect(() => parseKernelCase(text, 'file')).toThrow(message);
  expect(() => parseKernelCase(text, 'file')).toThrow(CounterexampleError);
  writeFileSync(path.join(folder, 'wrong.json'), text);
  expect(() => readKernelCase(path.join(folder, 'wrong.json'))).toThrow(CounterexampleError);
});
