/**
 * LZ4, "legacy frame", which is what the kernel's build makes (`lz4 -l`): a magic number, then blocks of at most 8 MiB
 * of output, each behind its compressed size. Written after the format's description (lz4_Block_format.md and
 * lz4_Frame_format.md); the npm decoders know only the newer frame or read past their input. There is no checksum.
 */
import { KernelImageError } from './kernel-image-error';

/** Its bytes 02 21 4c 18. */
const LEGACY_MAGIC = 0x184c2102;

/** Matches are at least this long; the length in a token is what goes beyond. */
const MIN_MATCH = 4;

/** Bytes that are copied one by one sooner than by a call of the runtime: almost all sequences are as short. */
const SHORT = 64;

/** In a token: this many, and more in the bytes that follow. */
const MORE = 15;

/**
 * Unpacks frames until `output` is full or the input ends.
 * @returns how many bytes of `output` were written
 * @throws KernelImageError if the input is cut off, damaged, or larger than `output`
 */
export function decompressLz4(input: Uint8Array, output: Uint8Array, name: string): number {
  let at = 4;
  let written = 0;
  while (at < input.length) {
    if (at + 4 > input.length) throw cutOff(name, 'the size of a block');
    const size = u32(input, at);
    at += 4;
    if (size === LEGACY_MAGIC) continue;
    if (at + size > input.length) throw cutOff(name, `a block of ${size} bytes`);
    written = decompressBlock(input.subarray(at, at + size), output, written, name);
    at += size;
  }
  return written;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Where the last length ended: lengths have any number of bytes. */
let after = 0;

/** The rest of a length: bytes that are added up, the last of which is not 255. */
function longLength(input: Uint8Array, at: number, name: string): number {
  let length = MORE;
  let next = at;
  for (;;) {
    if (next >= input.length) throw cutOff(name, 'a length');
    const byte = input[next++];
    length += byte;
    if (byte !== 255) break;
  }
  after = next;
  return length;
}

/**
 * One block: sequences of a token (length of literals in the high four bits, of the match in the low four), literals,
 * and a distance back into the output. The last sequence has literals only.
 */
function decompressBlock(input: Uint8Array, output: Uint8Array, start: number, name: string): number {
  let at = 0;
  let to = start;
  while (at < input.length) {
    const token = input[at++];
    let literals = token >> 4;
    if (literals === MORE) {
      literals = longLength(input, at, name);
      at = after;
    }
    if (at + literals > input.length) throw cutOff(name, `${literals} literals`);
    if (to + literals > output.length) throw tooLarge(name, output.length);
    copyLiterals(input, at, output, to, literals);
    at += literals;
    to += literals;
    if (at === input.length) break;
    if (at + 2 > input.length) throw cutOff(name, 'a distance');
    const distance = input[at] | (input[at + 1] << 8);
    at += 2;
    let length = (token & 15) + MIN_MATCH;
    if (length === MORE + MIN_MATCH) {
      length = longLength(input, at, name) + MIN_MATCH;
      at = after;
    }
    if (distance === 0 || distance > to - start) throw damaged(name, distance, to - start);
    if (to + length > output.length) throw tooLarge(name, output.length);
    copyMatch(output, to, distance, length);
    to += length;
  }
  return to;
}

function copyLiterals(input: Uint8Array, at: number, output: Uint8Array, to: number, length: number): void {
  if (length > SHORT) output.set(input.subarray(at, at + length), to);
  else for (let i = 0; i < length; i++) output[to + i] = input[at + i];
}

/** A match may overlap what it makes: then it repeats its first bytes. */
function copyMatch(output: Uint8Array, to: number, distance: number, length: number): void {
  if (length > SHORT && distance >= length) {
    output.copyWithin(to, to - distance, to - distance + length);
    return;
  }
  for (let i = 0; i < length; i++) output[to + i] = output[to + i - distance];
}

function cutOff(name: string, what: string): KernelImageError {
  return new KernelImageError(
    'truncated',
    `${name}: expected ${what} in the lz4 payload, found its end; the file is cut off, so copy it again.`,
  );
}

function tooLarge(name: string, limit: number): KernelImageError {
  return new KernelImageError(
    'damaged',
    `${name}: expected an lz4 payload of ${limit} bytes unpacked, found more; the file is damaged, so copy it again.`,
  );
}

function damaged(name: string, distance: number, written: number): KernelImageError {
  return new KernelImageError(
    'damaged',
    `${name}: expected a match in the ${written} bytes before it, found distance ${distance} in the lz4 payload; ` +
      'the file is damaged, so copy it again.',
  );
}
