/**
 * Promises: a module whose memory is fixed hands out the pages that it starts with, and grows for real when they are
 * used up; one that cannot be read is left alone; iced-x86, loaded by ./iced, decodes without growing.
 */
import type * as Iced from 'iced-x86';
import { withFixedMemory } from './fixed-memory';

interface Memory {
  readonly buffer: ArrayBuffer;
}

interface Instance {
  readonly exports: { memory: Memory; grow: (pages: number) => number };
}

const { WebAssembly: webAssembly } = globalThis as unknown as {
  WebAssembly: { Module: new (bytes: Uint8Array) => object; Instance: new (module: object) => Instance };
};

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const TYPES = [1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f];
const FUNCTIONS = [3, 2, 1, 0];
/** One page. */
const MEMORY = [5, 3, 1, 0, 1];
const GLOBALS = [6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b];
/** memory and grow. */
const EXPORTS = [7, 17, 2, 6, ...Buffer.from('memory'), 2, 0, 4, ...Buffer.from('grow'), 0, 0];
/** (block) (memory.grow (local.get 0)): the type of a block without a value is the same byte as memory.grow. */
const CODE = [10, 11, 1, 9, 0, 0x02, 0x40, 0x0b, 0x20, 0, 0x40, 0, 0x0b];
const GROWING = Uint8Array.from([...MAGIC, ...TYPES, ...FUNCTIONS, ...MEMORY, ...GLOBALS, ...EXPORTS, ...CODE]);

function instance(module: Uint8Array): Instance['exports'] {
  return new webAssembly.Instance(new webAssembly.Module(module)).exports;
}

test('pages are handed out, then the memory grows', () => {
  const { memory, grow } = instance(withFixedMemory(GROWING, 4));
  const { buffer } = memory;
  expect([grow(1), grow(0), grow(2)]).toEqual([1, 2, 2]);
  expect(memory.buffer).toBe(buffer);
  expect([grow(3), grow(1)]).toEqual([4, 7]);
  expect(buffer.byteLength).toBe(0);
  expect(memory.buffer.byteLength).toBe(8 << 16);
});

test('it answers what the module itself answers', () => {
  const plain = instance(GROWING);
  const fixed = instance(withFixedMemory(GROWING, 64));
  for (const pages of [1, 3, 0, 7]) expect(fixed.grow(pages)).toBe(plain.grow(pages));
});

test('a module that has a maximum, lacks a section or has an unknown instruction is left alone', () => {
  const bounded = Uint8Array.from([
    ...MAGIC,
    ...TYPES,
    ...FUNCTIONS,
    5,
    4,
    1,
    1,
    1,
    9,
    ...GLOBALS,
    ...EXPORTS,
    ...CODE,
  ]);
  const small = Uint8Array.from([...MAGIC, ...TYPES]);
  const unknown = GROWING.map((byte, i) => (i === GROWING.length - 5 ? 0xff : byte));
  for (const module of [bounded, small, unknown]) expect(withFixedMemory(module, 64)).toBe(module);
});

/** The decoder, loaded once more: what other tests have left in the memory of theirs may be more than fits. */
function loadedAnew(): typeof Iced {
  const files = ['./iced', 'iced-x86'].map((name) => require.resolve(name));
  const known = files.map((file) => require.cache[file]);
  for (const file of files) delete require.cache[file];
  // biome-ignore lint/style/noCommonJs: imports are loaded before anything else
  const [, anew] = files.map((file) => require(file) as typeof Iced);
  files.forEach((file, i) => {
    require.cache[file] = known[i];
  });
  return anew;
}

test('iced-x86 decodes without growing', () => {
  const iced = loadedAnew();
  const { Decoder, DecoderOptions } = iced;
  const { memory } = (iced as unknown as { __wasm: Instance['exports'] }).__wasm;
  const { buffer } = memory;
  const bytes = Uint8Array.from({ length: 1 << 16 }, (_, i) => (i * 37) & 0xff);
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instructions: Iced.Instruction[] = [];
  while (decoder.canDecode) instructions.push(decoder.decode());
  expect(instructions.length).toBeGreaterThan(10_000);
  expect(memory.buffer).toBe(buffer);
  for (const instruction of instructions) instruction.free();
  decoder.free();
});
