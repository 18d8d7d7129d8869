/** The tables of kallsyms as the kernel's build lays them out, in each of its orders, for tests. */

/** A symbol: its kind as nm(1) prints it, name and address. */
export type SyntheticSymbolRow = readonly [kind: string, name: string, address: number];

interface SyntheticTables {
  readonly layout: 'offsets-first' | 'offsets-last';
  /** kallsyms_seqs_of_names between markers and tokens, as Linux 6.2 has it. */
  readonly sequences?: boolean;
  /** Per-CPU variables as absolute offsets: positive, and all others negative. */
  readonly absolutePerCpu: boolean;
  readonly alignment: 4 | 8;
  readonly base: number;
}

/** Every printable character stands for itself; the other tokens have more than one. */
const TOKENS = Array.from({ length: 256 }, (_, i) => {
  if (i === 0x80) return 'switch_to';
  return i > 0x20 && i < 0x7f ? String.fromCharCode(i) : `~${i}`;
});

/** Rows in the order of unsigned addresses. */
export function buildKallsyms(rows: readonly SyntheticSymbolRow[], tables: SyntheticTables): Buffer {
  const names = rows.map(([kind, name]) => packed(kind + name));
  const markers: number[] = [];
  let end = 0;
  for (const [i, name] of names.entries()) {
    if (i % 256 === 0) markers.push(end);
    end += name.length;
  }
  const offsets = rows.map(([, , address]) => {
    if (!tables.absolutePerCpu) return address - tables.base;
    return address >= 0 ? address : tables.base - 1 - address;
  });
  const texts = TOKENS.map((token) => Buffer.from(`${token}\0`, 'latin1'));
  let tokenAt = 0;
  const index = texts.map((text) => {
    const at = tokenAt;
    tokenAt += text.length;
    return at;
  });
  const head = [words(4, [rows.length]), Buffer.concat(names), words(4, markers)];
  const sequences = Buffer.alloc(3 * rows.length, 0x5a);
  const tokens = [Buffer.concat(texts), words(2, index)];
  const addresses = [words(4, offsets), words(8, [tables.base])];
  const parts =
    tables.layout === 'offsets-first'
      ? [...addresses, ...head, ...(tables.sequences ? [sequences] : []), ...tokens]
      : [...head, ...tokens, ...addresses, sequences];
  // Something in front, so that nothing begins at 0.
  return Buffer.concat([Buffer.alloc(64, 0x77), ...parts.map((part) => aligned(part, tables.alignment))]);
}

function packed(text: string): Buffer {
  const tokens: number[] = [];
  for (let at = 0; at < text.length; ) {
    const long = text.startsWith(TOKENS[0x80], at);
    tokens.push(long ? 0x80 : text.charCodeAt(at));
    at += long ? TOKENS[0x80].length : 1;
  }
  const length = tokens.length < 128 ? [tokens.length] : [(tokens.length & 127) | 128, tokens.length >> 7];
  return Buffer.from([...length, ...tokens]);
}

function words(size: 2 | 4 | 8, values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) {
    if (size === 2) bytes.writeUInt16LE(value, 2 * i);
    else if (size === 4) bytes.writeUInt32LE(value >>> 0, 4 * i);
    else bytes.writeBigInt64LE(BigInt(value), 8 * i);
  }
  return bytes;
}

function aligned(bytes: Buffer, alignment: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);
}
