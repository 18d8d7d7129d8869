/**
 * Finds the tables that a kernel keeps for its own traces (scripts/kallsyms.c of Linux writes them; kernel/kallsyms.c
 * reads them). They have no section of their own and no symbol that could be looked up before they are read, so they
 * are found by their contents, and each by a check against another:
 *
 *      up to 6.3                        since 6.4
 *      offsets       i32 a symbol       num_syms
 *      relative_base u64                names
 *      num_syms      u32                markers
 *      names         packed             token_table
 *      markers       u32 each 256       token_index
 *      [seqs_of_names, in 6.2]          offsets
 *      token_table   256 strings        relative_base
 *      token_index   256 u16            seqs_of_names
 *
 * A name is a length and as many tokens. The table of tokens has its ten digits at their places, and its index says
 * where each begins; each marker says where the 256th name after the last lies.
 */
import type { ImageBytes } from './image-bytes';

const TOKENS = 256;
const ZERO = 0x30;
/** Names between two markers. */
const STEP = 256;
/** The longest name in tokens, with the two bytes of its length. */
const MAX_NAME = 2 + 512;
/** The most symbols that are read: a kernel with everything built in has some 300,000. */
const MAX_SYMBOLS = 1 << 20;
/** Between markers and tokens lies at most a number of three bytes for each name. */
const MAX_GAP = 3 * MAX_SYMBOLS + 16;
/** Places that look like the digits or the markers, and are tried; it is one of the first, or the image is damaged. */
const MAX_TRIALS = 64;
/** Words behind the markers that look like some more of them. */
const MAX_FALSE_MARKERS = 3;

/** Offsets in the segment where the tables are. */
export interface KallsymsTables {
  readonly count: number;
  readonly names: number;
  /** Where each token's text begins, by its number. */
  readonly tokens: readonly Buffer[];
  /** Where `num_syms` is: in the older layout the offsets end before it. */
  readonly countAt: number;
  /** Where `token_index` ends: in the newer layout the offsets begin behind it. */
  readonly end: number;
}

/** The tables in a segment, or undefined if there are none that agree with each other. */
export function findTables(segment: ImageBytes): KallsymsTables | undefined {
  const digits = Buffer.from(Array.from('0123456789', (digit) => `${digit}\0`).join(''), 'latin1');
  const text = Buffer.from(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.byteLength);
  let at = text.indexOf(digits);
  for (let trials = 0; at >= 0 && trials < MAX_TRIALS; trials++) {
    const table = tokenTable(segment, text, at);
    const found = table && findNames(segment, table.start);
    if (table !== undefined && found !== undefined) return { ...found, tokens: table.tokens, end: table.end };
    at = text.indexOf(digits, at + 1);
  }
  return undefined;
}

/** The table of tokens around its digits, if the index behind it agrees. */
function tokenTable(segment: ImageBytes, text: Buffer, digits: number) {
  let start = digits;
  // The byte before a token is the end of the one before, and that of the first one is the end of something else.
  for (let token = 0; token < ZERO; token++) {
    if (start < 2) return undefined;
    start = text.lastIndexOf(0, start - 2) + 1;
  }
  const tokens: Buffer[] = [];
  const starts: number[] = [];
  let at = start;
  for (let token = 0; token < TOKENS; token++) {
    const end = text.indexOf(0, at);
    if (end < 0 || end - at > MAX_NAME) return undefined;
    starts.push(at - start);
    tokens.push(text.subarray(at, end));
    at = end + 1;
  }
  for (const alignment of [8, 4]) {
    const index = alignUp(at, alignment);
    const end = index + 2 * TOKENS;
    if (end > text.length) continue;
    if (starts.every((offset, i) => segment.u16(index + 2 * i, 'a token') === offset)) return { start, tokens, end };
  }
  return undefined;
}

/** The names in front of the table of tokens: found by their markers, and checked against each of them. */
function findNames(segment: ImageBytes, tokens: number) {
  let trials = 0;
  for (let at = alignDown(tokens - 4, 4); at >= Math.max(8, tokens - MAX_GAP) && trials < MAX_TRIALS; at -= 4) {
    if (segment.u32(at, 'a marker') !== 0) continue;
    trials++;
    const found = namesBefore(segment, at, tokens);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Do the markers begin at `markers`? Then num_syms lies as far in front of them as the last marker says, or more. */
function namesBefore(segment: ImageBytes, markers: number, limit: number) {
  let last = markers;
  while (last + 8 <= limit && isStep(segment.u32(last + 4, 'a marker') - segment.u32(last, 'a marker'))) last += 4;
  for (let wrong = 0; wrong <= MAX_FALSE_MARKERS && last >= markers; wrong++, last -= 4) {
    const most = ((last - markers) / 4 + 1) * STEP;
    const nearest = markers - segment.u32(last, 'a marker') - 4;
    for (let at = alignDown(nearest, 4); at >= Math.max(0, nearest - STEP * MAX_NAME); at -= 4) {
      const count = segment.u32(at, 'num_syms');
      if (count > most || count <= most - STEP || count > MAX_SYMBOLS) continue;
      for (const names of [at + 8, at + 4]) {
        if (agrees(segment, names, count, markers)) return { count, names, countAt: at };
      }
    }
  }
  return undefined;
}

function isStep(bytes: number): boolean {
  return bytes >= 2 * STEP && bytes <= STEP * MAX_NAME;
}

/** Are there `count` names from `names` on, which end at the markers, each of which is right? */
function agrees(segment: ImageBytes, names: number, count: number, markers: number): boolean {
  let at = names;
  for (let i = 0; i < count; i++) {
    if (i % STEP === 0 && segment.u32(markers + (i / STEP) * 4, 'a marker') !== at - names) return false;
    const first = segment.bytes[at];
    const size = first < 128 ? 1 + first : 2 + ((first & 127) | (segment.bytes[at + 1] << 7));
    at += size;
    if (first === 0 || at > markers) return false;
  }
  return alignUp(at, 8) === markers || alignUp(at, 4) === markers;
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}
