/**
 * Rewrites a WebAssembly module so that its memory never grows: it starts with all the pages that it may ever have, and
 * `memory.grow` hands them out. When a memory grows, V8 detaches the ArrayBuffer that JavaScript saw of it, and once
 * any ArrayBuffer was detached, every access to every typed array of the process has to ask whether its own is.
 *
 *   module   | magic, version | id size content | id size content | ...            (WebAssembly core specification, 5)
 */

/** Sections by their id. */
const TYPE = 1,
  IMPORT = 2,
  FUNCTION = 3,
  MEMORY = 5,
  GLOBAL = 6,
  CODE = 10;

const HEADER_BYTES = 8;
const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const CALL = 0x10;
const MEMORY_GROW = 0x40;
const GROW = Buffer.from([MEMORY_GROW, 0]);

/** Reads a module from the front to the back. */
class Reader {
  at: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++];
  }

  /** An integer in LEB128; exact up to 32 bits. */
  integer(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  name(): void {
    this.skip(this.integer());
  }

  limits(): void {
    const hasMaximum = this.byte() !== 0;
    this.integer();
    if (hasMaximum) this.integer();
  }
}

function leb(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}

/** A positive integer in signed LEB128. */
function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];
}

interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

function sectionsOf(module: Uint8Array): Section[] {
  const sections: Section[] = [];
  for (const reader = new Reader(module, HEADER_BYTES); reader.at < module.length; ) {
    const id = reader.byte();
    const size = reader.integer();
    sections.push({ id, content: module.subarray(reader.at, reader.at + size) });
    reader.skip(size);
  }
  return sections;
}

/** Skips the immediates of an instruction. False where it is one that this file does not know. */
function skipImmediates(reader: Reader, opcode: number): boolean {
  if (opcode >= 0x28 && opcode <= 0x3e) {
    reader.integer();
    reader.integer();
  } else if (opcode >= 0x45 && opcode <= 0xc4) return true;
  else if (opcode === 0x43) reader.skip(4);
  else if (opcode === 0x44) reader.skip(8);
  else if (opcode === 0x0e) for (let n = reader.integer() + 1; n > 0; n--) reader.integer();
  else if (opcode === 0x11) {
    reader.integer();
    reader.integer();
  } else if (opcode === 0xfc) return skipExtended(reader);
  else if ([0x02, 0x03, 0x04, 0x0c, 0x0d, CALL, 0x3f, MEMORY_GROW, 0x41, 0x42].includes(opcode)) reader.integer();
  else if (opcode >= 0x20 && opcode <= 0x24) reader.integer();
  else return [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(opcode);
  return true;
}

/** Saturating conversions have no immediates, memory.copy two, memory.fill one. */
function skipExtended(reader: Reader): boolean {
  const opcode = reader.integer();
  reader.skip(opcode === 10 ? 2 : opcode === 11 ? 1 : 0);
  return opcode <= 7 || opcode === 10 || opcode === 11;
}

/** Positions of `memory.grow` in the body of a function, from `at` on; undefined where it cannot be read. */
function growthsIn(code: Uint8Array, at: number, end: number): number[] | undefined {
  const found: number[] = [];
  const reader = new Reader(code, at);
  for (let groups = reader.integer(); groups > 0; groups--) {
    reader.integer();
    reader.byte();
  }
  while (reader.at < end) {
    const position = reader.at;
    const opcode = reader.byte();
    if (opcode === MEMORY_GROW) found.push(position);
    if (!skipImmediates(reader, opcode)) return undefined;
  }
  return found;
}

/** A code section in which calls of a function stand for `memory.grow`, and with that function's body at its end. */
function withCalls(code: Uint8Array, callee: number, body: readonly number[]): Uint8Array | undefined {
  const reader = new Reader(code);
  const bytes = Buffer.from(code.buffer, code.byteOffset, code.length);
  // These two bytes mean something else, too, but few functions have them.
  let candidate = bytes.indexOf(GROW);
  const bodies = reader.integer();
  const parts: Uint8Array[] = [Uint8Array.from(leb(bodies + 1))];
  for (let i = 0; i < bodies; i++) {
    const start = reader.at;
    const size = reader.integer();
    const end = reader.at + size;
    if (candidate >= 0 && candidate < start) candidate = bytes.indexOf(GROW, start);
    const growths = candidate >= 0 && candidate < end ? growthsIn(code, reader.at, end) : [];
    if (growths === undefined) return undefined;
    const call = [CALL, ...leb(callee)];
    if (growths.length === 0) parts.push(code.subarray(start, end));
    else {
      parts.push(Uint8Array.from(leb(size + growths.length * (call.length - GROW.length))));
      let from = reader.at;
      for (const at of growths) {
        parts.push(code.subarray(from, at), Uint8Array.from(call));
        from = at + GROW.length;
      }
      parts.push(code.subarray(from, end));
    }
    reader.at = end;
  }
  return Buffer.concat([...parts, Uint8Array.from([...leb(body.length), ...body])]);
}

/** How many functions and globals a module imports: they come first in the numbering. */
function imported(content: Uint8Array | undefined): { functions: number; globals: number } {
  const count = { functions: 0, globals: 0 };
  if (content === undefined) return count;
  const reader = new Reader(content);
  for (let left = reader.integer(); left > 0; left--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === 0) {
      reader.integer();
      count.functions++;
    } else if (kind === 1) {
      reader.byte();
      reader.limits();
    } else if (kind === 2) reader.limits();
    else {
      reader.skip(2);
      count.globals++;
    }
  }
  return count;
}

/** Index of the type of a function from an i32 to an i32, or -1. */
function growType(content: Uint8Array): number {
  const reader = new Reader(content);
  const types = reader.integer();
  for (let i = 0; i < types; i++) {
    const at = reader.at;
    if (reader.byte() !== FUNCTION_TYPE) return -1;
    reader.skip(reader.integer());
    reader.skip(reader.integer());
    if ([FUNCTION_TYPE, 1, I32, 1, I32].every((byte, k) => content[at + k] === byte) && reader.at === at + 5) return i;
  }
  return -1;
}

/** A vector with one more element. */
function appended(content: Uint8Array, element: readonly number[]): { bytes: number[]; index: number } {
  const reader = new Reader(content);
  const index = reader.integer();
  return { bytes: [...leb(index + 1), ...content.subarray(reader.at), ...element], index };
}

/**
 * What stands for `memory.grow` of `n` pages: the pages from `top` on, if there are enough; else the memory really
 * grows, and has no more spare pages.
 */
function growBody(top: number): number[] {
  const t = leb(top);
  return [
    ...[1, 1, I32], // one local: the answer
    ...[0x23, ...t, 0x22, 1, 0x20, 0, 0x6a], // answer = top; answer + n
    ...[0x3f, 0, 0x4b, 0x04, 0x40], // > memory.size ? if
    ...[0x20, 0, MEMORY_GROW, 0, 0x21, 1], // answer = memory.grow n
    ...[0x3f, 0, 0x24, ...t, 0x20, 1, 0x0f], // top = memory.size; return answer
    ...[0x0b, 0x20, 1, 0x20, 0, 0x6a, 0x24, ...t, 0x20, 1, 0x0b], // end; top = answer + n; answer
  ];
}

/** The module with `pages` pages of 64 KiB from the start. One that this file cannot read is answered as it is. */
export function withFixedMemory(module: Uint8Array, pages: number): Uint8Array {
  const sections = sectionsOf(module);
  const contentOf = (id: number) => sections.find((section) => section.id === id)?.content;
  const [types, functions, memory, globals, code] = [TYPE, FUNCTION, MEMORY, GLOBAL, CODE].map(contentOf);
  if (!types || !functions || !memory || !globals || !code) return module;
  const type = growType(types);
  // One memory without a maximum.
  if (type < 0 || memory[0] !== 1 || memory[1] !== 0) return module;
  const first = new Reader(memory, 2).integer();
  const before = imported(contentOf(IMPORT));
  const global = appended(globals, [I32, 1, 0x41, ...signedLeb(first), 0x0b]);
  const grow = appended(functions, leb(type));
  const calls = withCalls(code, before.functions + grow.index, growBody(before.globals + global.index));
  if (calls === undefined) return module;
  const changed = new Map<number, Uint8Array>([
    [FUNCTION, Uint8Array.from(grow.bytes)],
    [MEMORY, Uint8Array.from([1, 0, ...leb(Math.max(first, pages))])],
    [GLOBAL, Uint8Array.from(global.bytes)],
    [CODE, calls],
  ]);
  const parts = sections.flatMap(({ id, content }) => {
    const now = changed.get(id) ?? content;
    return [Uint8Array.from([id, ...leb(now.length)]), now];
  });
  return Buffer.concat([module.subarray(0, HEADER_BYTES), ...parts]);
}
