import * as fc from 'fast-check';
import { ElfError, type ElfErrorKind, type ElfImage, readElf } from './elf-image';

const KERNEL = 0xffffffff81000000n;
const SHN_ABS = 0xfff1;

interface SymbolSpec {
  name: string;
  value: bigint;
  section: number;
  type?: number;
  global?: boolean;
}

interface ImageSpec {
  type?: number;
  symbols?: SymbolSpec[];
  segments?: number;
}

const FUNC = 2;
const OBJECT = 1;
const CODE = Uint8Array.of(0x0f, 0x01, 0xf8, 0x90, 0xf4, 0xcc, 0xcc, 0xcc);

/** Sections: 1 .entry.text, 2 .text (next to it), 3 .bss (no bytes), 4 .symtab, 5 .strtab (all names). */
function buildElf(spec: ImageSpec = {}): Uint8Array {
  const names = stringTable([
    '.entry.text',
    '.text',
    '.bss',
    '.symtab',
    '.strtab',
    ...(spec.symbols ?? []).map((s) => s.name),
  ]);
  const segments = spec.segments ?? 2;
  const code = 64 + segments * 56;
  const symtab = code + CODE.length;
  const symbols = spec.symbols ?? [];
  const strtab = symtab + (symbols.length + 1) * 24;
  const shdrs = strtab + names.bytes.length;
  const file = Buffer.alloc(shdrs + 6 * 64);
  header(file, spec.type ?? 2, segments, shdrs);
  if (segments > 0)
    programHeader(file, 64, { type: 1, flags: 5, offset: code, vaddr: KERNEL, paddr: 0x1000n, filesz: 8, memsz: 0x20 });
  if (segments > 1)
    programHeader(file, 120, { type: 0x6474e551, flags: 6, offset: 0, vaddr: 0n, paddr: 0n, filesz: 0, memsz: 0 });
  file.set(CODE, code);
  for (const [i, s] of symbols.entries()) symbol(file, symtab + (i + 1) * 24, names.at(s.name), s);
  file.set(names.bytes, strtab);
  const rows: [string, number, number, bigint, number, number, number][] = [
    ['.entry.text', 1, 6, KERNEL, code, 4, 0],
    ['.text', 1, 6, KERNEL + 4n, code + 4, 4, 0],
    ['.bss', 8, 3, KERNEL + 8n, 0x7fffffff, 0x18, 0],
    ['.symtab', 2, 0, 0n, symtab, (symbols.length + 1) * 24, 5],
    ['.strtab', 3, 0, 0n, strtab, names.bytes.length, 0],
  ];
  for (const [i, [name, type, flags, addr, offset, size, link]] of rows.entries()) {
    const at = shdrs + (i + 1) * 64;
    file.writeUInt32LE(names.at(name), at);
    file.writeUInt32LE(type, at + 4);
    file.writeUInt32LE(flags, at + 8);
    file.writeBigUInt64LE(addr, at + 16);
    file.writeUInt32LE(offset, at + 24);
    file.writeUInt32LE(size, at + 32);
    file.writeUInt32LE(link, at + 40);
  }
  return file;
}

function stringTable(names: string[]): { bytes: Buffer; at: (name: string) => number } {
  const bytes = Buffer.from(`\0${names.map((n) => `${n}\0`).join('')}`, 'latin1');
  return { bytes, at: (name) => bytes.indexOf(`\0${name}\0`, 0, 'latin1') + 1 };
}

function header(file: Buffer, type: number, segments: number, shdrs: number): void {
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(type, 16);
  file.writeUInt16LE(62, 18);
  file.writeBigUInt64LE(KERNEL + 2n, 24);
  file.writeUInt32LE(64, 32);
  file.writeUInt32LE(shdrs, 40);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(segments, 56);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(6, 60);
  file.writeUInt16LE(5, 62);
}

interface Phdr {
  type: number;
  flags: number;
  offset: number;
  vaddr: bigint;
  paddr: bigint;
  filesz: number;
  memsz: number;
}

function programHeader(file: Buffer, at: number, p: Phdr): void {
  file.writeUInt32LE(p.type, at);
  file.writeUInt32LE(p.flags, at + 4);
  file.writeUInt32LE(p.offset, at + 8);
  file.writeBigUInt64LE(p.vaddr, at + 16);
  file.writeBigUInt64LE(p.paddr, at + 24);
  file.writeUInt32LE(p.filesz, at + 32);
  file.writeUInt32LE(p.memsz, at + 40);
}

function symbol(file: Buffer, at: number, name: number, s: SymbolSpec): void {
  file.writeUInt32LE(name, at);
  file[at + 4] = ((s.global === false ? 0 : 1) << 4) | (s.type ?? 0);
  file.writeUInt16LE(s.section, at + 6);
  file.writeBigUInt64LE(s.value, at + 8);
}

function errorOf(bytes: Uint8Array): ElfError {
  try {
    readElf(bytes, 'image.elf');
  } catch (error) {
    if (error instanceof ElfError) return error;
    throw error;
  }
  throw new Error('expected an ElfError, found an image');
}

function patched(offset: number, ...bytes: number[]): Uint8Array {
  const file = Buffer.from(buildElf());
  file.set(bytes, offset);
  return file;
}

describe('a well-formed image', () => {
  const symbols: SymbolSpec[] = [
    { name: 'manifest.version', value: 1n, section: SHN_ABS },
    { name: 'manifest.mark', value: KERNEL + 3n, section: 1 },
    { name: 'entry_label', value: KERNEL, section: 1, global: false },
    { name: 'entry_function', value: KERNEL, section: 1, type: FUNC },
    { name: 'absolute_in_text', value: KERNEL + 2n, section: SHN_ABS },
    { name: 'table', value: KERNEL + 2n, section: 1, type: OBJECT },
    { name: 'body', value: KERNEL + 5n, section: 2 },
    { name: 'area', value: 0xfffffe0000001000n, section: SHN_ABS },
    { name: 'user', value: 0x7fffffffe000n, section: SHN_ABS },
    { name: 'mask', value: 0x8000000000000001n, section: SHN_ABS },
    { name: 'elsewhere', value: 0n, section: 0 },
    { name: 'twice', value: 7n, section: SHN_ABS, global: false },
    { name: 'twice', value: 8n, section: SHN_ABS },
  ];
  const image: ElfImage = readElf(buildElf({ symbols }), 'image.elf');

  test('gives the entry as a sign-folded address', () => expect(image.entry).toBe(-0x7f000000 + 2));

  test('gives PT_LOAD segments only, with their bytes', () => {
    expect(image.segments).toEqual([
      { vaddr: -0x7f000000, paddr: 0x1000, filesz: 8, memsz: 0x20, flags: 5, data: expect.anything() },
    ]);
    expect(Array.from(image.segments[0]?.data ?? [])).toEqual(Array.from(CODE));
  });

  test('gives named sections, and those without bytes may point anywhere', () => {
    expect(image.sections.map((s) => s.name)).toEqual(['.entry.text', '.text', '.bss', '.symtab', '.strtab']);
    expect(image.sections[2]).toEqual({ name: '.bss', addr: -0x7f000000 + 8, size: 0x18, flags: 3 });
  });

  test.each([
    ['manifest.version', 1],
    ['entry_function', -0x7f000000],
    ['area', -0x1fffffff000],
    ['user', 0x7fffffffe000],
    ['twice', 8],
    ['mask', undefined],
    ['elsewhere', undefined],
    ['absent', undefined],
  ])('symbol %s is %p', (name, value) => expect(image.symbol(name)).toBe(value));

  test('a place is known by the nearest label of its own section', () => {
    expect(image.symbolAt(-0x7f000000)).toEqual({ name: 'entry_function', offset: 0 });
    expect(image.symbolAt(-0x7f000000 + 3)).toEqual({ name: 'entry_function', offset: 3 });
    expect(image.symbolAt(-0x7f000000 + 4)).toBeUndefined();
    expect(image.symbolAt(-0x7f000000 + 7)).toEqual({ name: 'body', offset: 2 });
    expect(image.symbolAt(0x1000)).toBeUndefined();
  });

  test('ET_DYN is read as it was linked', () => expect(readElf(buildElf({ type: 3 }), 'x').segments).toHaveLength(1));

  test('a stripped image has no symbols', () => {
    const file = Buffer.from(buildElf());
    file.fill(0, 40, 48);
    file.fill(0, 60, 64);
    expect(readElf(file, 'x').symbols.size).toBe(0);
  });
});

describe('a bad image', () => {
  test.each<[string, Uint8Array, ElfErrorKind, RegExp]>([
    ['empty', new Uint8Array(0), 'not-elf', /an empty file/],
    ['text', Buffer.from('#!/bin/sh\n'), 'not-elf', /7f 45 4c 46/],
    ['only the magic number', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), 'truncated', /identification/],
    ['32-bit', patched(4, 1), 'wrong-class', /64-bit/],
    ['big-endian', patched(5, 2), 'wrong-machine', /little-endian/],
    ['AArch64', patched(18, 183), 'wrong-machine', /AArch64/],
    ['an unknown machine', patched(18, 0xff, 0xfe), 'wrong-machine', /machine 65279/],
    ['an object file', buildElf({ type: 1 }), 'unsupported-type', /ET_REL.*ld -static/],
    ['a core dump', buildElf({ type: 4 }), 'unsupported-type', /ET_CORE/],
    ['nothing to load', buildElf({ segments: 0 }), 'no-segments', /PT_LOAD/],
    ['a segment outside the file', patched(64 + 8, 0xff, 0xff, 0xff), 'truncated', /contents of segment 0/],
    ['a segment larger than its memory', patched(64 + 40, 4), 'malformed', /memory size/],
    ['program headers of another size', patched(54, 32), 'malformed', /56 bytes/],
    ['an entry outside both halves', patched(30, 0, 0x7f), 'malformed', /entry point/],
    [
      'a segment that would be loaded at its virtual address',
      patched(64 + 24 + 4, 0xff, 0xff, 0xff, 0xff),
      'malformed',
      /AT\(\)/,
    ],
    ['names in no section', patched(62, 200), 'malformed', /section names/],
  ])('%s', (_, bytes, kind, message) => {
    const error = errorOf(bytes);
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^image\.elf: expected [^\n]*\.$/);
  });

  test('cut off anywhere, it is an ElfError', () => {
    const whole = buildElf({ symbols: [{ name: 'a', value: KERNEL, section: 1 }] });
    for (let length = 0; length < whole.length; length++) {
      expect(['truncated', 'not-elf']).toContain(errorOf(whole.subarray(0, length)).kind);
    }
  });

  test('whatever bytes are changed, it is an image or an ElfError', () => {
    const whole = buildElf({
      symbols: [
        { name: 'a', value: KERNEL, section: 1 },
        { name: 'b', value: 3n, section: SHN_ABS },
      ],
    });
    const edit = fc.tuple(
      fc.nat(whole.length - 1),
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 12 }), fc.integer(), (edits, va) => {
        const file = Buffer.from(whole);
        for (const [offset, value] of edits) file[offset] = value;
        try {
          readElf(file, 'x').symbolAt(va);
        } catch (error) {
          expect(error).toBeInstanceOf(ElfError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
