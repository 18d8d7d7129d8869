import { ElfError } from './elf-error';

const TWO_32 = 0x1_0000_0000;

/** Longest symbol or section name that is read. The bound keeps a hostile string table from costing quadratic time. */
const MAX_NAME = 4096;

/**
 * The bytes of an ELF file, little-endian, every read bounds-checked. A caller checks a whole table once with `range`
 * and may then read its fields; a stray read is still an ElfError and never a RangeError.
 */
export class ElfBytes {
  readonly name: string;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, name: string) {
    this.name = name;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The bytes [offset, offset+size), shared with the file, or the error that says what is cut off. */
  range(offset: number, size: number, what: string): Uint8Array {
    // Both are safe integers, so that the sum is exact or large enough to fail.
    if (offset + size > this.bytes.length) {
      throw new ElfError(
        'truncated',
        `${this.name}: expected ${what} at bytes ${offset} to ${offset + size}, found the end of the file at ${this.bytes.length}; ` +
          'the file is cut off, so copy or link it again.',
      );
    }
    return this.bytes.subarray(offset, offset + size);
  }

  u8(offset: number): number {
    return this.range(offset, 1, 'a header byte')[0];
  }

  u16(offset: number): number {
    this.range(offset, 2, 'a header field');
    return this.view.getUint16(offset, true);
  }

  u32(offset: number): number {
    this.range(offset, 4, 'a header field');
    return this.view.getUint32(offset, true);
  }

  /** A file offset, a size, a count or a physical address: nothing valid is near 2^53. */
  u64(offset: number, what: string): number {
    const value = this.u32(offset + 4) * TWO_32 + this.u32(offset);
    if (!Number.isSafeInteger(value)) {
      throw this.malformed(`a value below 2^53 for ${what}`, `0x${value.toString(16)}`);
    }
    return value;
  }

  /**
   * A virtual address as a sign-folded number: the kernel half is negative. Exact for every canonical address (|va| <=
   * 2^47); undefined for what a double cannot hold, which is no address (a 64-bit mask among the absolute symbols,
   * say).
   */
  folded(offset: number): number | undefined {
    this.range(offset, 8, 'an address');
    const value = this.view.getInt32(offset + 4, true) * TWO_32 + this.view.getUint32(offset, true);
    return Number.isSafeInteger(value) ? value : undefined;
  }

  /** The zero-terminated name at `offset` of the string table `table`. */
  text(table: Uint8Array, offset: number): string {
    if (offset >= table.length && offset !== 0) {
      throw this.malformed('a name inside its string table', `offset ${offset} of ${table.length}`);
    }
    const window = table.subarray(offset, offset + MAX_NAME + 1);
    const end = window.indexOf(0);
    if (end < 0 && window.length > MAX_NAME) throw this.malformed(`names of at most ${MAX_NAME} bytes`, 'a longer one');
    return Buffer.from(end < 0 ? window : window.subarray(0, end)).toString('latin1');
  }

  malformed(expected: string, found: string): ElfError {
    return new ElfError(
      'malformed',
      `${this.name}: expected ${expected}, found ${found}; the file is damaged, so link it again.`,
    );
  }
}
