/**
 * The symbols that a kernel carries for its own traces: address, and a name packed in tokens, in both orders in which
 * the tables have been written, with addresses relative to a base (every x86-64 kernel since 4.6), with or without
 * per-CPU variables as absolute offsets in their area.
 */
import { ImageBytes } from './image-bytes';
import { alignDown, alignUp, findTables, type KallsymsTables } from './kallsyms-tables';
import type { KernelSymbol, SymbolLayout } from './kernel-symbols';

interface Kallsyms {
  readonly layout: SymbolLayout;
  /** In the order of the tables, which is that of unsigned addresses. */
  readonly symbols: readonly KernelSymbol[];
}

/** Where the offsets are, and the base that they are relative to. */
interface Offsets {
  readonly layout: SymbolLayout;
  readonly at: number;
  readonly base: number;
}

/**
 * The symbols of the segment that has the tables.
 * @returns undefined if the segment has none
 */
export function readKallsyms(bytes: Uint8Array, name: string): Kallsyms | undefined {
  const segment = new ImageBytes(bytes, name);
  const tables = findTables(segment);
  if (tables === undefined) return undefined;
  for (const place of placesOfOffsets(segment, tables)) {
    const addresses = place && readAddresses(segment, place, tables.count);
    if (addresses !== undefined) return { layout: place.layout, symbols: readNames(segment, tables, addresses) };
  }
  throw segment.damaged('the offsets of kallsyms before its names or behind its tokens, in ascending order', 'neither');
}

function placesOfOffsets(segment: ImageBytes, { count, countAt, end }: KallsymsTables): Offsets[] {
  const places: Offsets[] = [];
  for (const alignment of [8, 4]) {
    const before = alignDown(countAt - 8, alignment);
    const behind = alignUp(end, alignment);
    add('offsets-first', alignDown(before - 4 * count, alignment), before);
    add('offsets-last', behind, alignUp(behind + 4 * count, alignment));
  }
  return places;

  function add(layout: SymbolLayout, at: number, baseAt: number): void {
    if (at < 0 || Math.max(at + 4 * count, baseAt + 8) > segment.bytes.length) return;
    const base = segment.address(baseAt, 'kallsyms_relative_base');
    // A kernel is linked in the upper half, and its symbols begin on a page.
    if (base !== undefined && base < 0 && base % 4096 === 0) places.push({ layout, at, base });
  }
}

/**
 * The addresses, or undefined if they do not ascend. With per-CPU variables as absolute offsets, a positive offset is
 * such a variable and a negative one counts back from the base; without them an offset is unsigned.
 */
function readAddresses(segment: ImageBytes, { at, base }: Offsets, count: number): Float64Array | undefined {
  const offsets = Int32Array.from({ length: count }, (_, i) => segment.i32(at + 4 * i, 'an offset'));
  const absolute = offsets.some((offset) => offset < 0);
  const addresses = new Float64Array(count);
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const offset = offsets[i];
    addresses[i] = !absolute ? base + offset : offset >= 0 ? offset : base - 1 - offset;
    const order = unsigned(addresses[i]);
    if (order < last) return undefined;
    last = order;
  }
  return addresses;
}

/** Ascending as addresses are: the kernel half, which is negative, above the user half. */
function unsigned(va: number): number {
  return va < 0 ? va + 2 ** 49 : va;
}

function readNames(segment: ImageBytes, tables: KallsymsTables, addresses: Float64Array): KernelSymbol[] {
  const { bytes } = segment;
  const text = Buffer.alloc(1 << 16);
  const symbols: KernelSymbol[] = [];
  let at = tables.names;
  for (const address of addresses) {
    let tokens = bytes[at++];
    if (tokens >= 128) tokens = (tokens & 127) | (bytes[at++] << 7);
    let length = 0;
    for (const end = at + tokens; at < end; at++) {
      const token = tables.tokens[bytes[at]];
      // A name of more is cut off: none has more than 512 bytes.
      if (length + token.length <= text.length) length += token.copy(text, length);
    }
    // The first letter is the kind, as nm(1) prints it: capital if the symbol is global.
    const kind = text[0];
    symbols.push({ name: text.toString('latin1', 1, length), address, global: kind >= 0x41 && kind <= 0x5a });
  }
  return symbols;
}
