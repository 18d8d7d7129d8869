/**
 * Unpacks what kernels and packages are packed with: gzip by Node, zstd by fzstd, lz4 here, xz by the program of that
 * name, because no npm decoder knows the filter for machine code (BCJ) that the kernel's build uses. Every output is
 * bounded beforehand: a payload says its size, of a package only the beginning is unpacked.
 */
import { spawnSync } from 'node:child_process';
import { gunzipSync, constants as zlib } from 'node:zlib';
import { decompress as decompressZstd, Decompress as ZstdStream } from 'fzstd';
import { KernelImageError } from './kernel-image-error';
import { decompressLz4 } from './lz4';

export type Compression = 'gzip' | 'xz' | 'lz4' | 'zstd';

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** How long the program may take, in milliseconds: Debian's payloads take one to three seconds. */
const TOOL_TIMEOUT = 120_000;
/** What the program may say on stderr, in bytes: Node counts it with the output. */
const TOOL_MESSAGES = 4096;
/** What the program may use, in bytes; the kernel's build asks for a dictionary of at most 128 MiB. */
const TOOL_MEMORY = 512 * 2 ** 20;
/** The largest window of a zstd stream, in bytes: that of `zstd --ultra -22`. */
const MAX_ZSTD_WINDOW = 128 * 2 ** 20;
/** Input is given to the zstd stream in pieces, so that it can be left early. */
const PIECE = 1 << 16;

/** What unpacking needs to know besides the bytes. */
interface Unpacking {
  /** How messages call the file. */
  readonly name: string;
  /** What in the file is unpacked: 'payload', 'data.tar.xz'. */
  readonly what: string;
  /** The program that unpacks xz. */
  readonly xz: string;
}

/** Which packing the bytes begin with, or undefined. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find(([, magic]) => startsWith(bytes, magic))?.[0];
}

export function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

/**
 * Unpacks all of `bytes`, which must give exactly `size` bytes.
 * @throws KernelImageError if they do not, or if a program is missing
 */
export function decompress(packed: Compression, bytes: Uint8Array, size: number, unpacking: Unpacking): Uint8Array {
  const output = attempt(packed, unpacking, () => {
    if (packed === 'gzip') return gunzipSync(bytes, { maxOutputLength: size + 1 });
    if (packed === 'xz') return runXz(bytes, size, true, unpacking);
    if (packed === 'zstd') return zstdInto(bytes, size);
    const buffer = new Uint8Array(size);
    return buffer.subarray(0, decompressLz4(bytes, buffer, unpacking.name));
  });
  if (output.length === size) return output;
  throw damaged(packed, unpacking, `${size} bytes unpacked, found ${output.length}`);
}

/**
 * Unpacks the beginning of `bytes`.
 * @returns about `limit` bytes, or all if it is less; the input may be cut off
 * @throws KernelImageError if there is no beginning, or if a program is missing
 */
export function decompressHead(packed: Compression, bytes: Uint8Array, limit: number, unpacking: Unpacking): Buffer {
  return attempt(packed, unpacking, () => {
    if (packed === 'gzip') return gzipHead(bytes, limit);
    if (packed === 'xz') return runXz(bytes, limit, false, unpacking);
    if (packed === 'zstd') return zstdHead(bytes, limit, unpacking);
    throw new KernelImageError(
      'unsupported',
      `${unpacking.name}: expected ${unpacking.what} packed with gzip, xz or zstd, found lz4; repack it with dpkg-deb.`,
    );
  });
}

/** Decoders say what they do not like in their own words: the cause, behind one sentence of ours. */
function attempt<T>(packed: Compression, unpacking: Unpacking, unpack: () => T): T {
  try {
    return unpack();
  } catch (error) {
    if (error instanceof KernelImageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(packed, unpacking, `whole ${packed} data, found what does not unpack (${reason})`, error);
  }
}

function damaged(packed: Compression, { name, what }: Unpacking, found: string, cause?: unknown): KernelImageError {
  return new KernelImageError(
    'damaged',
    `${name}: expected in its ${packed} ${what} ${found}; the file is cut off or damaged, so copy it again.`,
    { cause },
  );
}

/** Node unpacks all of its input or nothing: half of it, until that is little enough. */
function gzipHead(bytes: Uint8Array, limit: number): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: limit, finishFlush: zlib.Z_SYNC_FLUSH });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE' || bytes.length < PIECE) throw error;
    return gzipHead(bytes.subarray(0, bytes.length >> 1), limit);
  }
}

function runXz(bytes: Uint8Array, limit: number, whole: boolean, unpacking: Unpacking): Buffer {
  const flags = ['--decompress', '--stdout', '--format=xz', '--quiet', `--memlimit-decompress=${TOOL_MEMORY}`];
  // No shell: the program gets bytes on a pipe, and never a name of the user's.
  const maxBuffer = limit + TOOL_MESSAGES;
  const run = spawnSync(unpacking.xz, flags, { input: bytes, maxBuffer, timeout: TOOL_TIMEOUT });
  const code = (run.error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT' || code === 'EACCES') {
    throw new KernelImageError(
      'missing-tool',
      `${unpacking.name}: expected the program ${unpacking.xz} for its xz ${unpacking.what}, found none; ` +
        'install it (Debian: apt-get install xz-utils).',
    );
  }
  // A beginning may be cut off, and more output than is asked for ends the program; both still give what was unpacked.
  if (run.status === 0 || (!whole && run.stdout.length > 0)) return run.stdout;
  throw new Error(code ?? (run.stderr.toString().trim() || `the program ends with ${run.status ?? run.signal}`));
}

/** The decoder fills a buffer and does not say how far: a last byte that stays what it was, twice, was not reached. */
function zstdInto(bytes: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size);
  for (const mark of [0xa5, 0x5a]) {
    output[size - 1] = mark;
    decompressZstd(bytes, output);
    if (output[size - 1] !== mark) return output;
  }
  throw new Error(`less than ${size} bytes`);
}

function zstdHead(bytes: Uint8Array, limit: number, unpacking: Unpacking): Buffer {
  checkWindow(bytes, unpacking);
  const pieces: Uint8Array[] = [];
  let size = 0;
  const stream = new ZstdStream((piece) => {
    pieces.push(piece);
    size += piece.length;
  });
  for (let at = 0; at < bytes.length && size < limit; at += PIECE) stream.push(bytes.subarray(at, at + PIECE));
  if (size === 0) throw new Error('no block');
  return Buffer.concat(pieces);
}

/** The decoder allocates the window that a frame asks for (RFC 8878, 3.1.1.1), so this asks first. */
function checkWindow(bytes: Uint8Array, { name, what }: Unpacking): void {
  const single = (bytes[4] & 0x20) !== 0;
  const exponent = bytes[5] >> 3;
  const base = 2 ** (10 + exponent);
  const window = single ? frameContentSize(bytes) : base + (base / 8) * (bytes[5] & 7);
  if (window <= MAX_ZSTD_WINDOW) return;
  throw new KernelImageError(
    'too-large',
    `${name}: expected a zstd ${what} with a window of at most ${MAX_ZSTD_WINDOW} bytes, found ${window}; ` +
      'repack it with a smaller one.',
  );
}

/** Of a frame in one segment: no window descriptor, an optional dictionary number, and the size. */
function frameContentSize(bytes: Uint8Array): number {
  const at = 5 + [0, 1, 2, 4][bytes[4] & 3];
  const size = [1, 2, 4, 8][bytes[4] >> 6];
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
