/**
 * Reads a guest image: a linked ELF64 file, little-endian, x86-64 (ELF-64 Object File Format 1.5 and the x86-64 psABI,
 * chapter 4). ET_EXEC and ET_DYN are loaded where they were linked; relocation, dynamic linking and notes
 * are left out. Nothing is trusted: whatever the bytes are, the answer is an image or an ElfError.
 */
import { inflateSync } from 'node:zlib';
import { ElfBytes } from './elf-bytes';
import { ElfError } from './elf-error';
import { type ElfSymbol, labelsBySection, nearestLabel, readSymbols, SYMBOL_SIZE, valuesByName } from './elf-symbols';

export { ElfError, type ElfErrorKind } from './elf-error';

/** In `ElfSection.flags`: the section is in memory. */
const SHF_ALLOC = 2;

/** A PT_LOAD segment; `data` has `filesz` bytes and the rest up to `memsz` is zero. */
interface ElfSegment {
  readonly vaddr: number;
  readonly paddr: number;
  readonly filesz: number;
  readonly memsz: number;
  /** p_flags: 1 execute, 2 write, 4 read. */
  readonly flags: number;
  readonly data: Uint8Array;
}

interface ElfSection {
  readonly name: string;
  readonly addr: number;
  readonly size: number;
  /** sh_flags. */
  readonly flags: number;
}

/** Virtual addresses are sign-folded numbers: the kernel half is negative. */
export interface ElfImage {
  readonly name: string;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  readonly symbols: ReadonlyMap<string, number>;
  /** The value of a symbol: an address, or the small value of an absolute symbol. */
  symbol(name: string): number | undefined;
  /** How a reader knows this place: the nearest label at or below it in the same section. */
  symbolAt(va: number): { name: string; offset: number } | undefined;
  /**
   * The bytes of a section in the file, unpacked where they are packed; undefined if it has none.
   * @throws ElfError if they are cut off or damaged
   */
  sectionBytes(name: string): Uint8Array | undefined;
}

/*
 * Elf64_Ehdr, 64 bytes:                              Elf64_Phdr, 56 bytes:     Elf64_Shdr, 64 bytes:
 *    0 magic 7f 'E' 'L' 'F'      24 entry              0 type    4 flags          0 name   4 type
 *    4 class  5 byte order       32 program headers    8 offset                   8 flags 16 addr
 *   16 type  18 machine          40 section headers   16 vaddr  24 paddr         24 offset 32 size
 *   54 phentsize  56 phnum       58 shentsize         32 filesz 40 memsz         40 link  44 info
 *   60 shnum      62 shstrndx                                                    56 entsize
 */
const TWO_47 = 2 ** 47;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const ELFCLASS64 = 2;
const LITTLE_ENDIAN = 1;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;
const CHDR_SIZE = 24;
const ELFCOMPRESS_ZLIB = 1;
/** Bytes; a kernel's line tables have some ten million. */
const MAX_UNPACKED_SECTION = 2 ** 30;

// Only what a user is likely to hand over by mistake.
const MACHINES = new Map([
  [3, 'i386'],
  [40, 'ARM'],
  [183, 'AArch64'],
  [243, 'RISC-V'],
]);
const TYPES = new Map([
  [1, 'a relocatable object file (ET_REL)'],
  [4, 'a core dump (ET_CORE)'],
]);

interface SectionHeader extends ElfSection {
  readonly type: number;
  readonly nameOffset: number;
  readonly offset: number;
  readonly link: number;
}

export function readElf(bytes: Uint8Array, name: string): ElfImage {
  const file = new ElfBytes(bytes, name);
  checkIdentity(file, bytes);
  file.range(0, EHDR_SIZE, 'the ELF header');
  checkKind(file);
  const segments = readSegments(file);
  const headers = readSectionHeaders(file);
  const sections = nameSections(file, headers);
  const sectionBytes = (wanted: string) => {
    const index = sections.findIndex((section) => section.name === wanted) + 1;
    return index === 0 || headers[index].type === SHT_NOBITS ? undefined : unpacked(file, headers, index);
  };
  const entry = address(file, 24, 'the entry point');
  return { ...assemble(name, entry, segments, sections, symbolsOf(file, headers)), sectionBytes };
}

function checkIdentity(file: ElfBytes, bytes: Uint8Array): void {
  const magic = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!magic) {
    const found = bytes.length === 0 ? 'an empty file' : 'other first bytes';
    throw new ElfError(
      'not-elf',
      `${file.name}: expected an ELF file (first bytes 7f 45 4c 46), found ${found}; give the linked image, not its source.`,
    );
  }
  file.range(0, 16, 'the ELF identification');
  if (file.u8(4) !== ELFCLASS64) {
    throw new ElfError(
      'wrong-class',
      `${file.name}: expected a 64-bit ELF file, found class ${file.u8(4)} (1 is 32-bit); assemble with \`as --64\`.`,
    );
  }
  if (file.u8(5) !== LITTLE_ENDIAN) {
    throw new ElfError(
      'wrong-machine',
      `${file.name}: expected little-endian x86-64, found byte order ${file.u8(5)}; assemble for x86-64.`,
    );
  }
}

function checkKind(file: ElfBytes): void {
  const machine = file.u16(18);
  if (machine !== EM_X86_64) {
    const found = MACHINES.get(machine) ?? `machine ${machine}`;
    throw new ElfError(
      'wrong-machine',
      `${file.name}: expected machine code for x86-64, found ${found}; assemble for x86-64.`,
    );
  }
  const type = file.u16(16);
  if (type !== ET_EXEC && type !== ET_DYN) {
    const found = TYPES.get(type) ?? `type ${type}`;
    throw new ElfError(
      'unsupported-type',
      `${file.name}: expected a linked executable, found ${found}; link it with \`ld -static -nostdlib\`.`,
    );
  }
}

/** Where a table of headers is: its file offset and count, checked to be inside the file. */
function tableAt(
  file: ElfBytes,
  offsetAt: number,
  sizeAt: number,
  entry: number,
  what: string,
): { offset: number; count: number } {
  const offset = file.u64(offsetAt, `the offset of the ${what}`);
  const count = file.u16(sizeAt + 2);
  if (count === 0) return { offset, count };
  if (file.u16(sizeAt) !== entry) throw file.malformed(`${what} of ${entry} bytes each`, `${file.u16(sizeAt)}`);
  file.range(offset, count * entry, `the ${what}`);
  return { offset, count };
}

function readSegments(file: ElfBytes): ElfSegment[] {
  const { offset, count } = tableAt(file, 32, 54, PHDR_SIZE, 'program headers');
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * PHDR_SIZE;
    if (file.u32(at) === PT_LOAD) segments.push(readSegment(file, at, i));
  }
  if (segments.length === 0) {
    throw new ElfError(
      'no-segments',
      `${file.name}: expected at least one PT_LOAD segment, found none; link it with a linker script that keeps .text.`,
    );
  }
  return segments;
}

function readSegment(file: ElfBytes, at: number, index: number): ElfSegment {
  const what = `segment ${index}`;
  const filesz = file.u64(at + 32, `the file size of ${what}`);
  const memsz = file.u64(at + 40, `the memory size of ${what}`);
  if (filesz > memsz)
    throw file.malformed(`${what} to be at most its memory size ${memsz}`, `${filesz} bytes in the file`);
  return {
    vaddr: address(file, at + 16, `the virtual address of ${what}`),
    paddr: physicalAddress(file, at + 24, what),
    filesz,
    memsz,
    flags: file.u32(at + 4),
    data: file.range(file.u64(at + 8, `the offset of ${what}`), filesz, `the contents of ${what}`),
  };
}

// A linker that is told nothing makes the physical address of a kernel segment its virtual one: the usual mistake, so
// it has its own words.
function physicalAddress(file: ElfBytes, at: number, what: string): number {
  const pa = file.folded(at);
  if (pa === undefined || pa < 0) {
    throw new ElfError(
      'malformed',
      `${file.name}: expected a physical address for ${what}, found a kernel virtual one; set it with AT() in the linker script.`,
    );
  }
  return pa;
}

function address(file: ElfBytes, at: number, what: string): number {
  const va = file.folded(at);
  if (va === undefined || va < -TWO_47 || va >= TWO_47)
    throw file.malformed(`a canonical address for ${what}`, 'one outside both halves of the address space');
  return va;
}

function readSectionHeaders(file: ElfBytes): SectionHeader[] {
  const { offset, count } = tableAt(file, 40, 58, SHDR_SIZE, 'section headers');
  return Array.from({ length: count }, (_, i) => readSectionHeader(file, offset + i * SHDR_SIZE, i));
}

function readSectionHeader(file: ElfBytes, at: number, index: number): SectionHeader {
  const what = `section ${index}`;
  return {
    name: '',
    nameOffset: file.u32(at),
    type: file.u32(at + 4),
    flags: file.u32(at + 8),
    addr: address(file, at + 16, `the address of ${what}`),
    offset: file.u64(at + 24, `the offset of ${what}`),
    size: file.u64(at + 32, `the size of ${what}`),
    link: file.u32(at + 40),
  };
}

/** The sections with their names, in the order of the file; section 0, which is always empty, is left out. */
function nameSections(file: ElfBytes, headers: readonly SectionHeader[]): ElfSection[] {
  if (headers.length === 0) return [];
  const names = contents(file, headers, file.u16(62), 'the section names');
  return headers
    .slice(1)
    .map(({ nameOffset, addr, size, flags }) => ({ name: file.text(names, nameOffset), addr, size, flags }));
}

function contents(file: ElfBytes, headers: readonly SectionHeader[], index: number, what: string): Uint8Array {
  const header = headers[index];
  if (header === undefined || header.type === SHT_NOBITS) {
    throw file.malformed(
      `${what} in one of ${headers.length} sections`,
      `section ${index}, which has no bytes in the file`,
    );
  }
  return file.range(header.offset, header.size, what);
}

/** Elf64_Chdr, 24 bytes: 0 type, 8 size as unpacked, 16 alignment. */
function unpacked(file: ElfBytes, headers: readonly SectionHeader[], index: number): Uint8Array {
  const what = `section ${index}`;
  const bytes = contents(file, headers, index, what);
  const { flags, offset } = headers[index];
  if ((flags & SHF_COMPRESSED) === 0) return bytes;
  file.range(offset, CHDR_SIZE, `the compression header of ${what}`);
  if (file.u32(offset) !== ELFCOMPRESS_ZLIB)
    throw file.malformed(`${what} packed by zlib (type 1)`, `type ${file.u32(offset)}`);
  const size = file.u64(offset + 8, `the unpacked size of ${what}`);
  try {
    return inflateSync(bytes.subarray(CHDR_SIZE), { maxOutputLength: Math.min(size + 1, MAX_UNPACKED_SECTION) });
  } catch (error) {
    throw file.malformed(`${what} to unpack to ${size} bytes`, (error as Error).message);
  }
}

function symbolsOf(file: ElfBytes, headers: readonly SectionHeader[]): ElfSymbol[] {
  const table = headers.find((header) => header.type === SHT_SYMTAB);
  // A stripped image is well formed; that its manifest is missing is for the manifest's reader to say.
  if (table === undefined) return [];
  file.range(table.offset, table.size, 'the symbol table');
  const names = contents(file, headers, table.link, 'the symbol names');
  return readSymbols(file, table.offset, Math.floor(table.size / SYMBOL_SIZE), names);
}

function assemble(
  name: string,
  entry: number,
  segments: readonly ElfSegment[],
  sections: readonly ElfSection[],
  table: readonly ElfSymbol[],
): Omit<ElfImage, 'sectionBytes'> {
  const symbols = valuesByName(table);
  const labels = labelsBySection(table);
  return {
    name,
    entry,
    segments,
    sections,
    symbols,
    symbol: (wanted) => symbols.get(wanted),
    symbolAt: (va) => {
      const index = sections.findIndex((s) => (s.flags & SHF_ALLOC) !== 0 && s.addr <= va && va - s.addr < s.size);
      const label = nearestLabel(labels.get(index + 1) ?? [], va);
      return label && { name: label.name, offset: va - label.value };
    },
  };
}
