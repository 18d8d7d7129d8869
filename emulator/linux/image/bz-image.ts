/**
 * `vmlinuz`, which is a bzImage: boot sector and setup header, 16-bit code, and a small program with the compressed
 * vmlinux inside (Documentation/arch/x86/boot.rst of Linux, "The Linux/x86 Boot Protocol", 2.08 and later). Only the
 * header is read and the payload taken; no byte of it is executed.
 */
import { createHash } from 'node:crypto';
import { type Compression, compressionOf, decompress } from './decompress';
import { ImageBytes } from './image-bytes';
import { KernelImageError } from './kernel-image-error';

/**
 * Offsets of the setup header, from the beginning of the file:
 *
 *   1f1 setup_sects   1fe boot_flag aa55   202 'HdrS'   206 version   20e kernel_version   211 loadflags
 *   230 kernel_alignment   234 relocatable_kernel   236 xloadflags   238 cmdline_size
 *   248 payload_offset   24c payload_length   258 pref_address   260 init_size
 */
const SETUP_SECTS = 0x1f1;
const BOOT_FLAG = 0x1fe;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const KERNEL_VERSION = 0x20e;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
const HEADER_END = 0x268;

/** Since this version the header tells where the payload is (Linux 2.6.26). */
const FIRST_WITH_PAYLOAD = 0x208;
/** In xloadflags: the kernel has an entry point in 64-bit mode. */
const XLF_KERNEL_64 = 1;
/** From this version on the header has xloadflags. */
const FIRST_WITH_XLOADFLAGS = 0x20c;

/** The most bytes that a payload is unpacked to: four times what Debian's largest kernel needs. */
export const MAX_UNPACKED = 256 * 2 ** 20;

/** Nor to more than so many times its own size, and 64 KiB: a kernel shrinks to a tenth, a bomb to a thousandth. */
const MAX_RATIO = 1000;

/** Formats that the kernel's build offers and nothing here unpacks. */
const OTHER_FORMATS: readonly (readonly [string, readonly number[]])[] = [
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzo', [0x89, 0x4c, 0x5a, 0x4f]],
  ['lzma', [0x5d, 0x00, 0x00]],
];

/** What the setup header says that a loader has to know. */
export interface SetupHeader {
  /** Version of the boot protocol: 0x20f is 2.15. */
  readonly protocol: number;
  /** Most bytes of a command line, without the zero at its end. */
  readonly commandLineSize: number;
  /** Where the kernel prefers to be loaded, a physical address. */
  readonly preferredAddress: number;
  /** Bytes of memory from there that it needs before it reads the memory map. */
  readonly initSize: number;
  /** The header itself, bytes 1f1 to 268 of the file, for boot_params. */
  readonly bytes: Uint8Array;
}

/** What a payload unpacks to, with its SHA-256 in hexadecimal digits. */
export interface Vmlinux {
  readonly vmlinux: Uint8Array;
  readonly vmlinuxSha256: string;
}

/** How a bzImage is unpacked. */
export interface Unpacking {
  /** The program that unpacks xz. */
  readonly xz: string;
  /** Asked for what a packed payload unpacks to: somebody may know it from the last time, or calls `unpack`. */
  readonly remember?: ((payload: Uint8Array, unpack: () => Vmlinux) => Vmlinux) | undefined;
}

interface UnpackedKernel extends Vmlinux {
  readonly setup: SetupHeader;
  /** `uname -r` and what follows it, as the header says. */
  readonly version: string;
  readonly compression: Compression | 'none';
  readonly payloadSize: number;
}

export function isBzImage(bytes: Uint8Array): boolean {
  const magic = [0x48, 0x64, 0x72, 0x53];
  return magic.every((byte, i) => bytes[HEADER_MAGIC + i] === byte);
}

/**
 * Unpacks a bzImage.
 * @throws KernelImageError
 */
export function readBzImage(bytes: Uint8Array, name: string, unpacking: Unpacking): UnpackedKernel {
  const file = new ImageBytes(bytes, name);
  file.range(0, HEADER_END, 'the setup header');
  checkHeader(file);
  const payload = payloadOf(file);
  const compression = compressionOf(payload);
  return {
    setup: {
      protocol: file.u16(VERSION, 'the protocol version'),
      commandLineSize: file.u32(CMDLINE_SIZE, 'cmdline_size'),
      preferredAddress: file.u64(PREF_ADDRESS, 'pref_address'),
      initSize: file.u32(INIT_SIZE, 'init_size'),
      bytes: bytes.slice(SETUP_SECTS, HEADER_END),
    },
    version: versionOf(file),
    compression: compression ?? 'none',
    payloadSize: payload.length,
    ...(compression === undefined
      ? withSha256(plain(payload, name))
      : remembered(unpacking, payload, () => unpack(compression, payload, name, unpacking.xz))),
  };
}

function remembered({ remember }: Unpacking, payload: Uint8Array, unpack: () => Uint8Array): Vmlinux {
  const unpacked = () => withSha256(unpack());
  return remember === undefined ? unpacked() : remember(payload, unpacked);
}

/** A vmlinux with its identity. */
export function withSha256(vmlinux: Uint8Array): Vmlinux {
  return { vmlinux, vmlinuxSha256: createHash('sha256').update(vmlinux).digest('hex') };
}

function checkHeader(file: ImageBytes): void {
  if (file.u16(BOOT_FLAG, 'the boot flag') !== 0xaa55) {
    throw file.damaged('the boot flag aa55 at byte 510', `${file.u16(BOOT_FLAG, 'the boot flag').toString(16)}`);
  }
  const protocol = file.u16(VERSION, 'the protocol version');
  if (protocol < FIRST_WITH_PAYLOAD) {
    throw new KernelImageError(
      'unsupported',
      `${file.name}: expected boot protocol 2.08 or later, found ${protocol >> 8}.${protocol & 0xff}; ` +
        'give a kernel since Linux 2.6.26.',
    );
  }
  if (protocol >= FIRST_WITH_XLOADFLAGS && (file.u16(XLOADFLAGS, 'xloadflags') & XLF_KERNEL_64) === 0) {
    throw new KernelImageError(
      'wrong-architecture',
      `${file.name}: expected a 64-bit x86 kernel, found a 32-bit one (no XLF_KERNEL_64); ` +
        'give the image of an amd64 package.',
    );
  }
}

function payloadOf(file: ImageBytes): Uint8Array {
  const sectors = file.u8(SETUP_SECTS, 'setup_sects') || 4;
  const offset = (sectors + 1) * 512 + file.u32(PAYLOAD_OFFSET, 'payload_offset');
  const length = file.u32(PAYLOAD_LENGTH, 'payload_length');
  if (length < 8) throw file.damaged('a payload of at least 8 bytes', `payload_length ${length}`);
  return file.range(offset, length, 'the payload');
}

/** What is not packed has to be the ELF file itself. */
function plain(payload: Uint8Array, name: string): Uint8Array {
  if (payload[0] === 0x7f && payload[1] === 0x45) return payload;
  const start = Buffer.from(payload.subarray(0, 6)).toString('hex');
  const other = OTHER_FORMATS.find(([, magic]) => magic.every((byte, i) => payload[i] === byte))?.[0];
  const found = other === undefined ? `one that begins with ${start}` : other;
  throw new KernelImageError(
    'unsupported',
    `${name}: expected a payload packed with gzip, xz, lz4 or zstd, found ${found}; ` +
      "unpack it with the kernel's scripts/extract-vmlinux and give the vmlinux.",
  );
}

/** The kernel's build puts the size behind each payload; of gzip it is the end of the format itself. */
function unpack(compression: Compression, payload: Uint8Array, name: string, xz: string): Uint8Array {
  const end = payload.length - 4;
  const size = new ImageBytes(payload, name).u32(end, 'the size of the payload');
  const most = Math.min(MAX_UNPACKED, MAX_RATIO * payload.length + 65536);
  if (size > most) {
    throw new KernelImageError(
      'too-large',
      `${name}: expected a vmlinux of at most ${most} bytes, found a payload of ${size} bytes unpacked; ` +
        'unpack it yourself and give the vmlinux.',
    );
  }
  const packed = compression === 'gzip' ? payload : payload.subarray(0, end);
  return decompress(compression, packed, size, { name, what: 'payload', xz });
}

function versionOf(file: ImageBytes): string {
  const offset = file.u16(KERNEL_VERSION, 'kernel_version');
  if (offset === 0 || 0x200 + offset >= file.bytes.length) return '';
  const window = file.bytes.subarray(0x200 + offset, 0x200 + offset + 256);
  const end = window.indexOf(0);
  return Buffer.from(end < 0 ? window : window.subarray(0, end)).toString('latin1');
}
