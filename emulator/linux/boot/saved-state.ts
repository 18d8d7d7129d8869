/**
 * A state of a Linux machine as bytes: RAM without its empty pages, compressed; CPUs; the board with its console. It is
 * read back only into a machine of the same shape. Whoever keeps the bytes in a file seals them.
 *
 * What a CPU has cached in its TLB is not saved: `settle` empties it before a state is saved or used, which a processor
 * may do at any time. So a machine that goes on and one that is read back are the same to the bit.
 *
 *   8 magic | 4 length of the header | header, JSON | registers | extended state | board | console | present pages, a
 * bit
 *   each | pages, compressed
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { LinuxMachine } from './linux-machine';

const MAGIC = 'PTILNX01';
const HEAD_BYTES = 12;
const PAGE_WORDS = 1024;
const EMPTY_PAGE = Buffer.alloc(PAGE_WORDS * 4);
const FASTEST = { level: constants.Z_BEST_SPEED };

/** The bytes are not a state, or not one of this machine. */
export class SavedStateError extends Error {
  override readonly name = 'SavedStateError';
}

interface Header {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly hashLo: number;
  readonly hashHi: number;
  readonly consoleBytes: number;
}

/** Forgets all translations. */
export function settle({ machine }: LinuxMachine): void {
  for (const cpu of machine.cpus) {
    cpu.tlb.flushAll();
    cpu.refresh();
  }
}

/** The state, which has to be settled. */
export function saveState({ machine, platform }: LinuxMachine): Uint8Array {
  const { memory, cpus } = machine;
  const text = Buffer.from(platform.console.text, 'latin1');
  const header: Header = {
    cpus: cpus.length,
    memoryBytes: memory.size,
    hashLo: memory.hashLo,
    hashHi: memory.hashHi,
    consoleBytes: text.length,
  };
  const json = Buffer.from(JSON.stringify(header), 'latin1');
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt32LE(json.length, MAGIC.length);
  const words = [...cpus.map(({ r }) => r), ...cpus.map(({ x }) => x), platform.words].map(bytesOf);
  const { present, pages } = occupied(memory.words);
  return Buffer.concat([head, json, ...words, text, present, deflateRawSync(pages, FASTEST)]);
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** The same memory, if it begins where a word does. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

function occupied(words: Int32Array): { present: Uint8Array; pages: Uint8Array } {
  const count = words.length / PAGE_WORDS;
  const present = new Uint8Array(Math.ceil(count / 8));
  const pages: Uint8Array[] = [];
  for (let page = 0; page < count; page++) {
    const contents = bytesOf(words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS));
    if (EMPTY_PAGE.equals(contents)) continue;
    present[page >>> 3] |= 1 << (page & 7);
    pages.push(contents);
  }
  return { present, pages: Buffer.concat(pages) };
}

/** Into a machine that was just made with the same options; its kernel need not be loaded. */
export function restoreState({ machine, platform }: LinuxMachine, bytes: Uint8Array): void {
  const { memory, cpus } = machine;
  const header = readHeader(bytes);
  if (header.cpus !== cpus.length || header.memoryBytes !== memory.size)
    throw new SavedStateError(
      `expected the state of ${cpus.length} CPUs with ${memory.size} bytes of RAM, found ${header.cpus} with ${header.memoryBytes}`,
    );
  let at = header.end;
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  for (const words of [...cpus.map(({ r }) => r), ...cpus.map(({ x }) => x), platform.words])
    bytesOf(words).set(take(words.byteLength));
  platform.console.text = Buffer.from(take(header.consoleBytes)).toString('latin1');
  const present = take(Math.ceil(memory.size / (PAGE_WORDS * 4) / 8));
  // In one piece: zlib would put many small ones together.
  const pages = inflateRawSync(bytes.subarray(at), { chunkSize: memory.size });
  memory.fill(present, wordsOf(pages), header);
  for (const cpu of cpus) cpu.refresh();
}

/** `end` is where the header ends. */
function readHeader(bytes: Uint8Array): Header & { readonly end: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < HEAD_BYTES || buffer.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new SavedStateError('expected a saved state of a Linux machine, found other bytes');
  const end = HEAD_BYTES + buffer.readUInt32LE(MAGIC.length);
  return { ...JSON.parse(buffer.toString('latin1', HEAD_BYTES, end)), end };
}
