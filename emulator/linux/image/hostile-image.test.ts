import * as fc from 'fast-check';
import { readKernelImage } from './kernel-image';
import { KernelImageError } from './kernel-image-error';
import { readOffsets } from './kernel-offsets';
import { buildBtf } from './testing/synthetic-btf';
import { buildKallsyms } from './testing/synthetic-kallsyms';
import {
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

/** A kernel with a table of symbols and with types, 4 KiB in all. */
const vmlinux = buildVmlinux(
  [
    textSection,
    bannerSection,
    {
      name: '.data',
      addr: TEXT + 0x200000,
      bytes: buildKallsyms(
        [
          ['D', 'cpu_tss_rw', 0x6000],
          ['T', '_stext', TEXT],
          ['T', '__switch_to_asm', TEXT + 1],
        ],
        { layout: 'offsets-last', alignment: 8, absolutePerCpu: true, base: TEXT },
      ),
    },
    {
      name: '.BTF',
      addr: TEXT + 0x300000,
      bytes: buildBtf([
        { kind: 'int', name: 'long', size: 8 },
        { kind: 'struct', name: 'task_struct', size: 16, members: [['mm', 1, 64]] },
        { kind: 'var', name: 'current_task', size: 1 },
        { kind: 'datasec', name: '.data..percpu', size: 0x100, members: [['', 3, 0x40, 8]] },
      ]),
    },
  ],
  [],
);
const vmlinuz = buildVmlinuz(lz4Payload(vmlinux));
const debian = buildPackage([['./boot/vmlinuz-6.1', vmlinuz]]);

function errorOf(bytes: Uint8Array): KernelImageError {
  try {
    readKernelImage(bytes, { name: 'image' });
  } catch (error) {
    if (error instanceof KernelImageError) return error;
    throw error;
  }
  throw new Error('expected a KernelImageError, found an image');
}

/** A copy with the bytes at `offset` replaced. */
function patched(whole: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  const file = Buffer.from(whole);
  file.set(bytes, offset);
  return file;
}

const at = (offset: number, ...bytes: number[]) => patched(Buffer.alloc(0x400, 0x20), offset, ...bytes);
const letters = (text: string) => Array.from(Buffer.from(text, 'latin1'));
const tar = (name: string) => buildPackage([[name, Buffer.from('x')]]);

test.each<[string, Uint8Array, string, RegExp]>([
  ['nothing', new Uint8Array(0), 'foreign', /found an empty file/],
  ['a text', Buffer.from('#!/bin/sh\n'), 'foreign', /found a file that begins with 23212f62/],
  ['a picture', at(0, 0x89, 0x50, 0x4e, 0x47), 'foreign', /found a PNG picture/],
  ['an ARM kernel', at(0x24, 0x18, 0x28, 0x6f, 0x01), 'foreign', /found an ARM zImage/],
  ['an ARM64 kernel', at(0x38, ...letters('ARMd')), 'foreign', /found an ARM64 Image/],
  ['an initrd', at(0, 0x1f, 0x8b), 'foreign', /found a gzip file/],
  ['an rpm package', at(0, 0xed, 0xab, 0xee, 0xdb), 'foreign', /found an rpm package/],
  ['a 32-bit vmlinux', patched(vmlinux, 4, 1), 'wrong-architecture', /found a 32-bit ELF file/],
  ['a vmlinux for AArch64', patched(vmlinux, 18, 183), 'wrong-architecture', /found an ELF file for machine 183/],
  ['a 32-bit vmlinuz', patched(vmlinuz, 0x236, 0), 'wrong-architecture', /found a 32-bit one/],
  ['an ELF file without a banner', buildVmlinux([textSection]), 'foreign', /without the text "Linux version/],
  ['a section table out of range', patched(vmlinux, 40, 0xff, 0xff, 0xff), 'truncated', /section headers/],
  ['a segment of 1 TiB', patched(vmlinux, 64 + 40, 0, 0, 0, 0, 0, 1), 'damaged', /expected segments in at most/],
  ['a huge segment', patched(vmlinux, 64 + 40, ...Array(8).fill(0xff)), 'damaged', /below 2\^53/],
  ['no boot flag', patched(vmlinuz, 0x1fe, 0), 'damaged', /expected the boot flag aa55/],
  ['an old protocol', patched(vmlinuz, 0x206, 7, 2), 'unsupported', /found 2\.7; give a kernel since Linux 2\.6\.26/],
  ['no payload', patched(vmlinuz, 0x24c, 0, 0, 0, 0), 'damaged', /found payload_length 0/],
  ['a payload out of range', patched(vmlinuz, 0x24b, 0x70), 'truncated', /expected the payload at bytes/],
  ['an endless payload', patched(vmlinuz, 0x24f, 0x70), 'truncated', /expected the payload at bytes/],
  ['bzip2', buildVmlinuz(Buffer.from('BZh91AY&SY......')), 'unsupported', /found bzip2; .*extract-vmlinux/],
  ['an unknown packing', buildVmlinuz(Buffer.alloc(40, 7)), 'unsupported', /found one that begins with 070707/],
  [
    'a payload of 4 GiB',
    buildVmlinuz(withSize(zstdFrame(vmlinux), 0xffffffff)),
    'too-large',
    /found a payload of 4294967295/,
  ],
  ['a bomb', buildVmlinuz(withSize(zstdFrame(vmlinux), 200 << 20)), 'too-large', /expected a vmlinux of at most/],
  [
    'a gzip bomb',
    buildVmlinuz(withSize(gzipPayload(Buffer.alloc(1 << 22)).subarray(0, -4), 1 << 10)),
    'damaged',
    /gzip payload/,
  ],
  ['a packed text', buildVmlinuz(gzipPayload(Buffer.from('text'))), 'damaged', /first bytes 7f 45 4c 46/],
  ['headers', tar('./usr/src/linux-headers/Makefile'), 'foreign', /expected boot\/vmlinuz-\* .* found none/],
  ['an archive of nothing', Buffer.from('!<arch>\n'), 'truncated', /expected a member data\.tar, found nothing/],
  [
    'an archive of something',
    patched(debian, 8 + 48, 0x78),
    'damaged',
    /expected the header of a package's member at byte 8/,
  ],
  ['a package with lz4', buildPackage([], lz4Payload), 'unsupported', /gzip, xz or zstd, found lz4/],
  [
    'a package that is no tar',
    buildPackage([], () => Buffer.alloc(600, 0x41)),
    'damaged',
    /expected a file's size in data.tar.gz/,
  ],
])('%s is told in one sentence', (_, bytes, kind, message) => {
  const error = errorOf(bytes);
  expect(error.message).toMatch(message);
  expect(error.kind).toBe(kind);
  expect(error.message).toMatch(/^image[^\n]*: expected [^\n]* found [^\n]*; [^\n]*\.$/);
});

test.each([
  ['a vmlinux', vmlinux],
  ['a vmlinuz', vmlinuz],
  ['a package', debian.subarray(0, debian.length - 1)],
])('%s that is cut off anywhere is an error', (_, whole) => {
  for (let length = 0; length < whole.length; length += 7) {
    expect(errorOf(whole.subarray(0, length)).message).toMatch(/^image[^\n]*: expected [^\n]*\.$/);
  }
});

/** Everything that a reader of an image does. */
function use(bytes: Uint8Array, va: number): void {
  const image = readKernelImage(bytes);
  image.symbols.symbolAt(va);
  image.types?.member('task_struct', 'mm');
  image.sectionBytes('.text');
  readOffsets(image);
}

test.each([
  ['a vmlinux', vmlinux, 400],
  ['a vmlinuz', vmlinuz, 150],
  ['a vmlinuz with zstd', buildVmlinuz(withSize(zstdFrame(vmlinux), vmlinux.length)), 100],
  ['a package', debian, 100],
])('whatever bytes of %s are changed, it is an image or one error', (_, whole, numRuns) => {
  // Headers are a small part, so every other edit is one of them.
  const place = fc.oneof(fc.nat(whole.length - 1), fc.nat(0x2ff), fc.integer({ min: 0x1e0, max: 0x270 }));
  const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));
  const edits = fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(edits, fc.integer(), (list, va) => {
      const file = Buffer.from(whole);
      for (const [offset, byte] of list) file[offset] = byte;
      try {
        use(file, va);
      } catch (error) {
        expect(error).toBeInstanceOf(KernelImageError);
        expect((error as Error).message).not.toMatch(/undefined|NaN|\n/);
      }
    }),
    { numRuns, seed: 11 },
  );
});
