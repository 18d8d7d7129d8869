import { Machine } from '../../machine';
import { FLAG_OF, FLAG_RF, IN_HLT, RIP } from '../../registers';
import { HALTED } from '../../step-result';
import { FORMS, VectorDraw } from './random-vector';
import { VectorBatches, type VectorOracle } from './vector-batch';
import { explainVector, OUT_NAMES, readVector, VECTOR_DIFFERENCES, type Vector } from './vector-differences';
import { IN_SIZE, OUT, OUT_SIZE, SLOT, WRITABLE_PA } from './vector-layout';

const COUNT = 200;

/** Uniform numbers in [0, 1) (xorshift32). */
function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
}

/** A second emulator in the place of QEMU, which changes a word of its memory when it has run. */
class Double implements VectorOracle {
  spoil: { pa: number; value: number } | undefined;
  private machine: Machine | undefined;

  async load(machine: Machine): Promise<void> {
    this.machine = new Machine({ entry: 0, segments: [], symbol: () => 0 }, { cpus: 1, ramBytes: machine.memory.size });
    this.machine.boot(0, { cpus: 1, tasks: 0, mms: 0 });
    this.writeBytes(0, new Uint8Array(machine.memory.words.slice().buffer));
    this.machine.cpus[0].r.set(machine.cpus[0].r);
    this.machine.cpus[0].refresh();
  }

  writeBytes(pa: number, bytes: Uint8Array): void {
    this.machine?.memory.writeBytes(pa, bytes);
  }

  readMemory(pa: number, into: Uint8Array): void {
    into.set(this.machine?.memory.readBytes(pa, into.length) ?? []);
  }

  async writeRegister(_name: string, value: bigint): Promise<void> {
    const cpu = this.machine?.cpus[0];
    if (cpu === undefined) throw new Error('load comes first');
    cpu.r[IN_HLT] = 0;
    cpu.set64(RIP, value);
  }

  async runTo(): Promise<void> {
    expect(this.machine?.run(0, COUNT * 500)).toBe(HALTED);
    if (this.spoil !== undefined) this.machine?.memory.write32At(this.spoil.pa, this.spoil.value);
  }
}

function records(seed: number): Buffer {
  const draw = new VectorDraw(stream(seed));
  const buffer = Buffer.alloc(COUNT * IN_SIZE);
  for (let i = 0; i < COUNT; i++) draw.write(buffer, i * IN_SIZE);
  return buffer;
}

test('hundreds of forms are drawn, and each vector ends in one exception', async () => {
  expect(FORMS.length).toBeGreaterThan(600);
  expect(new Set(FORMS.map(({ mnemonic }) => mnemonic)).size).toBeGreaterThan(170);
  const batches = new VectorBatches(new Double());
  await batches.load();
  const vectors = records(1);
  const { ours, theirs, sameMemory } = await batches.run(vectors);
  expect(sameMemory && ours.equals(theirs)).toBe(true);
  const exceptions = Array.from({ length: COUNT }, (_, i) => Number(ours.readBigUInt64LE(i * OUT_SIZE + 128)));
  expect(exceptions.filter((vector) => vector === 1).length).toBeGreaterThan(COUNT / 2);
  expect(exceptions.every((vector) => [0, 1, 3, 6, 10, 11, 12, 13, 14].includes(vector))).toBe(true);
});

test('a difference in a record is found in its vector, one in the data pages after some vector', async () => {
  const double = new Double();
  const batches = new VectorBatches(double);
  await batches.load();
  const vectors = records(2);
  const before = batches.save();
  double.spoil = { pa: OUT + 7 * OUT_SIZE + 8, value: 0x5555 };
  const { ours, theirs } = await batches.run(vectors);
  const wrong = Array.from({ length: COUNT }, (_, i) => i).filter(
    (i) => ours.compare(theirs, i * OUT_SIZE, (i + 1) * OUT_SIZE, i * OUT_SIZE, (i + 1) * OUT_SIZE) !== 0,
  );
  expect(wrong).toEqual([7]);
  expect(explainVector(readVector(vectors, ours, theirs, 7))).toBeUndefined();
  double.spoil = { pa: WRITABLE_PA + 0x1080, value: 1 };
  expect((await batches.run(vectors)).sameMemory).toBe(false);
  expect(await batches.firstStore(vectors, before)).toBe(0);
});

/** A vector of these bytes, whose words are `ours` here, and `theirs` there where they differ. */
function vector(hex: string, ours: Record<string, bigint>, theirs: Record<string, bigint>, flags = 0n): Vector {
  const record = Buffer.alloc(IN_SIZE, 0);
  record.fill(0x90, 160, 176);
  record.set(Buffer.from(hex, 'hex'), 160);
  record.writeBigUInt64LE(flags, 128);
  record.writeBigUInt64LE(40n, 8);
  const out = (words: Record<string, bigint>) => {
    const buffer = Buffer.alloc(OUT_SIZE);
    for (const [name, value] of Object.entries(words)) {
      expect(OUT_NAMES).toContain(name);
      buffer.writeBigUInt64LE(value, 8 * OUT_NAMES.indexOf(name));
    }
    return buffer;
  };
  return readVector(record, out(ours), out({ ...ours, ...theirs }), 0);
}

const NON_CANONICAL = 0x9000_0000_0000_0000n;
const RF = BigInt(FLAG_RF);

test.each<[name: string, hex: string, ours: Record<string, bigint>, theirs: Record<string, bigint>]>([
  ['jump-to-non-canonical', 'ffe3', { vector: 13n, rip: SLOT }, { rip: NON_CANONICAL }], // jmp *%rbx
  ['gate-error-code', 'cda2', { vector: 13n, error: 0x512n }, { error: 0xa22n }], // int $0xa2
  ['read-modify-write-reads-first', '48ff03', { vector: 14n, error: 6n }, { error: 4n }], // incq (%rbx)
  ['non-canonical-stack', '50', { vector: 12n }, { vector: 13n }], // push %rax
  ['base-not-checked', 'f3480faed0', { vector: 13n }, { vector: 1n, fs_base: NON_CANONICAL }], // wrfsbase %rax
  ['test-without-alias', 'f6c90f', { vector: 1n }, { vector: 6n }], // test $15,%cl
  ['invpcid-missing', '660f388203', { vector: 13n }, { vector: 6n }], // invpcid (%rbx),%rax
  ['rf-not-pushed', '0f0b', { vector: 6n, rflags: RF }, { rflags: 0n }], // ud2
  ['rf-in-repetition', 'f348a5', { vector: 1n, rflags: RF }, { rflags: 0n }], // rep movsq
  ['flags-before-fault', 'd313', { vector: 14n, error: 7n }, { rflags: BigInt(FLAG_OF) }], // rcl %cl,(%rbx)
  ['return-immediate-signed', 'c20080', { vector: 1n, rsp: 0x408000n }, { rsp: 0x3f8000n }], // ret $0x8000
  ['scan-of-zero', '0fbcc3', { vector: 1n, rax: NON_CANONICAL }, { rax: 0n }], // bsf %ebx,%eax
  ['undefined-result', '660fa4d811', { vector: 1n, rax: 1n }, { rax: 2n }], // shld $17,%bx,%ax
  ['undefined-flags', '48c1e80c', { vector: 1n }, { rflags: BigInt(FLAG_OF) }], // shr $12,%rax
])('%s explains what it says, and no other register besides', (name, hex, ours, theirs) => {
  expect(explainVector(vector(hex, ours, theirs))).toEqual([name]);
  const other =
    name === 'jump-to-non-canonical' || name === 'base-not-checked'
      ? { ...theirs, vector: 2n, rip: 1n, fs_base: 0n }
      : { ...theirs, r15: 1n, vector: 2n };
  expect(explainVector(vector(hex, ours, other))).toBeUndefined();
});

test('every row has a name of its own and says where the manual stands', () => {
  expect(new Set(VECTOR_DIFFERENCES.map(({ name }) => name)).size).toBe(VECTOR_DIFFERENCES.length);
  for (const { section, why } of VECTOR_DIFFERENCES) {
    expect(section).toMatch(/(SDM|APM) vol\. \d/);
    expect(why.length).toBeGreaterThan(10);
  }
});
