/**
 * Which line of which source file an address is from: the line number programs of `.debug_line`, DWARF 2 to 5
 * (DWARF 5, 6.2). A file without them has no lines. File names are as the compiler was given them, without the folder
 * of the build.
 */
import { ByteCursor } from './byte-cursor';
import { ElfError } from './elf-error';
import { readFileTable } from './line-table-header';

interface SourceLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Sections by name; undefined where the file has none of that name. */
type Sections = (name: string) => Uint8Array | undefined;

/** Addresses in a row, ascending; what is beyond `end` is not from these lines. */
interface Sequence {
  readonly files: readonly string[];
  readonly addresses: Float64Array;
  /** Numbers of files and lines, in pairs. */
  readonly places: Int32Array;
  readonly end: number;
}

const DWARF_64 = 0xffffffff;
const LEAST_VERSION = 2,
  MOST_VERSION = 5;
/** Standard and extended opcodes (DWARF 5, 6.2.5.2 and 6.2.5.3). */
const COPY = 1,
  ADVANCE_PC = 2,
  ADVANCE_LINE = 3,
  SET_FILE = 4,
  CONST_ADD_PC = 8,
  FIXED_ADVANCE_PC = 9;
const END_SEQUENCE = 1,
  SET_ADDRESS = 2;

export class LineTable {
  /** In the order of their first addresses. */
  private readonly sequences: readonly Sequence[];

  /**
   * Reads all programs.
   * @throws ElfError if they are damaged
   */
  constructor(sections: Sections) {
    const lines = sections('.debug_line');
    const sequences: Sequence[] = [];
    if (lines !== undefined) {
      const cursor = new ByteCursor(lines, '.debug_line');
      while (cursor.at < cursor.length) readUnit(cursor, sections, sequences);
    }
    this.sequences = sequences.sort((a, b) => a.addresses[0] - b.addresses[0]);
  }

  /** The line that the instruction at or around an address is from. */
  at(va: number): SourceLine | undefined {
    const sequence = this.sequences[lastAtMost(this.sequences.length, (i) => this.sequences[i].addresses[0], va)];
    if (sequence === undefined || va >= sequence.end) return undefined;
    const row = lastAtMost(sequence.addresses.length, (i) => sequence.addresses[i], va);
    const file = sequence.files[sequence.places[2 * row]];
    const line = sequence.places[2 * row + 1];
    return file === undefined || line < 1 ? undefined : { file, line };
  }
}

/** The last index of an ascending row whose value is at most `value`; -1 if the first one is above it. */
function lastAtMost(count: number, valueAt: (index: number) => number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (valueAt(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** One program: its header, and the rows that it makes. */
function readUnit(cursor: ByteCursor, sections: Sections, sequences: Sequence[]): void {
  const first = cursor.u32();
  const wide = first === DWARF_64;
  const length = wide ? cursor.u64() : first;
  const start = cursor.at;
  cursor.skip(length);
  const end = cursor.at;
  cursor.at = start;
  const version = cursor.u16();
  // A version that does not exist yet is passed over, as the standard has it.
  if (version >= LEAST_VERSION && version <= MOST_VERSION) {
    if (version === 5) cursor.skip(2);
    const programAt = (wide ? cursor.u64() : cursor.u32()) + cursor.at;
    const least = cursor.u8();
    if (version >= 4) cursor.skip(1);
    cursor.skip(1);
    const lineBase = cursor.s8();
    const lineRange = cursor.u8();
    if (lineRange === 0)
      throw new ElfError('malformed', 'expected a line range in .debug_line, found 0; link the file again.');
    const opcodeBase = cursor.u8();
    const operands = Array.from({ length: Math.max(0, opcodeBase - 1) }, () => cursor.u8());
    const files = readFileTable(cursor, version, wide, sections);
    cursor.at = programAt;
    runProgram(cursor, end, { files, least, lineBase, lineRange, opcodeBase, operands }, sequences);
  }
  cursor.at = end;
}

interface Header {
  readonly files: readonly string[];
  /** Bytes of the shortest instruction. */
  readonly least: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** LEB128 operands of each standard opcode, from opcode 1 on. */
  readonly operands: readonly number[];
}

/** The state machine of DWARF 5, 6.2.2, without columns and views: only where an address begins a line. */
function runProgram(cursor: ByteCursor, end: number, header: Header, sequences: Sequence[]): void {
  let address = 0;
  let file = 1;
  let line = 1;
  let addresses: number[] = [];
  let places: number[] = [];
  const advance = (steps: number) => {
    address += steps * header.least;
  };
  const row = () => {
    addresses.push(address);
    places.push(file, line);
  };
  const constant = Math.floor((255 - header.opcodeBase) / header.lineRange);
  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= header.opcodeBase) {
      const special = opcode - header.opcodeBase;
      advance(Math.floor(special / header.lineRange));
      line += header.lineBase + (special % header.lineRange);
      row();
    } else if (opcode === 0) {
      const length = cursor.uleb();
      const next = cursor.at + length;
      const extended = length === 0 ? 0 : cursor.u8();
      if (extended === SET_ADDRESS) address = cursor.address();
      if (extended === END_SEQUENCE) {
        if (addresses.length > 0) {
          const kept = { addresses: Float64Array.from(addresses), places: Int32Array.from(places) };
          sequences.push({ files: header.files, ...kept, end: address });
        }
        [address, file, line, addresses, places] = [0, 1, 1, [], []];
      }
      cursor.at = next;
    } else if (opcode === COPY) row();
    else if (opcode === ADVANCE_PC) advance(cursor.uleb());
    else if (opcode === ADVANCE_LINE) line += cursor.sleb();
    else if (opcode === SET_FILE) file = cursor.uleb();
    else if (opcode === CONST_ADD_PC) advance(constant);
    else if (opcode === FIXED_ADVANCE_PC) address += cursor.u16();
    else for (let i = 0; i < header.operands[opcode - 1]; i++) cursor.uleb();
  }
}
