/**
 * The types that a kernel describes to BPF programs (Documentation/bpf/btf.rst of Linux): as far as the offset and the
 * size of a member need them, and the list of per-CPU variables. Functions, enumerators' values and tags are skipped.
 *
 *   header   0 magic eb9f   2 version   4 hdr_len   8 type_off  12 type_len  16 str_off  20 str_len
 *   type     0 name_off     4 info: vlen 0..15, kind 24..28, kind_flag 31    8 size or type
 */
import { ImageBytes } from './image-bytes';

const MAGIC = 0xeb9f;
const HEADER = 24;

const INT = 1;
const PTR = 2;
const ARRAY = 3;
const STRUCT = 4;
const UNION = 5;
const ENUM = 6;
const TYPEDEF = 8;
const VOLATILE = 9;
const CONST = 10;
const RESTRICT = 11;
const FUNC_PROTO = 13;
const VAR = 14;
const DATASEC = 15;
const FLOAT = 16;
const DECL_TAG = 17;
const TYPE_TAG = 18;
const ENUM64 = 19;

/** Bytes behind the 12 of a type: so many, and so many for each of vlen. */
const EXTRA: ReadonlyMap<number, readonly [number, number]> = new Map([
  [INT, [4, 0]],
  [ARRAY, [12, 0]],
  [STRUCT, [0, 12]],
  [UNION, [0, 12]],
  [ENUM, [0, 8]],
  [FUNC_PROTO, [0, 8]],
  [VAR, [4, 0]],
  [DATASEC, [0, 12]],
  [DECL_TAG, [4, 0]],
  [ENUM64, [0, 12]],
]);
const LAST_KIND = ENUM64;

/** Types that only say something about another one. */
const TRANSPARENT: ReadonlySet<number> = new Set([TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG]);

/** The deepest nesting of types that is followed: a damaged image may have a circle. */
const MAX_DEPTH = 64;
/** The longest name. */
const MAX_NAME = 512;
/** Members that one look-up may pass: a task_struct has some three hundred, with those of anonymous ones. */
const MAX_MEMBERS = 1 << 17;

/** Where a member lies in its structure, in bytes. */
interface Member {
  readonly offset: number;
  /** 0 for what has no size, and for what is only some bits of a word. */
  readonly size: number;
}

/** A place in a type: how far from its beginning, and which type is there. */
interface Place {
  readonly offset: number;
  readonly type: number;
  readonly isBits: boolean;
}

/** The types of a kernel. */
export class Btf {
  /** How many types there are, without `void`. */
  readonly count: number;
  /** Per-CPU variables: offset in the area of a CPU, and size in bytes. */
  readonly perCpu: ReadonlyMap<string, Member>;
  private readonly types: ImageBytes;
  private readonly strings: Uint8Array;
  /** Where each type begins in `types`; type 0 is `void`. */
  private readonly starts: Int32Array;
  /** Structures and unions that are described, by name. */
  private readonly structs: ReadonlyMap<string, number>;
  /** Members that the look-up in progress has passed. */
  private passed = 0;

  /**
   * @param bytes the section `.BTF`
   * @param name how messages call the image
   * @throws KernelImageError if the section is damaged
   */
  constructor(bytes: Uint8Array, name: string) {
    const file = new ImageBytes(bytes, `${name}, .BTF`);
    if (file.u16(0, 'the magic number') !== MAGIC) {
      throw file.damaged('the magic number eb9f', file.u16(0, 'the magic number').toString(16));
    }
    const start = file.u32(4, 'the length of the header');
    if (start < HEADER) throw file.damaged(`a header of at least ${HEADER} bytes`, `${start}`);
    const part = (at: number, what: string) =>
      file.range(start + file.u32(at, what), file.u32(at + 4, what), `the ${what}`);
    this.types = new ImageBytes(part(8, 'types'), file.name);
    this.strings = part(16, 'strings');
    this.starts = startsOf(this.types);
    this.count = this.starts.length - 1;
    const structs = new Map<string, number>();
    const perCpu = new Map<string, Member>();
    for (let type = 1; type <= this.count; type++) {
      const kind = this.kindOf(type);
      if (kind === STRUCT || kind === UNION) {
        const name = this.nameOf(type);
        if (name !== '' && !structs.has(name)) structs.set(name, type);
      } else if (kind === DATASEC && this.nameOf(type) === '.data..percpu') {
        this.readVariables(type, perCpu);
      }
    }
    this.structs = structs;
    this.perCpu = perCpu;
  }

  /**
   * Offset and size of a member of a structure or union.
   * @param path names and indices, through anonymous members: `thread.sp`, `x86_tss.ist[3]`
   * @returns undefined if there is no such structure or member
   */
  member(struct: string, path: string): Member | undefined {
    const type = this.structs.get(struct);
    if (type === undefined) return undefined;
    let place: Place | undefined = { offset: 0, type, isBits: false };
    this.passed = 0;
    for (const step of path.split(/\.|(?=\[)/)) {
      place = step.startsWith('[') ? this.element(place, Number(step.slice(1, -1))) : this.named(place, step, 0);
      if (place === undefined) return undefined;
    }
    return { offset: place.offset, size: place.isBits ? 0 : this.sizeOf(place.type, 0) };
  }

  /** Bytes of a structure or union, or undefined. */
  size(struct: string): number | undefined {
    const type = this.structs.get(struct);
    return type === undefined ? undefined : this.sizeOf(type, 0);
  }

  private readVariables(section: number, into: Map<string, Member>): void {
    for (let i = 0; i < this.vlenOf(section); i++) {
      const at = this.starts[section] + 12 + 12 * i;
      const variable = this.checked(this.types.u32(at, 'a variable'));
      const offset = this.types.u32(at + 4, 'the offset of a variable');
      into.set(this.nameOf(variable), { offset, size: this.types.u32(at + 8, 'the size of a variable') });
    }
  }

  /** A member by name; members of anonymous members are members. */
  private named(place: Place, name: string, depth: number): Place | undefined {
    const type = this.resolve(place.type);
    const kind = this.kindOf(type);
    if ((kind !== STRUCT && kind !== UNION) || depth > MAX_DEPTH) return undefined;
    const hasBits = this.types.u32(this.starts[type] + 4, 'a type') >>> 31 === 1;
    for (let i = 0; i < this.vlenOf(type); i++) {
      if (++this.passed > MAX_MEMBERS) throw this.types.damaged(`${name} among ${MAX_MEMBERS} members`, 'more of them');
      const at = this.starts[type] + 12 + 12 * i;
      const word = this.types.u32(at + 8, 'the offset of a member');
      const bits = hasBits ? word & 0xffffff : word;
      const member = {
        offset: place.offset + Math.floor(bits / 8),
        type: this.types.u32(at + 4, 'the type of a member'),
        isBits: hasBits && word >>> 24 !== 0,
      };
      const itsName = this.text(this.types.u32(at, 'the name of a member'));
      if (itsName === name) return member;
      const found = itsName === '' ? this.named(member, name, depth + 1) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private element(place: Place, index: number): Place | undefined {
    const type = this.resolve(place.type);
    if (this.kindOf(type) !== ARRAY) return undefined;
    const element = this.types.u32(this.starts[type] + 12, 'the type of an element');
    if (!(index < this.types.u32(this.starts[type] + 20, 'the length of an array'))) return undefined;
    return { offset: place.offset + index * this.sizeOf(element, 0), type: element, isBits: false };
  }

  private sizeOf(wanted: number, depth: number): number {
    const type = this.resolve(wanted);
    const at = this.starts[type];
    switch (this.kindOf(type)) {
      case PTR:
        return 8;
      case ARRAY:
        if (depth > MAX_DEPTH) return 0;
        return (
          this.types.u32(at + 20, 'the length of an array') *
          this.sizeOf(this.types.u32(at + 12, 'the type of an element'), depth + 1)
        );
      case INT:
      case STRUCT:
      case UNION:
      case ENUM:
      case ENUM64:
      case FLOAT:
        return this.types.u32(at + 8, 'the size of a type');
      default:
        return 0;
    }
  }

  /** The type behind typedefs and qualifiers; `void` if they never end. */
  private resolve(type: number): number {
    let found = this.checked(type);
    for (let depth = 0; TRANSPARENT.has(this.kindOf(found)); depth++) {
      if (depth > MAX_DEPTH) return 0;
      found = this.checked(this.types.u32(this.starts[found] + 8, 'a type'));
    }
    return found;
  }

  private checked(type: number): number {
    if (type <= this.count) return type;
    throw this.types.damaged(`a type of at most ${this.count}`, `${type}`);
  }

  private kindOf(type: number): number {
    return type === 0 ? 0 : (this.types.u32(this.starts[type] + 4, 'a type') >> 24) & 31;
  }

  private vlenOf(type: number): number {
    return this.types.u32(this.starts[type] + 4, 'a type') & 0xffff;
  }

  private nameOf(type: number): string {
    return this.text(this.types.u32(this.starts[type], 'the name of a type'));
  }

  private text(offset: number): string {
    const window = this.strings.subarray(offset, offset + MAX_NAME);
    const end = window.indexOf(0);
    if (end < 0) throw this.types.damaged(`a name of at most ${MAX_NAME} bytes at ${offset}`, 'no end of it');
    return Buffer.from(window.buffer, window.byteOffset, end).toString('latin1');
  }
}

function startsOf(types: ImageBytes): Int32Array {
  const starts = [0];
  for (let at = 0; at < types.bytes.length; ) {
    const info = types.u32(at + 4, 'a type');
    const kind = (info >> 24) & 31;
    if (kind === 0 || kind > LAST_KIND) {
      throw types.damaged(`a kind of type from 1 to ${LAST_KIND} for type ${starts.length}`, `${kind}`);
    }
    const [fixed, each] = EXTRA.get(kind) ?? [0, 0];
    starts.push(at);
    const size = 12 + fixed + each * (info & 0xffff);
    types.range(at, size, `type ${starts.length - 1}`);
    at += size;
  }
  return Int32Array.from(starts);
}
