/**
 * Promise: the line of an address is that of the line number program, of DWARF 2 to 5, for assembly and for C; what is
 * damaged is an ElfError. The bytes here are written by hand from the standard.
 */
import { ElfError } from './elf-error';
import { LineTable } from './line-table';

const text = (words: string) => [...Buffer.from(words, 'latin1'), 0];
const u32 = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)];
const u64 = (value: bigint) => [...new Uint8Array(BigInt64Array.of(value).buffer)];

/** Opcode base 13, line base -5, line range 14, shortest instruction 1: what GNU as and gcc write. */
const OPERANDS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
const special = (advance: number, lines: number) => 13 + advance * 14 + (lines + 5);

function unit(version: number, files: number[], program: number[]): number[] {
  const rest = [1, ...(version >= 4 ? [1] : []), 1, 0xfb, 14, 13, ...OPERANDS, ...files];
  const inner = [version, 0, ...(version === 5 ? [8, 0] : []), ...u32(rest.length), ...rest, ...program];
  return [...u32(inner.length), ...inner];
}

const OLDER_FILES = [...text('arch/x86/entry'), 0, ...text('entry_64.S'), 1, 0, 0, ...text('calling.h'), 1, 0, 0, 0];
const FOLDERS = [1, 1, 0x1f, 2, ...u32(0), ...u32(7)];
/** Paths as indices into .debug_line_str, folders as LEB128, and an MD5 that nobody reads. */
const FILES = [3, 1, 0x1f, 2, 0x0b, 5, 0x1e, 1, ...u32(16), 1, ...new Array<number>(16).fill(7)];
const STRINGS = [...text('/build'), ...text('/build/x'), ...text('entry.c')];

const setAddress = (va: bigint) => [0, 9, 2, ...u64(va)];
const END = [0, 1, 1];
const VA = -0x7e400000;

const table = (lines: number[], strings: number[] = []) =>
  new LineTable((name) => {
    if (name === '.debug_line') return Uint8Array.from(lines);
    return name === '.debug_line_str' ? Uint8Array.from(strings) : undefined;
  });

const where = (lines: LineTable, offset: number) => {
  const found = lines.at(VA + offset);
  return found && `${found.file}:${found.line}`;
};

/** Line 87 at +0, 89 at +3, calling.h:200 at +9, and back to line 93 at +0x11; the end is at +0x20. */
const PROGRAM = [
  ...[...setAddress(BigInt(VA)), 3, 0xd6, 0, 1],
  ...[special(3, 2), 4, 2, 3, 0xef, 0, special(6, 0)],
  ...[4, 1, 3, 0x95, 0x7f, 2, 8, 1],
  ...[9, 15, 0, ...END],
];

test.each([2, 3, 4])('version %d: folders and files by number, addresses between rows', (version) => {
  const lines = table(unit(version, OLDER_FILES, PROGRAM));
  expect([0, 2, 3, 8, 9, 0x10, 0x11, 0x1f].map((offset) => where(lines, offset))).toEqual([
    ...new Array<string>(2).fill('arch/x86/entry/entry_64.S:87'),
    ...new Array<string>(2).fill('arch/x86/entry/entry_64.S:89'),
    ...new Array<string>(2).fill('arch/x86/entry/calling.h:200'),
    ...new Array<string>(2).fill('arch/x86/entry/entry_64.S:93'),
  ]);
  expect([where(lines, -1), where(lines, 0x20)]).toEqual([undefined, undefined]);
});

test('version 5: names in .debug_line_str, without the folder of the build', () => {
  const program = [...setAddress(BigInt(VA)), 4, 0, special(0, 4), 2, 16, ...END];
  const lines = table(unit(5, [...FOLDERS, ...FILES], program), STRINGS);
  expect(where(lines, 0)).toBe('x/entry.c:5');
});

test('several units and sequences, in whatever order; a version that does not exist yet is passed over', () => {
  const first = [...setAddress(BigInt(VA + 0x100)), special(0, 8), 2, 16, ...END];
  const second = [...setAddress(BigInt(VA)), special(0, 1), 2, 16, ...END];
  const other = unit(9, OLDER_FILES, PROGRAM);
  const lines = table([...unit(4, OLDER_FILES, [...first, ...second]), ...other, ...unit(3, OLDER_FILES, [])]);
  expect([0x100, 0, 0x20].map((offset) => where(lines, offset))).toEqual([
    'arch/x86/entry/entry_64.S:9',
    'arch/x86/entry/entry_64.S:2',
    undefined,
  ]);
});

test('a file without lines has none', () => {
  expect(new LineTable(() => undefined).at(VA)).toBeUndefined();
});

test('whatever is cut off or overwritten is an ElfError or a table', () => {
  const whole = unit(5, [...FOLDERS, ...FILES], PROGRAM);
  for (let cut = 1; cut < whole.length; cut++) expect(() => table(whole.slice(0, cut), STRINGS)).toThrow(ElfError);
  for (let at = 0; at < whole.length; at++)
    for (const byte of [0, 0x7f, 0xff]) {
      const damaged = whole.slice();
      damaged[at] = byte;
      try {
        table(damaged, STRINGS);
      } catch (error) {
        expect(error).toBeInstanceOf(ElfError);
      }
    }
});
