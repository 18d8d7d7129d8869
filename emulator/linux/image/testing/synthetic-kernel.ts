/**
 * Small kernels for tests, made here byte by byte: a vmlinux of a few sections, the vmlinuz and the package around it.
 * No byte comes from a real kernel.
 */
import { gzipSync } from 'node:zlib';

/** Virtual minus physical address of the kernel's text. */
export const START = -0x80000000;
/** Where the first section lies. */
export const TEXT = START + 0x1000000;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;

interface SyntheticSection {
  readonly name: string;
  readonly addr: number;
  readonly bytes: Uint8Array;
  readonly executable?: boolean;
}

interface SyntheticSymbol {
  readonly name: string;
  readonly value: number;
  /** Index in the list of sections plus one. */
  readonly section: number;
}

export const BANNER = '6.1.0-1-synthetic (someone@example) (cc) #1 SMP';

/** The section that makes an ELF file a kernel. */
export const bannerSection: SyntheticSection = {
  name: '.rodata',
  addr: TEXT + 0x100000,
  bytes: Buffer.from(`%s version %s\0Linux version ${BANNER}\n\0`, 'latin1'),
};

export const textSection: SyntheticSection = {
  name: '.text',
  addr: TEXT,
  // mov %rsp,%rdi; wbinvd; ret
  bytes: Uint8Array.of(0x48, 0x89, 0xe7, 0x0f, 0x09, 0xc3),
  executable: true,
};

/** An ELF64 executable: each section is a segment of its own, at its address minus START. */
export function buildVmlinux(
  sections: readonly SyntheticSection[] = [textSection, bannerSection],
  symbols: readonly SyntheticSymbol[] = [{ name: '_text', value: TEXT, section: 1 }],
): Buffer {
  const tables = symbols.length === 0 ? [] : symbolTables(symbols, sections.length);
  const names = ['', ...sections.map(({ name }) => name), ...tables.map(({ name }) => name), '.shstrtab'];
  const strings = Buffer.from(`${names.join('\0')}\0`, 'latin1');
  const contents = [...sections.map(({ bytes }) => bytes), ...tables.map(({ bytes }) => bytes), strings];
  let end = 64 + sections.length * 56;
  const offsets = contents.map((bytes) => {
    const offset = end;
    end += bytes.length;
    return offset;
  });
  const file = Buffer.alloc(end + names.length * 64);
  writeHeader(file, sections, end, names.length);
  for (const [i, section] of sections.entries()) writeSegment(file, 64 + i * 56, section, offsets[i]);
  let nameAt = 1;
  for (const [i, bytes] of contents.entries()) {
    file.set(bytes, offsets[i]);
    const at = end + (i + 1) * 64;
    const section = sections[i];
    file.writeUInt32LE(nameAt, at);
    file.writeUInt32LE(tables[i - sections.length]?.type ?? (section === undefined ? 3 : 1), at + 4);
    file.writeUInt32LE(section === undefined ? 0 : SHF_ALLOC | (section.executable ? SHF_EXECINSTR : 0), at + 8);
    file.writeBigInt64LE(BigInt(section?.addr ?? 0), at + 16);
    file.writeUInt32LE(offsets[i], at + 24);
    file.writeUInt32LE(bytes.length, at + 32);
    file.writeUInt32LE(tables[i - sections.length]?.link ?? 0, at + 40);
    nameAt += names[i + 1].length + 1;
  }
  return file;
}

function writeHeader(file: Buffer, sections: readonly SyntheticSection[], shoff: number, shnum: number): void {
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeBigUInt64LE(0x1000000n, 24);
  file.writeUInt32LE(64, 32);
  file.writeUInt32LE(shoff, 40);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(sections.length, 56);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(shnum, 60);
  file.writeUInt16LE(shnum - 1, 62);
}

function writeSegment(file: Buffer, at: number, { addr, bytes, executable }: SyntheticSection, offset: number): void {
  file.writeUInt32LE(1, at);
  file.writeUInt32LE(executable ? 5 : 6, at + 4);
  file.writeUInt32LE(offset, at + 8);
  file.writeBigInt64LE(BigInt(addr), at + 16);
  // The area of per-CPU variables is linked at 0 and loaded somewhere else.
  file.writeBigInt64LE(BigInt(addr < 0 ? addr - START : 0x3000000), at + 24);
  file.writeUInt32LE(bytes.length, at + 32);
  file.writeUInt32LE(bytes.length, at + 40);
}

function symbolTables(symbols: readonly SyntheticSymbol[], sections: number) {
  const names = Buffer.from(`\0${symbols.map(({ name }) => name).join('\0')}\0`, 'latin1');
  const table = Buffer.alloc((symbols.length + 1) * 24);
  let nameAt = 1;
  for (const [i, { name, value, section }] of symbols.entries()) {
    const at = (i + 1) * 24;
    table.writeUInt32LE(nameAt, at);
    table[at + 4] = 0x12;
    table.writeUInt16LE(section, at + 6);
    table.writeBigInt64LE(BigInt(value), at + 8);
    nameAt += name.length + 1;
  }
  return [
    { name: '.symtab', type: 2, link: sections + 2, bytes: table },
    { name: '.strtab', type: 3, link: 0, bytes: names },
  ];
}

/** A bzImage around `payload`: one setup sector, protocol 2.15. */
export function buildVmlinuz(payload: Uint8Array): Buffer {
  const file = Buffer.alloc(1024 + 16 + payload.length);
  file[0x1f1] = 1;
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x20f, 0x206);
  file.writeUInt16LE(0x100, 0x20e);
  file.writeUInt16LE(1, 0x236);
  file.writeUInt32LE(2047, 0x238);
  file.writeUInt32LE(16, 0x248);
  file.writeUInt32LE(payload.length, 0x24c);
  file.writeUInt32LE(0x1000000, 0x258);
  file.writeUInt32LE(0x400000, 0x260);
  file.write(`${BANNER}\0`, 0x300, 'latin1');
  file.set(payload, 1024 + 16);
  return file;
}

/** The size as the kernel's build puts it behind a payload. */
export function withSize(payload: Uint8Array, size: number): Buffer {
  const bytes = Buffer.alloc(payload.length + 4);
  bytes.set(payload);
  bytes.writeUInt32LE(size, payload.length);
  return bytes;
}

export function gzipPayload(vmlinux: Uint8Array): Buffer {
  return gzipSync(vmlinux);
}

/** Literals and the longest run of equal bytes as matches: little, but all that a decoder has to do. */
export function lz4Payload(vmlinux: Uint8Array): Buffer {
  const block: number[] = [];
  let literals = 0;
  for (let at = 0; at < vmlinux.length; ) {
    let run = 1;
    while (at + run < vmlinux.length && vmlinux[at + run] === vmlinux[at]) run++;
    if (run < 8 || at + run > vmlinux.length - 8) {
      at += run;
      continue;
    }
    sequence(block, vmlinux.subarray(literals, at + 1), run - 1);
    at += run;
    literals = at;
  }
  sequence(block, vmlinux.subarray(literals), 0);
  const frame = Buffer.alloc(8 + block.length);
  frame.set([0x02, 0x21, 0x4c, 0x18]);
  frame.writeUInt32LE(block.length, 4);
  frame.set(block, 8);
  return withSize(frame, vmlinux.length);
}

function sequence(block: number[], literals: Uint8Array, match: number): void {
  const length = match === 0 ? 0 : match - 4;
  block.push((Math.min(literals.length, 15) << 4) | Math.min(length, 15));
  pushLength(block, literals.length);
  block.push(...literals);
  if (match === 0) return;
  block.push(1, 0);
  pushLength(block, length);
}

function pushLength(block: number[], length: number): void {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) block.push(255);
  block.push(rest);
}

/** A zstd frame (RFC 8878) of blocks that are not compressed, with a window of 1 KiB times two to the `exponent`. */
export function zstdFrame(bytes: Uint8Array, exponent = 0): Buffer {
  const parts: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3)];
  for (let at = 0; at < bytes.length; at += 1024) {
    const block = bytes.subarray(at, at + 1024);
    const header = (block.length << 3) | (at + 1024 >= bytes.length ? 1 : 0);
    parts.push(Uint8Array.of(header & 255, (header >> 8) & 255, header >> 16), block);
  }
  return Buffer.concat(parts);
}

/** A package: ar with `data.tar`, packed by `pack`, with `files`. */
export function buildPackage(
  files: readonly (readonly [string, Uint8Array])[],
  pack: (tar: Uint8Array) => Uint8Array = gzipSync,
): Buffer {
  const tar = Buffer.concat([...files.map(([name, bytes]) => tarMember(name, bytes)), Buffer.alloc(1024)]);
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    arMember('debian-binary', Buffer.from('2.0\n')),
    arMember('control.tar', Buffer.from('odd')),
    arMember('data.tar.gz', pack(tar)),
  ]);
}

function arMember(name: string, bytes: Uint8Array): Buffer {
  const size = String(bytes.length).padEnd(10);
  const header = Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}0     0     100644  ${size}\`\n`, 'latin1');
  return Buffer.concat([header, bytes, Buffer.alloc(bytes.length % 2)]);
}

function tarMember(name: string, bytes: Uint8Array): Buffer {
  const member = Buffer.alloc(512 + Math.ceil(bytes.length / 512) * 512);
  member.write(name, 0, 'latin1');
  member.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  member[156] = 0x30;
  member.write('ustar', 257, 'latin1');
  member.set(bytes, 512);
  return member;
}
