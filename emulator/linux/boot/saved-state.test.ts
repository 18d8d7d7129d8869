/** Promise: a machine that was read back from its saved state is the one that was saved, to the bit, and goes on so. */
import { readCpuFeatures } from '../platform/cpu-features';
import { emptyLinuxMachine, type LinuxBoot, linuxMachine } from './linux-machine';
import { restoreState, SavedStateError, saveState, settle } from './saved-state';

const CODE = 0x400000;
/** mov $0x3f8,%edx; mov $0x41,%al; 1: out %al,(%dx); lock incl 0x200000; lock incl 0x300000; jmp 1b */
const LOOP = 'baf8030000b041eef0ff042500002000f0ff042500003000ebed';
const BOOT: LinuxBoot = {
  image: { entry: CODE, segments: [{ vaddr: CODE, paddr: CODE, memsz: 32, data: Buffer.from(LOOP, 'hex') }] },
  commandLine: '',
  features: readCpuFeatures(''),
  cpus: 2,
  memoryMiB: 8,
  tscHz: 100e6,
  initrd: new Uint8Array(0),
};

function saved() {
  const linux = linuxMachine(BOOT);
  linux.interleaving.run(50_000);
  settle(linux);
  return { linux, bytes: saveState(linux) };
}

const empty = (more: Partial<LinuxBoot> = {}) =>
  emptyLinuxMachine({ ...BOOT, ...more, image: { entry: 0, segments: [] } });

test('it has the same fingerprint and console, and the same after a while', () => {
  const { linux, bytes } = saved();
  const read = empty();
  restoreState(read, bytes);
  expect(read.machine.fingerprint()).toBe(linux.machine.fingerprint());
  expect(read.platform.console.text).toBe(linux.platform.console.text);
  expect(read.platform.console.text.length).toBeGreaterThan(10_000);
  linux.interleaving.run(12_345);
  read.interleaving.run(12_345);
  expect(read.machine.fingerprint()).toBe(linux.machine.fingerprint());
  expect(read.platform.console.text).toBe(linux.platform.console.text);
});

test('what was cached in a TLB is no part of it', () => {
  const { linux, bytes } = saved();
  linux.interleaving.run(10);
  const cached = linux.machine.fingerprint();
  settle(linux);
  expect(linux.machine.fingerprint()).not.toBe(cached);
  expect(bytes.length).toBeLessThan(20_000);
});

test('bytes that are no state, or that of another shape of machine, are one sentence', () => {
  const { bytes } = saved();
  for (const more of [{ cpus: 1 }, { memoryMiB: 16 }])
    expect(() => restoreState(empty(more), bytes)).toThrow(SavedStateError);
  for (const wrong of [new Uint8Array(0), Uint8Array.from(bytes).fill(0, 0, 1), bytes.subarray(0, 5)])
    expect(() => restoreState(empty(), wrong)).toThrow(SavedStateError);
});

test('RAM is not filled while a mark is held, nor twice', () => {
  const { bytes } = saved();
  const marked = empty();
  marked.machine.mark();
  expect(() => restoreState(marked, bytes)).toThrow('while a mark is held');
  const read = empty();
  restoreState(read, bytes);
  expect(() => restoreState(read, bytes)).toThrow('before anybody writes to it');
});
