/**
 * Reads a Linux kernel for x86-64: a `vmlinux`, a `vmlinuz`, or a Debian or Ubuntu package with one. What comes out is
 * what a loader needs (segments), what a reader of its memory needs (symbols, types, sections, bytes by address), and
 * its identity (version, hashes). Nothing is trusted: whatever the bytes are, the answer is an image or a
 * KernelImageError. No byte of an image is executed on this machine.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ElfError, type ElfImage, readElf } from '../../elf/elf-image';
import { LineTable } from '../../elf/line-table';
import { Btf } from './btf';
import {
  isBzImage,
  MAX_UNPACKED,
  readBzImage,
  type SetupHeader,
  type Unpacking,
  type Vmlinux,
  withSha256,
} from './bz-image';
import { isPackage, kernelInPackage } from './debian-package';
import type { Compression } from './decompress';
import { KernelImageError } from './kernel-image-error';
import { type KernelSymbols, readSymbols } from './kernel-symbols';

/** The largest file that is read: a vmlinux with debug information has some hundred megabytes. */
const MAX_FILE = 2 ** 30;

/** The most memory that a kernel's segments may take. */
const MAX_LOADED = MAX_UNPACKED;

/** How `linux_banner` begins; formats for other texts have the same words. */
const BANNER = 'Linux version ';
const MAX_BANNERS = 64;

/** What the file is. */
type Container = 'vmlinux' | 'vmlinuz' | 'package';

/** What is loaded: `data` at `paddr`, zeros up to `memsz`. Addresses in the kernel half are negative. */
type KernelSegment = ElfImage['segments'][number];

interface KernelSection {
  readonly name: string;
  /** Virtual address, sign-folded; 0 for what is not loaded, and the offset in the area for `.data..percpu`. */
  readonly addr: number;
  readonly size: number;
  /** sh_flags: 2 in memory, 4 executable. */
  readonly flags: number;
}

/** Sizes in bytes. */
interface KernelSizes {
  /** The file as it was given. */
  readonly file: number;
  /** The packed kernel in a vmlinuz, 0 if there is none. */
  readonly payload: number;
  readonly vmlinux: number;
  /** Memory from the lowest to the highest physical address of the segments. */
  readonly loaded: number;
}

export interface KernelImage {
  /** The file's name without its folder. */
  readonly name: string;
  readonly container: Container;
  /** The banner without its first two words: `6.1.0-56-cloud-amd64 (...) ... #1 SMP ...`. */
  readonly version: string;
  /** What `uname -r` says. */
  readonly release: string;
  /** SHA-256 of the file as it was given, in hexadecimal digits. */
  readonly fileSha256: string;
  /** SHA-256 of the vmlinux, which is the identity of the kernel: however it is packed, it is the same. */
  readonly vmlinuxSha256: string;
  readonly compression: Compression | 'none';
  readonly sizes: KernelSizes;
  /** The setup header of a vmlinuz, for boot_params. */
  readonly setup: SetupHeader | undefined;
  /** `e_entry`, a physical address: startup_64. */
  readonly entry: number;
  readonly segments: readonly KernelSegment[];
  readonly symbols: KernelSymbols;
  /** Its types, undefined if it was built without CONFIG_DEBUG_INFO_BTF. */
  readonly types: Btf | undefined;
  /** By name; of equal names the first. */
  readonly sections: ReadonlyMap<string, KernelSection>;
  /** The whole vmlinux, shared with the image: `readKernelImage` of it is the same kernel. */
  readonly vmlinux: Uint8Array;
  /** `size` bytes at a virtual address, shared with the image; undefined where no segment has them all. */
  bytesAt(va: number, size: number): Uint8Array | undefined;
  /** The bytes of a section that is loaded, shared with the image. */
  sectionBytes(name: string): Uint8Array | undefined;
  /**
   * The line of source that an address is from, `arch/x86/entry/entry_64.S:87`; undefined where the image does not say:
   * only a vmlinux that was built with debug information has lines.
   */
  sourceAt(va: number): string | undefined;
}

/** How an image is read. */
interface ReadKernelOptions {
  /** How messages call the bytes; of a file its name. */
  readonly name?: string;
  /** The program that unpacks xz; `xz` on the path. */
  readonly xz?: string;
  /** Who knows from the last time what the payload of a vmlinuz unpacks to. */
  readonly remember?: Unpacking['remember'];
}

/**
 * Reads a kernel.
 * @param source the name of a file, or its bytes
 * @throws KernelImageError, in one sentence what was expected, what was found, and how to mend it
 */
export function readKernelImage(source: string | Uint8Array, options: ReadKernelOptions = {}): KernelImage {
  const name = options.name ?? (typeof source === 'string' ? path.basename(source) : 'the image');
  const bytes = typeof source === 'string' ? readBytes(source) : source;
  const unpacked = unpack(bytes, name, { xz: options.xz ?? 'xz', remember: options.remember });
  const elf = readVmlinux(unpacked.vmlinux, name);
  const loaded = loadedSize(elf);
  const version = bannerOf(elf);
  const sections = new Map<string, KernelSection>();
  for (const section of elf.sections) if (!sections.has(section.name)) sections.set(section.name, section);
  const bytesAt = (va: number, size: number) => bytesOf(elf, va, size);
  const sectionBytes = (wanted: string) => {
    const section = sections.get(wanted);
    return section && bytesAt(section.addr, section.size);
  };
  const btf = sectionBytes('.BTF');
  return Object.freeze<KernelImage>({
    name,
    container: unpacked.container,
    version,
    release: version.split(' ', 1)[0],
    fileSha256: sha256(bytes),
    vmlinuxSha256: unpacked.vmlinuxSha256,
    compression: unpacked.compression,
    sizes: { file: bytes.length, payload: unpacked.payloadSize, vmlinux: unpacked.vmlinux.length, loaded },
    setup: unpacked.setup,
    entry: elf.entry,
    segments: elf.segments,
    symbols: readSymbols(elf),
    vmlinux: unpacked.vmlinux,
    types: btf && new Btf(btf, name),
    sections,
    bytesAt,
    sectionBytes,
    sourceAt: (va) => sourceAt(elf, va),
  });
}

const lineTables = new WeakMap<ElfImage, LineTable>();

/** Lines are read when the first one is asked for: they are most of a vmlinux, and few readers want them. */
function sourceAt(elf: ElfImage, va: number): string | undefined {
  const lines = lineTables.get(elf) ?? new LineTable(elf.sectionBytes);
  lineTables.set(elf, lines);
  const found = lines.at(va);
  return found && `${found.file}:${found.line}`;
}

/** Why a file cannot be read, by the codes of the operating system. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'none of that name'],
  ['ENOTDIR', 'none of that name'],
  ['EACCES', 'one that is closed to you'],
]);

/** The size is asked first, so that a device or a disk image is never read. */
function readBytes(file: string): Uint8Array {
  const name = path.basename(file);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) {
      throw new KernelImageError('unreadable', `${name}: expected a file, found a folder or a device; give a kernel.`);
    }
    if (stat.size > MAX_FILE) {
      throw new KernelImageError(
        'too-large',
        `${name}: expected a kernel of at most ${MAX_FILE} bytes, found ${stat.size}; strip its debug information.`,
      );
    }
    return readFileSync(descriptor);
  } catch (error) {
    if (error instanceof KernelImageError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new KernelImageError(
      'unreadable',
      `${file}: expected a file that can be read, found ${REASONS.get(code) ?? code}; check its path and your rights.`,
      { cause: error },
    );
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

interface Unpacked extends Vmlinux {
  readonly container: Container;
  readonly compression: Compression | 'none';
  readonly payloadSize: number;
  readonly setup: SetupHeader | undefined;
}

function unpack(bytes: Uint8Array, name: string, unpacking: Unpacking): Unpacked {
  if (isPackage(bytes)) {
    const kernel = kernelInPackage(bytes, name, unpacking.xz);
    return { ...unpack(kernel.bytes, `${name}, ${path.basename(kernel.file)}`, unpacking), container: 'package' };
  }
  if (isBzImage(bytes)) return { ...readBzImage(bytes, name, unpacking), container: 'vmlinuz' };
  if (bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46) {
    return { container: 'vmlinux', compression: 'none', payloadSize: 0, setup: undefined, ...withSha256(bytes) };
  }
  throw new KernelImageError(
    'foreign',
    `${name}: expected a vmlinux, a vmlinuz or a linux-image package for x86-64, found ${describe(bytes)}; ` +
      'give what is in /boot, or what `apt-get download` makes.',
  );
}

/** What is likely to be given by mistake. */
const KNOWN: readonly (readonly [string, number, readonly number[]])[] = [
  ['an ARM zImage', 0x24, [0x18, 0x28, 0x6f, 0x01]],
  ['an ARM64 Image', 0x38, [0x41, 0x52, 0x4d, 0x64]],
  ['a RISC-V Image', 0x38, [0x52, 0x53, 0x43, 0x05]],
  ['a PNG picture', 0, [0x89, 0x50, 0x4e, 0x47]],
  ['an rpm package', 0, [0xed, 0xab, 0xee, 0xdb]],
  ['a gzip file', 0, [0x1f, 0x8b]],
  ['an xz file', 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['a zstd file', 0, [0x28, 0xb5, 0x2f, 0xfd]],
  ['a U-Boot image', 0, [0x27, 0x05, 0x19, 0x56]],
];

function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const known = KNOWN.find(([, offset, magic]) => magic.every((byte, i) => bytes[offset + i] === byte));
  return known?.[0] ?? `a file that begins with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`;
}

function readVmlinux(vmlinux: Uint8Array, name: string): ElfImage {
  if (vmlinux[0] === 0x7f && (vmlinux[4] === 1 || (vmlinux[4] === 2 && vmlinux[18] !== 62))) {
    const found = vmlinux[4] === 1 ? 'a 32-bit ELF file' : `an ELF file for machine ${vmlinux[18]}`;
    throw new KernelImageError(
      'wrong-architecture',
      `${name}: expected a vmlinux for x86-64, found ${found}; give the kernel of an amd64 package.`,
    );
  }
  try {
    return readElf(vmlinux, name);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    const kind = error.kind === 'truncated' ? 'truncated' : 'damaged';
    throw new KernelImageError(kind, error.message, { cause: error });
  }
}

/** The string `linux_banner`, which every kernel has in its read-only data. */
function bannerOf(elf: ElfImage): string {
  for (const { data } of elf.segments) {
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    let at = text.indexOf(BANNER);
    for (let trials = 0; at >= 0 && trials < MAX_BANNERS; trials++) {
      const line = text.toString('latin1', at + BANNER.length, at + 1024).split(/[\0\n]/, 1)[0];
      if (/^\d+\.\d+/.test(line)) return line;
      at = text.indexOf(BANNER, at + 1);
    }
  }
  throw new KernelImageError(
    'foreign',
    `${elf.name}: expected a Linux kernel, found an ELF file without the text "Linux version N.N"; give a vmlinux.`,
  );
}

/** Checks before anything is searched in the segments that they are as few bytes as a kernel's. */
function loadedSize(elf: ElfImage): number {
  const start = Math.min(...elf.segments.map(({ paddr }) => paddr));
  const end = Math.max(...elf.segments.map(({ paddr, memsz }) => paddr + memsz));
  const total = elf.segments.reduce((sum, { memsz }) => sum + memsz, 0);
  const found = Math.max(end - start, total);
  if (found <= MAX_LOADED) return end - start;
  throw new KernelImageError(
    'damaged',
    `${elf.name}: expected segments in at most ${MAX_LOADED} bytes of memory, found ${found}; ` +
      'the file is damaged, so copy or build it again.',
  );
}

function bytesOf(elf: ElfImage, va: number, size: number): Uint8Array | undefined {
  for (const { vaddr, filesz, data } of elf.segments) {
    const offset = va - vaddr;
    if (offset >= 0 && offset + size <= filesz) return data.subarray(offset, offset + size);
  }
  return undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
