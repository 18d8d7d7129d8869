/** A section `.BTF` for tests, made of described types. */

const KINDS = { int: 1, ptr: 2, array: 3, struct: 4, union: 5, typedef: 8, const: 10, var: 14, datasec: 15 };

export interface SyntheticType {
  readonly kind: keyof typeof KINDS;
  readonly name?: string;
  /** Bytes of a type with a size, or the number of the type that is meant: the first is 1. */
  readonly size: number;
  /** Members of a structure: name, type, offset in bits, and bits if there are few. Of a section: name unused. */
  readonly members?: readonly (readonly [name: string, type: number, offset: number, bits?: number])[];
  /** Elements of an array. */
  readonly length?: number;
}

export function buildBtf(types: readonly SyntheticType[]): Buffer {
  const strings: string[] = [''];
  let stringsEnd = 1;
  const nameOf = (name = ''): number => {
    if (name === '') return 0;
    const at = stringsEnd;
    strings.push(name);
    stringsEnd += name.length + 1;
    return at;
  };
  const words = types.flatMap((type) => wordsOf(type, nameOf));
  const body = Buffer.from(Uint32Array.from(words).buffer);
  const text = Buffer.from(`${strings.join('\0')}\0`, 'latin1');
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header[2] = 1;
  header.writeUInt32LE(24, 4);
  header.writeUInt32LE(body.length, 12);
  header.writeUInt32LE(body.length, 16);
  header.writeUInt32LE(text.length, 20);
  return Buffer.concat([header, body, text]);
}

function wordsOf({ kind, name, size, members = [], length = 0 }: SyntheticType, nameOf: (n?: string) => number) {
  const hasBits = members.some(([, , , bits]) => bits !== undefined);
  const info = ((hasBits ? 1 << 31 : 0) | (KINDS[kind] << 24) | members.length) >>> 0;
  const words = [nameOf(name), info, kind === 'array' ? 0 : size];
  if (kind === 'int' || kind === 'var') return [...words, 0];
  if (kind === 'array') return [...words, size, 1, length];
  const rows = members.flatMap(([member, type, offset, bits = 0]) =>
    kind === 'datasec' ? [type, offset, bits] : [nameOf(member), type, ((bits << 24) | offset) >>> 0],
  );
  return [...words, ...rows];
}
