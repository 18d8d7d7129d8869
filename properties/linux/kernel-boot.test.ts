/**
 * Promise: a kernel is booted until our program is ready; the state is kept, and what is read back is what was kept;
 * how else a boot ends is said. The kernels here are a few instructions.
 */
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { loadedAnew } from '../../model/testing/loaded-anew';
import { MOST_STATES } from './kept-states';
import { type BootOptions, bootKernel } from './kernel-boot';

const CODE = 0x400000;
const workload = readWorkload(path.join(packageFolder(), 'emulator/linux/workload'));
const OPTIONS: BootOptions = { commandLine: 'quiet', features: readCpuFeatures(''), cpus: 2, memoryMiB: 8 };

function kernel(hex: string, sha = hex) {
  const data = Uint8Array.from(Buffer.from(hex.replace(/ /g, ''), 'hex'));
  return {
    entry: CODE,
    segments: [{ vaddr: CODE, paddr: CODE, memsz: 64, filesz: 64, flags: 7, data }],
    vmlinuxSha256: sha,
  };
}

const boot = (image: ReturnType<typeof kernel>, more: Partial<BootOptions> = {}) =>
  bootKernel(image, workload, { ...OPTIONS, ...more }, () => {});

/** mov $100000,%ecx; 1: dec %ecx; jnz 1b; mov $0x5e0,%edx; xor %eax,%eax; out %eax,(%dx); 2: jmp 2b */
const READY = 'b9a0860100 ffc9 75fc bae0050000 31c0 ef ebfe';

const before = process.env.XDG_CACHE_HOME;
const home = mkdtempSync(path.join(tmpdir(), 'pti-check-linux-'));
beforeAll(() => {
  process.env.XDG_CACHE_HOME = home;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  rmSync(home, { recursive: true });
});

const kept = () => readdirSync(path.join(home, 'pti-check')).filter((name) => name.endsWith('.state'));

test('the second boot of a kernel is read from the cache, and is the same to the bit', () => {
  const [first, second] = [boot(kernel(READY)), boot(kernel(READY))];
  expect([first.end, first.fromCache, second.end, second.fromCache]).toEqual(['ready', false, 'ready', true]);
  expect(second.linux.machine.fingerprint()).toBe(first.linux.machine.fingerprint());
  expect(second.instructions).toBe(first.instructions);
  expect(first.instructions).toBeGreaterThan(200_000);
  expect(first.commandLine).toMatch(/^console=ttyS0 .* quiet$/);
});

test('another kernel, option or processor is another boot', () => {
  const images = [kernel(READY, 'other'), kernel(READY), kernel(READY), kernel(READY)];
  const more = [{}, { commandLine: 'loud' }, { features: readCpuFeatures('no-pcid') }, { cpus: 1 }];
  expect(images.map((image, i) => boot(image, more[i]).fromCache)).toEqual([false, false, false, false]);
});

test('a damaged file of the cache is noticed, and the kernel booted anew', () => {
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const whole = boot(kernel(READY)).linux.machine.fingerprint();
  for (const name of kept()) writeFileSync(path.join(home, 'pti-check', name), 'damaged');
  const again = boot(kernel(READY));
  expect([again.fromCache, again.linux.machine.fingerprint()]).toEqual([false, whole]);
  expect(said).toHaveBeenCalledWith(expect.stringContaining('is damaged'));
  said.mockRestore();
});

test('only the newest states are kept', () => {
  const newest = kept();
  for (let i = 0; i < MOST_STATES; i++) {
    const file = path.join(home, 'pti-check', `linux-old-${i}.state`);
    writeFileSync(file, '');
    utimesSync(file, i, i);
  }
  boot(kernel(READY, 'one more'));
  expect(kept().length).toBe(MOST_STATES);
  expect(kept()).toEqual(expect.arrayContaining([...newest, `linux-old-${MOST_STATES - 1}.state`]));
  expect(kept()).not.toContain('linux-old-0.state');
});

test('without a folder for the cache a kernel boots all the same', () => {
  // What it says, it says once in a process.
  loadedAnew(require, '../../model/checker/translate/file-cache');
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const file = path.join(home, 'a-file');
  writeFileSync(file, '');
  process.env.XDG_CACHE_HOME = file;
  expect([boot(kernel(READY)).end, boot(kernel(READY)).fromCache]).toEqual(['ready', false]);
  process.env.XDG_CACHE_HOME = home;
  expect(said).toHaveBeenCalledWith(expect.stringContaining('nothing is kept for the next run'));
  said.mockRestore();
});

describe('a boot that does not come to an end is not kept, and says why', () => {
  const count = () => kept().length;

  test.each([
    // cli; hlt
    ['asleep', 'fa f4', /every CPU waits/],
    // mov %rax,%cs, an exception without an IDT
    ['shutdown', '8ec8', /triple fault/],
    // enter $0,$0
    ['refused', 'c8000000', /not implemented by this emulator: instruction "enter/],
  ])('%s', (end, hex, reason) => {
    const before = count();
    const booted = boot(kernel(hex));
    expect([booted.end, count()]).toEqual([end, before]);
    expect(booted.reason).toMatch(reason);
  });

  test('panic, with the line of the console that says so', () => {
    // mov $text,%esi; mov $0x3f8,%edx; 1: lodsb; test %al,%al; jz 2f; out %al,(%dx); jmp 1b; 2: jmp 2b
    const code = 'be14004000 baf8030000 ac 84c0 7403 ee ebf8 ebfe';
    const text = Buffer.from('\n[ 0.1] Kernel panic - not syncing: no\n\0', 'latin1').toString('hex');
    const booted = boot(kernel(`${code.padEnd(code.length)}90${text}`));
    expect([booted.end, booted.reason]).toEqual(['panic', '[ 0.1] Kernel panic - not syncing: no']);
  });

  test('a panic of our program without its port, with what the kernel lacks', () => {
    const code = 'be14004000 baf8030000 ac 84c0 7403 ee ebf8 ebfe';
    const text = Buffer.from('\nKernel panic - not syncing: exitcode=0x00004700\n\0', 'latin1').toString('hex');
    expect(boot(kernel(`${code}90${text}`)).reason).toMatch(/build the kernel with CONFIG_X86_IOPL_IOPERM$/);
  });
});
