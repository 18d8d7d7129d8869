/**
 * Kernels of a distribution, where `PTI_CHECK_KERNELS` names a folder with some: each boots to user mode, on two CPUs,
 * and the state that is read from the cache is the one that was booted. Half a minute to a minute for each. Kernel
 * bytes are not in this repository, so without such a folder nothing of this runs, and the one test says so.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { type BootedKernel, bootKernel } from './kernel-boot';

const folder = process.env.PTI_CHECK_KERNELS ?? '';
const ROUNDS = 2;

/** All announcements of a machine that goes on until the table was gone through so often. */
function announcements({ linux }: BootedKernel, last: number): number[] {
  const heard: number[] = [];
  linux.platform.announced = (_cpu, value) => {
    heard.push(value);
    linux.interleaving.stop = value >= last;
  };
  linux.interleaving.run(100_000_000);
  return heard;
}

if (folder === '') {
  test('NOT RUN: PTI_CHECK_KERNELS names no folder, so no kernel of a distribution is booted', () => {
    expect(folder).toBe('');
  });
} else {
  const files = readdirSync(folder).filter((name) => /^vmlinu|^linux-image.*\.deb$/.test(name));
  const workload = readWorkload(path.join(packageFolder(), 'emulator/linux/workload'));
  const home = mkdtempSync(path.join(tmpdir(), 'pti-check-linux-'));
  const before = process.env.XDG_CACHE_HOME;
  beforeAll(() => {
    process.env.XDG_CACHE_HOME = home;
  });
  afterAll(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
    rmSync(home, { recursive: true });
  });

  test.each(files)(
    '%s boots to user mode, from the cache to the same state, and goes through the workload',
    (file) => {
      const image = readKernelImage(path.join(folder, file));
      const options = { commandLine: '', features: readCpuFeatures(''), cpus: 2, memoryMiB: 128 };
      const first = bootKernel(image, workload, options, () => {});
      expect([first.end, first.reason]).toEqual(['ready', '']);
      const second = bootKernel(image, workload, options, () => {});
      expect(second.fromCache).toBe(true);
      expect(second.linux.machine.fingerprint()).toBe(first.linux.machine.fingerprint());
      const count = workload.excursions.length;
      const expected = Array.from({ length: ROUNDS * count }, (_, i) => (i % count) + 1 + 256 * Math.floor(i / count));
      const heard = announcements(second, expected[expected.length - 1]);
      expect(heard).toEqual(expected);
      expect(announcements(first, expected[expected.length - 1])).toEqual(heard);
      expect(second.linux.machine.fingerprint()).toBe(first.linux.machine.fingerprint());
    },
    1_200_000,
  );
}
