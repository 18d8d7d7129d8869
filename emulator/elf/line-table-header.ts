/** The table of file names in the header of a line number program (DWARF 5, 6.2.4; DWARF 4, 6.2.4). */
import { ByteCursor } from './byte-cursor';
import { ElfError } from './elf-error';

type Sections = (name: string) => Uint8Array | undefined;

/** What an entry says (DWARF 5, 6.2.4.1). */
const PATH = 1,
  DIRECTORY = 2;

/** A file or a folder, as the header has it. */
interface Entry {
  readonly path: string;
  readonly directory: number;
}

/**
 * The names of the files by their numbers, with their folders unless that is the one of the build. `wide`: offsets
 * have 8 bytes.
 */
export function readFileTable(cursor: ByteCursor, version: number, wide: boolean, sections: Sections): string[] {
  if (version < 5) return olderTable(cursor);
  const directories = entries(cursor, wide, sections).map(({ path }) => path);
  const build = directories[0] ?? '';
  return entries(cursor, wide, sections).map(({ path, directory }) => joined(build, directories[directory], path));
}

/** Folder 0 is that of the build, which these versions do not name here; files count from 1. */
function olderTable(cursor: ByteCursor): string[] {
  const directories = [''];
  for (let path = cursor.text(); path !== ''; path = cursor.text()) directories.push(path);
  const files = [''];
  for (let path = cursor.text(); path !== ''; path = cursor.text()) {
    files.push(joined('', directories[cursor.uleb()], path));
    cursor.uleb();
    cursor.uleb();
  }
  return files;
}

function joined(build: string, directory: string | undefined, path: string): string {
  const whole = directory === undefined || directory === '' || path.startsWith('/') ? path : `${directory}/${path}`;
  return build !== '' && whole.startsWith(`${build}/`) ? whole.slice(build.length + 1) : whole;
}

/** Entries that describe themselves: pairs of a content and a form, and then that many values each. */
function entries(cursor: ByteCursor, wide: boolean, sections: Sections): Entry[] {
  const formats = Array.from({ length: cursor.u8() }, () => [cursor.uleb(), cursor.uleb()] as const);
  const list: Entry[] = [];
  const count = cursor.uleb();
  for (let i = 0; i < count && formats.length > 0; i++) {
    let path = '';
    let directory = 0;
    for (const [content, form] of formats) {
      const value = readValue(cursor, form, wide, sections);
      if (content === PATH) path = String(value);
      if (content === DIRECTORY) directory = Number(value);
    }
    list.push({ path, directory });
  }
  return list;
}

/** A value by its form (DWARF 5, 7.5.6); of what no reader of lines needs nothing but its length is of interest. */
function readValue(cursor: ByteCursor, form: number, wide: boolean, sections: Sections): string | number {
  switch (form) {
    case 0x08:
      return cursor.text();
    case 0x0e:
      return textAt(sections, '.debug_str', wide ? cursor.u64() : cursor.u32());
    case 0x1f:
      return textAt(sections, '.debug_line_str', wide ? cursor.u64() : cursor.u32());
    case 0x0b:
      return cursor.u8();
    case 0x05:
      return cursor.u16();
    case 0x06:
      return cursor.u32();
    case 0x07:
      return cursor.u64();
    case 0x0f:
      return cursor.uleb();
    case 0x1e:
      return cursor.skip(16);
    case 0x09:
      return cursor.skip(cursor.uleb());
    default:
      throw new ElfError(
        'malformed',
        `expected a form of a file name in .debug_line that DWARF 5 has, found 0x${form.toString(16)}; link the file again.`,
      );
  }
}

function textAt(sections: Sections, name: string, offset: number): string {
  const cursor = new ByteCursor(sections(name) ?? new Uint8Array(0), name);
  cursor.skip(offset);
  return cursor.text();
}
