/**
 * RAM as one Int32Array, and the only two functions that change it: `write32` for whole words and `writeBytes` above
 * it. Each write updates the undo log, the state hash and the decoded-code cache, so nothing else has to remember to.
 * Addresses here are physical byte addresses below `size`; whether a page is RAM at all is the MMU's question.
 */
import { mix, remix } from '../hash';
import { UndoLog } from './undo-log';

/** The page holds decoded instructions: a store may have to drop some. */
export const PAGE_CODE = 1;
/** Somebody wants to hear of stores to this page. */
export const PAGE_WATCHED = 2;

/** Told of every changed word on a page that is marked PAGE_CODE. */
export interface CodeInvalidator {
  codeWritten(pa: number): void;
}

export class PhysicalMemory {
  readonly size: number;
  readonly words: Int32Array;
  readonly pageFlags: Uint8Array;
  readonly undo = new UndoLog();
  hashLo = 0;
  hashHi = 0;
  private code: CodeInvalidator | undefined;

  constructor(size: number) {
    if (!(size >= 4096 && size <= 0x40000000) || size % 4096 !== 0) {
      throw new RangeError(`RAM size must be a multiple of 4096 between 4 KiB and 1 GiB, got ${size}`);
    }
    this.size = size;
    this.words = new Int32Array(size >>> 2);
    this.pageFlags = new Uint8Array(size >>> 12);
  }

  setInvalidator(code: CodeInvalidator): void {
    this.code = code;
  }

  watch(ppn: number, on: boolean): void {
    if (on) this.pageFlags[ppn] |= PAGE_WATCHED;
    else this.pageFlags[ppn] &= ~PAGE_WATCHED;
  }

  /** `index` is a word index. */
  write32(index: number, value: number): void {
    const old = this.words[index];
    if (old === value) return;
    if (this.undo.active) this.undo.push(index, old);
    const added = mix(index, value);
    const removed = mix(index, old);
    this.hashLo = (this.hashLo + added - removed) | 0;
    this.hashHi = (this.hashHi + remix(added) - remix(removed)) | 0;
    this.words[index] = value;
    if ((this.pageFlags[index >>> 10] & PAGE_CODE) !== 0) this.code?.codeWritten(index << 2);
  }

  /** Restores a word without logging or hashing: the mark holds the hash. */
  restore32(index: number, value: number): void {
    this.words[index] = value;
    if ((this.pageFlags[index >>> 10] & PAGE_CODE) !== 0) this.code?.codeWritten(index << 2);
  }

  read8(pa: number): number {
    return (this.words[pa >>> 2] >>> ((pa & 3) << 3)) & 0xff;
  }

  read16(pa: number): number {
    return this.read8(pa) | (this.read8(pa + 1) << 8);
  }

  /** Unaligned allowed; the caller has made sure that the bytes exist. */
  read32(pa: number): number {
    const shift = (pa & 3) << 3;
    const index = pa >>> 2;
    if (shift === 0) return this.words[index];
    return (this.words[index] >>> shift) | (this.words[index + 1] << (32 - shift));
  }

  write8(pa: number, value: number): void {
    const shift = (pa & 3) << 3;
    const index = pa >>> 2;
    this.write32(index, (this.words[index] & ~(0xff << shift)) | ((value & 0xff) << shift));
  }

  write16(pa: number, value: number): void {
    if ((pa & 3) === 3) {
      this.write8(pa, value);
      this.write8(pa + 1, value >>> 8);
      return;
    }
    const shift = (pa & 3) << 3;
    const index = pa >>> 2;
    this.write32(index, (this.words[index] & ~(0xffff << shift)) | ((value & 0xffff) << shift));
  }

  write32At(pa: number, value: number): void {
    const shift = (pa & 3) << 3;
    const index = pa >>> 2;
    if (shift === 0) {
      this.write32(index, value);
      return;
    }
    const low = -1 << shift;
    this.write32(index, (this.words[index] & ~low) | (value << shift));
    this.write32(index + 1, (this.words[index + 1] & low) | (value >>> (32 - shift)));
  }

  writeBytes(pa: number, bytes: Uint8Array): void {
    if (pa < 0 || pa + bytes.length > this.size) {
      throw new RangeError(
        `${bytes.length} bytes at physical 0x${pa.toString(16)} do not fit RAM of ${this.size} bytes`,
      );
    }
    let i = 0;
    // Word by word where that is possible: a kernel has tens of megabytes.
    if ((pa & 3) === 0)
      for (; i + 4 <= bytes.length; i += 4)
        this.write32((pa + i) >>> 2, bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
    for (; i < bytes.length; i++) this.write8(pa + i, bytes[i]);
  }

  /**
   * All of RAM at once, of a machine that was just made: `pages` one after the other at the pages whose bits are set in
   * `present`, zeros elsewhere, and the hash of that. Not logged: no mark may be held, nothing may have been decoded.
   */
  fill(present: Uint8Array, pages: Int32Array, hash: { hashLo: number; hashHi: number }): void {
    if (this.undo.active) throw new Error('RAM cannot be filled while a mark is held');
    if (this.hashLo !== 0 || this.hashHi !== 0) throw new Error('RAM can only be filled before anybody writes to it');
    let from = 0;
    for (let page = 0; page < this.size >>> 12; page++) {
      if (((present[page >>> 3] >>> (page & 7)) & 1) === 0) continue;
      this.words.set(pages.subarray(from, from + 1024), page << 10);
      from += 1024;
    }
    this.hashLo = hash.hashLo;
    this.hashHi = hash.hashHi;
  }

  readBytes(pa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.read8(pa + i);
    return bytes;
  }
}
