import { KernelImageError } from './kernel-image-error';

/**
 * Bytes of an image, little-endian, every read bounds-checked: a read past the end is a KernelImageError that names the
 * field, never a RangeError and never a zero.
 */
export class ImageBytes {
  /** How messages call these bytes. */
  readonly name: string;
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, name: string) {
    this.name = name;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The bytes [offset, offset + size), shared with the file. */
  range(offset: number, size: number, what: string): Uint8Array {
    this.check(offset, size, what);
    return this.bytes.subarray(offset, offset + size);
  }

  private check(offset: number, size: number, what: string): void {
    if (offset < 0 || offset + size > this.bytes.length) {
      throw new KernelImageError(
        'truncated',
        `${this.name}: expected ${what} at bytes ${offset} to ${offset + size}, found the end at ${this.bytes.length}; ` +
          'the file is cut off, so copy it again.',
      );
    }
  }

  u8(offset: number, what: string): number {
    this.check(offset, 1, what);
    return this.bytes[offset];
  }

  u16(offset: number, what: string): number {
    this.check(offset, 2, what);
    return this.view.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.check(offset, 4, what);
    return this.view.getUint32(offset, true);
  }

  i32(offset: number, what: string): number {
    this.check(offset, 4, what);
    return this.view.getInt32(offset, true);
  }

  /** A physical address or a size; what a double cannot hold is none. */
  u64(offset: number, what: string): number {
    const value = this.u32(offset + 4, what) * 2 ** 32 + this.u32(offset, what);
    if (!Number.isSafeInteger(value)) throw this.damaged(`${what} below 2^53`, `0x${value.toString(16)}`);
    return value;
  }

  /** A canonical virtual address as a sign-folded number, or undefined. */
  address(offset: number, what: string): number | undefined {
    const value = this.i32(offset + 4, what) * 2 ** 32 + this.u32(offset, what);
    return value >= -(2 ** 47) && value < 2 ** 47 ? value : undefined;
  }

  damaged(expected: string, found: string): KernelImageError {
    return new KernelImageError(
      'damaged',
      `${this.name}: expected ${expected}, found ${found}; the file is damaged, so copy or build it again.`,
    );
  }
}
