import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Compression, compressionOf, decompress, decompressHead } from './decompress';
import { decompressLz4 } from './lz4';
import { lz4Payload, zstdFrame } from './testing/synthetic-kernel';

const unpacking = { name: 'image', what: 'payload', xz: 'xz' };
const bytes = Buffer.from('every entry path of the kernel\n'.repeat(400));
const hasXz = spawnSync('xz', ['--version']).error === undefined;

/** An LZ4 frame around hand-made blocks. */
function frame(...blocks: number[][]): Uint8Array {
  const sizes = blocks.map((block) => [block.length, 0, 0, 0, ...block]);
  return Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...sizes.flat()]);
}

function unpackLz4(input: Uint8Array, size: number): string {
  const output = Buffer.alloc(size);
  return output.toString('latin1', 0, decompressLz4(input, output, 'image'));
}

const letters = (text: string) => Array.from(Buffer.from(text, 'latin1'));

test.each<[string, Uint8Array, string]>([
  ['literals', frame([0x30, ...letters('abc')]), 'abc'],
  ['a match', frame([0x30, ...letters('abc'), 3, 0, 0x10, ...letters('z')]), 'abcabcaz'],
  ['a match that overlaps itself', frame([0x12, ...letters('x'), 1, 0, 0x10, ...letters('y')]), 'xxxxxxxy'],
  [
    'long lengths',
    frame([0xff, 1, ...letters('0123456789abcdef'), 16, 0, 1, 0x10, ...letters('!')]),
    '0123456789abcdef0123456789abcdef0123!',
  ],
  ['a second frame', Buffer.concat([frame([0x10, 0x61]), frame([0x10, 0x62])]), 'ab'],
])('lz4: %s', (_, input, text) => expect(unpackLz4(input, 100)).toBe(text));

test.each<[string, Uint8Array, RegExp]>([
  ['a block that is cut off', frame([0x30, 0x61]).subarray(0, 9), /expected a block of 2 bytes .* its end/],
  ['no room for a size', frame([]).subarray(0, 6), /expected the size of a block/],
  ['literals that are cut off', frame([0x30, 0x61]), /expected 3 literals/],
  ['a length that is cut off', frame([0xf0, 255, 255]), /expected a length/],
  ['no distance', frame([0x10, 0x61, 1]), /expected a distance/],
  ['distance 0', frame([0x10, 0x61, 0, 0, 0]), /expected a match in the 1 bytes before it, found distance 0/],
  ['a distance before the beginning', frame([0x10, 0x61, 2, 0, 0]), /found distance 2/],
  [
    'more literals than there is room',
    frame([0xf0, 200, ...letters('x'.repeat(215))]),
    /100 bytes unpacked, found more/,
  ],
  ['a longer match than there is room', frame([0x1f, 0x61, 1, 0, 255, 0]), /100 bytes unpacked, found more/],
])('lz4 refuses %s', (_, input, message) => expect(() => unpackLz4(input, 100)).toThrow(message));

describe.each<[Compression, (plain: Uint8Array) => Uint8Array]>([
  ['gzip', gzipSync],
  ['zstd', zstdFrame],
  ['lz4', (plain) => lz4Payload(plain).subarray(0, -4)],
])('%s', (packed, pack) => {
  const whole = pack(bytes);

  test('is known by its first bytes, and gives back what was packed', () => {
    expect(compressionOf(whole)).toBe(packed);
    expect(Buffer.from(decompress(packed, whole, bytes.length, unpacking)).equals(bytes)).toBe(true);
  });

  test.each([-1, 1])('another size (%p) than it says is damaged', (more) => {
    expect(() => decompress(packed, whole, bytes.length + more, unpacking)).toThrow(/^image: expected .*damaged/);
  });

  test('cut off, it is an error', () => {
    const cut = whole.subarray(0, whole.length - 20);
    expect(() => decompress(packed, cut, bytes.length, unpacking)).toThrow(/^image: expected .*cut off/);
  });
});

test.each<[Compression, Uint8Array]>([
  ['gzip', gzipSync(bytes)],
  ['zstd', zstdFrame(bytes)],
])('the beginning of %s is enough', (packed, whole) => {
  const head = decompressHead(packed, whole.subarray(0, whole.length - 20), 1 << 20, unpacking);
  expect(head.length).toBeGreaterThan(1000);
  expect(bytes.subarray(0, head.length).equals(head)).toBe(true);
});

test('the beginning of a long gzip file is at most what was asked for', () => {
  const long = randomFillSync(Buffer.alloc(1 << 20));
  const head = decompressHead('gzip', gzipSync(long, { level: 1 }), 300_000, unpacking);
  expect(head.length).toBeGreaterThan(100_000);
  expect(head.length).toBeLessThanOrEqual(300_000);
  expect(long.subarray(0, head.length).equals(head)).toBe(true);
});

test('a window of zstd that would take all memory is refused', () => {
  const bomb = zstdFrame(bytes, 21);
  expect(() => decompressHead('zstd', bomb, 1 << 20, unpacking)).toThrow(
    /expected a zstd payload with a window of at most/,
  );
});

test('without the program, the package that has it is named', () => {
  const absent = { ...unpacking, xz: '/nonexistent/xz' };
  expect(() => decompress('xz', bytes, 1, absent)).toThrow(
    'image: expected the program /nonexistent/xz for its xz payload, found none; install it (Debian: apt-get install xz-utils).',
  );
});

if (hasXz) {
  const pack = () => spawnSync('xz', ['--check=crc32', '--x86', '--lzma2=dict=1MiB'], { input: bytes }).stdout;

  test('xz with the filter for machine code gives back what was packed', () => {
    const whole = pack();
    expect(compressionOf(whole)).toBe('xz');
    expect(Buffer.from(decompress('xz', whole, bytes.length, unpacking)).equals(bytes)).toBe(true);
    expect(decompressHead('xz', whole, 1 << 20, unpacking).equals(bytes)).toBe(true);
    expect(decompressHead('xz', whole, 500, unpacking).subarray(0, 500).equals(bytes.subarray(0, 500))).toBe(true);
  });

  test.each<[string, (whole: Buffer) => Uint8Array, number]>([
    ['cut off', (whole) => whole.subarray(0, -20), bytes.length],
    ['damaged', (whole) => whole.fill(0x55, 30, 40), bytes.length],
    ['larger than it says', (whole) => whole, 100],
    ['smaller than it says', (whole) => whole, bytes.length + 1],
  ])('xz that is %s is an error', (_, edit, size) => {
    expect(() => decompress('xz', edit(pack()), size, unpacking)).toThrow(
      /^image: expected in its xz payload .*damaged/,
    );
  });
} else {
  test('NOT RUN: there is no program xz, so no xz payload is unpacked', () => expect(hasXz).toBe(false));
}
