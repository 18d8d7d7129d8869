/**
 * The clock of a PC at ports 70h and 71h (MC146818) that stands still: the wall clock is the same in every run, and a
 * kernel that reads it does not wait for one that never answers.
 */
const INDEX_PORT = 0x70,
  DATA_PORT = 0x71;

/**
 * Registers, binary-coded decimal, 24 hours: Saturday, 1 January 2000, midnight; no update is in progress, power is
 * good.
 */
const REGISTERS = new Map<number, number>([
  [0, 0x00], // seconds
  [2, 0x00], // minutes
  [4, 0x00], // hours
  [6, 0x07], // day of the week
  [7, 0x01], // day
  [8, 0x01], // month
  [9, 0x00], // year
  [0xa, 0x26],
  [0xb, 0x02],
  [0xd, 0x80],
]);

export class RealTimeClock {
  private readonly words: Int32Array;
  private readonly index: number;

  /** The index is a word of the platform. */
  constructor(words: Int32Array, index: number) {
    this.words = words;
    this.index = index;
  }

  owns(port: number): boolean {
    return port === INDEX_PORT || port === DATA_PORT;
  }

  read(port: number): number {
    return port === DATA_PORT ? (REGISTERS.get(this.words[this.index]) ?? 0) : 0xff;
  }

  write(port: number, value: number): void {
    if (port === INDEX_PORT) this.words[this.index] = value & 0x7f;
  }
}
