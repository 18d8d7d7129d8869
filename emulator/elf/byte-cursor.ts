/** Reads a table field by field, little-endian, every read bounds-checked: beyond the end is an ElfError. */
import { ElfError } from './elf-error';

const TWO_32 = 0x1_0000_0000;

export class ByteCursor {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** How messages call these bytes. */
  private readonly what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Moves on by `size` bytes, and says where they began. */
  skip(size: number): number {
    const from = this.at;
    if (!(size >= 0 && from + size <= this.bytes.length))
      throw new ElfError(
        'malformed',
        `expected ${size} bytes at ${from} of ${this.what}, found its end at ${this.bytes.length}; the file is damaged, so link it again.`,
      );
    this.at = from + size;
    return from;
  }

  u8(): number {
    return this.view.getUint8(this.skip(1));
  }

  s8(): number {
    return this.view.getInt8(this.skip(1));
  }

  u16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  u64(): number {
    const low = this.u32();
    return this.u32() * TWO_32 + low;
  }

  /** An address, sign-folded: the kernel half is negative. Not exact where it is not canonical. */
  address(): number {
    const low = this.u32();
    return this.view.getInt32(this.skip(4), true) * TWO_32 + low;
  }

  /** An unsigned LEB128 number (DWARF 5, 7.6); exact up to 2^53. */
  uleb(): number {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * weight;
      if ((byte & 0x80) === 0) return value;
    }
  }

  /** A signed LEB128 number. */
  sleb(): number {
    let value = 0;
    for (let weight = 1; ; ) {
      const byte = this.u8();
      value += (byte & 0x7f) * weight;
      weight *= 128;
      if ((byte & 0x80) === 0) return (byte & 0x40) === 0 ? value : value - weight;
    }
  }

  /** Bytes up to a zero, which is left behind. */
  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    const from = this.skip((end < 0 ? this.bytes.length : end) + 1 - this.at);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, this.at - 1 - from).toString('latin1');
  }
}
