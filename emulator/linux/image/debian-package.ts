/**
 * A Debian or Ubuntu package (deb(5)): an ar archive with `data.tar`, packed with xz, zstd or gzip, in which a
 * `linux-image` package has `boot/vmlinuz-*` (Ubuntu: `linux-image-unsigned` and `linux-image`) near the beginning.
 * Only the beginning is unpacked: the modules behind it are hundreds of megabytes.
 */
import { compressionOf, decompressHead, startsWith } from './decompress';
import { KernelImageError } from './kernel-image-error';

const AR_MAGIC = Array.from(Buffer.from('!<arch>\n'));
/** Header of an ar member: name 0..15, size in decimal 48..57, `\x60\n` 58..59. */
const AR_HEADER = 60;
/** Header of a tar member: name 0..99, size in octal 124..135, type 156, `ustar` 257, prefix of the name 345..499. */
const TAR_BLOCK = 512;

/** The kernel has to lie in the first so many bytes of the package's tar file, and of its packed form. */
const SEARCHED = 64 * 2 ** 20;

const VMLINUZ = /^(\.?\/)?boot\/vmlinu[xz]-[^/]*$/;

export function isPackage(bytes: Uint8Array): boolean {
  return startsWith(bytes, AR_MAGIC);
}

/**
 * The kernel in a package.
 * @param xz the program that unpacks xz
 * @returns the bytes of `boot/vmlinuz-*`, and its name
 * @throws KernelImageError
 */
export function kernelInPackage(bytes: Uint8Array, name: string, xz: string): { file: string; bytes: Uint8Array } {
  const { member, data } = dataMember(bytes, name);
  const head = data.subarray(0, SEARCHED);
  const packed = compressionOf(data);
  const tar =
    packed === undefined ? Buffer.from(head) : decompressHead(packed, head, SEARCHED, { name, what: member, xz });
  return kernelInTar(tar, name, member);
}

function dataMember(bytes: Uint8Array, name: string): { member: string; data: Uint8Array } {
  let at = AR_MAGIC.length;
  const members: string[] = [];
  while (at + AR_HEADER <= bytes.length) {
    const header = Buffer.from(bytes.subarray(at, at + AR_HEADER)).toString('latin1');
    const member = header.slice(0, 16).trim().replace(/\/$/, '');
    const size = decimal(header.slice(48, 58));
    if (size === undefined || header.slice(58) !== '`\n') throw notAnArchive(name, at);
    at += AR_HEADER;
    if (member.startsWith('data.tar')) {
      if (at + size > bytes.length) throw cutOff(name, `${size} bytes of ${member}`, bytes.length - at);
      return { member, data: bytes.subarray(at, at + size) };
    }
    members.push(member);
    at += size + (size % 2);
  }
  throw cutOff(name, 'a member data.tar', members.length === 0 ? 'nothing' : members.join(', '));
}

function decimal(text: string): number | undefined {
  return /^\d+ *$/.test(text) ? Number(text) : undefined;
}

function kernelInTar(tar: Buffer, name: string, member: string): { file: string; bytes: Uint8Array } {
  let at = 0;
  while (at + TAR_BLOCK <= tar.length && tar[at] !== 0) {
    const file = tarName(tar, at);
    const octal = tar.toString('latin1', at + 124, at + 136).replace(/[\0 ]+$/, '');
    if (!/^[0-7]+$/.test(octal)) {
      throw new KernelImageError(
        'damaged',
        `${name}: expected a file's size in ${member}, found ${JSON.stringify(octal)}; ` +
          'the package is damaged, so download it again.',
      );
    }
    const size = Number.parseInt(octal, 8);
    at += TAR_BLOCK;
    if (VMLINUZ.test(file)) {
      if (at + size > tar.length) throw cutOff(name, `${size} bytes of ${file}`, tar.length - at);
      return { file, bytes: tar.subarray(at, at + size) };
    }
    at += Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  throw new KernelImageError(
    'foreign',
    `${name}: expected boot/vmlinuz-* in the first ${SEARCHED} bytes of ${member}, found none; ` +
      'give a linux-image package itself, and not its headers, modules, debug information or a meta-package.',
  );
}

function tarName(tar: Buffer, at: number): string {
  const text = (from: number, size: number) => {
    const window = tar.toString('latin1', at + from, at + from + size);
    return window.split('\0', 1)[0];
  };
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  return prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
}

function notAnArchive(name: string, at: number): KernelImageError {
  return new KernelImageError(
    'damaged',
    `${name}: expected the header of a package's member at byte ${at}, found other bytes; ` +
      'the package is damaged, so download it again.',
  );
}

function cutOff(name: string, expected: string, found: string | number): KernelImageError {
  const what = typeof found === 'number' ? `${found} bytes` : found;
  return new KernelImageError(
    'truncated',
    `${name}: expected ${expected}, found ${what}; the package is cut off, so download it again.`,
  );
}
