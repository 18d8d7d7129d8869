import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type KernelImage, readKernelImage } from './kernel-image';
import {
  BANNER,
  bannerSection,
  buildPackage,
  buildVmlinux,
  buildVmlinuz,
  gzipPayload,
  lz4Payload,
  TEXT,
  textSection,
  withSize,
  zstdFrame,
} from './testing/synthetic-kernel';

/** Long enough for several blocks, and with runs. */
const filler = {
  name: '.data',
  addr: TEXT + 0x200000,
  bytes: Uint8Array.from({ length: 5000 }, (_, i) => (i >> 6) & 7),
};
const vmlinux = buildVmlinux([textSection, bannerSection, filler]);
const sha256 = createHash('sha256').update(vmlinux).digest('hex');

describe('a kernel is the same however it is packed', () => {
  test.each<[string, string, string, Uint8Array]>([
    ['a vmlinux', 'vmlinux', 'none', vmlinux],
    ['a vmlinuz that packs nothing', 'vmlinuz', 'none', buildVmlinuz(vmlinux)],
    ['gzip', 'vmlinuz', 'gzip', buildVmlinuz(gzipPayload(vmlinux))],
    ['lz4', 'vmlinuz', 'lz4', buildVmlinuz(lz4Payload(vmlinux))],
    ['zstd', 'vmlinuz', 'zstd', buildVmlinuz(withSize(zstdFrame(vmlinux), vmlinux.length))],
    ['a package', 'package', 'lz4', buildPackage([['./boot/vmlinuz-6.1', buildVmlinuz(lz4Payload(vmlinux))]])],
    [
      'a package with zstd',
      'package',
      'gzip',
      buildPackage(
        [
          ['./boot/config-6.1', Buffer.alloc(700)],
          ['./boot/vmlinuz-6.1', buildVmlinuz(gzipPayload(vmlinux))],
          ['./lib/modules/6.1/x.ko', Buffer.alloc(99)],
        ],
        zstdFrame,
      ),
    ],
  ])('%s', (_, container, compression, bytes) => {
    const image: KernelImage = readKernelImage(bytes);
    expect(image).toMatchObject({ container, compression, version: BANNER, release: '6.1.0-1-synthetic' });
    expect(image.vmlinuxSha256).toBe(sha256);
    expect(image.fileSha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(image.sizes).toMatchObject({ file: bytes.length, vmlinux: vmlinux.length, loaded: 0x200000 + 5000 });
    expect(image.setup?.initSize).toBe(container === 'vmlinux' ? undefined : 0x400000);
  });
});

test('what is loaded, and where', () => {
  const image = readKernelImage(vmlinux);
  expect(image.entry).toBe(0x1000000);
  expect(image.segments.map(({ vaddr, paddr, memsz }) => [vaddr, paddr, memsz])).toEqual([
    [TEXT, 0x1000000, 6],
    [TEXT + 0x100000, 0x1100000, bannerSection.bytes.length],
    [TEXT + 0x200000, 0x1200000, 5000],
  ]);
  expect(image.sections.get('.text')).toEqual({ name: '.text', addr: TEXT, size: 6, flags: 6 });
  expect(image.sectionBytes('.text')).toEqual(Buffer.from(textSection.bytes));
  expect(image.bytesAt(TEXT + 2, 4)).toEqual(Buffer.from(textSection.bytes.subarray(2)));
  expect(image.bytesAt(TEXT + 2, 5)).toBeUndefined();
  expect(image.sectionBytes('.BTF')).toBeUndefined();
});

test('a file is called by its name', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kernel-image-'));
  try {
    const file = path.join(folder, 'vmlinuz-6.1');
    writeFileSync(file, buildVmlinuz(gzipPayload(vmlinux)));
    expect(readKernelImage(file)).toMatchObject({ name: 'vmlinuz-6.1', vmlinuxSha256: sha256 });
    expect(() => readKernelImage(folder)).toThrow(/expected a file, found a folder/);
    expect(() => readKernelImage(path.join(folder, 'absent'))).toThrow(/absent: expected .* found none of that name/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
