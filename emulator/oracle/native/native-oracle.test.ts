/**
 * Promises: a wrong answer of a processor is found, whatever it is wrong in; what a manual leaves undefined is not; and
 * nothing is handed to a processor that would leave the pages that both sides share. Another instance of our machine
 * plays the processor here; scripts/native-vectors.sh asks a real one.
 */
import { Decoder, DecoderOptions, Mnemonic } from 'iced-x86';
import {
  FLAG_AF,
  FLAG_CF,
  FLAG_IF,
  RAX,
  RBX,
  RCX,
  RIP,
  RSP,
  VEC_AC,
  VEC_BP,
  VEC_GP,
  VEC_PF,
  VEC_SS,
} from '../../registers';
import { explainFaults } from './host-differences';
import {
  BATCH,
  CODE,
  CODE_BYTES,
  CODE_PLACE,
  CR2_PLACE,
  DATA,
  DATA_BYTES,
  ERROR_PLACE,
  FILLER,
  FLAGS_PLACE,
  READ_ONLY,
  RECORD_BYTES,
  RECORD_REGISTERS,
  RESULT_BYTES,
  STACK,
  VECTOR_PLACE,
  WINDOW,
  WINDOW_PLACE,
} from './native-layout';
import { compareWithHost } from './native-oracle';
import { NativeScene } from './native-scene';

const place = (register: number) => 2 * RECORD_REGISTERS.indexOf(register);
const scene = new NativeScene('intel', new Uint8Array(DATA_BYTES));

/** One instruction from registers; `result` by word. */
function run(hex: string, registers: [number, number][] = [], at = CODE + 2048) {
  const record = new Int32Array(RECORD_BYTES / 4);
  const code = Buffer.alloc(CODE_BYTES, FILLER);
  const length = Buffer.from(hex, 'hex').copy(code);
  Buffer.from(record.buffer).set(code, CODE_PLACE * 8);
  record[place(RIP)] = at;
  record[2 * FLAGS_PLACE] = FLAG_IF | 2;
  for (const [register, value] of registers) record.set([value | 0, value < 0 ? -1 : 0], place(register));
  const result = new Int32Array(RESULT_BYTES / 4);
  const executed = scene.run(record, length, result);
  return executed && { result, executed };
}

test('an instruction that completes ends at the INT3 behind it', () => {
  const { result, executed } = run('48ffc0', [[RAX, 41]]) ?? {}; // inc %rax
  expect([result?.[place(RAX)], result?.[place(RIP)], result?.[2 * VECTOR_PLACE]]).toEqual([
    42,
    CODE + 2048 + 4,
    VEC_BP,
  ]);
  expect([executed?.retired, executed?.op?.mnemonic]).toEqual([true, Mnemonic.Inc]);
});

test.each([
  ['a page that is not there', '8b03', READ_ONLY + 4096, [VEC_PF, 4, READ_ONLY + 4096]], // mov (%rbx),%eax
  ['a store to the read-only page', '8903', READ_ONLY, [VEC_PF, 7, READ_ONLY]], // mov %eax,(%rbx)
  ['a jump into data', 'ffe3', DATA, [VEC_PF, 0x15, DATA]], // jmp *%rbx
])('a fault has vector, error code and CR2: %s', (_, hex, rbx, expected) => {
  const { result } = run(hex, [[RBX, rbx]]) ?? {};
  const places = [VECTOR_PLACE, ERROR_PLACE, CR2_PLACE];
  expect(places.map((each) => result?.[2 * each])).toEqual(expected);
});

test('bytes that go on where no page is cannot be fetched', () => {
  const { result, executed } = run('4889c0', [], CODE + 4095) ?? {}; // mov %rax,%rax
  expect([result?.[2 * VECTOR_PLACE], result?.[2 * CR2_PLACE], executed?.op]).toEqual([VEC_PF, CODE + 4096, undefined]);
});

test.each([
  [
    'a store beside the window',
    '8903',
    [
      [RAX, 1],
      [RBX, DATA],
    ],
  ],
  ['memory that the native program has otherwise', '8b03', [[RBX, 0x400000]]],
  ['an address of the kernel', '8b03', [[RBX, -4096]]],
  ['a jump to itself', 'ebfe', []],
  ['a jump into its own bytes', '66ebfe', []],
  // shl %cl,%esp
  [
    "an rsp in the stack of the native program's handler",
    'd3e4',
    [
      [RSP, STACK / 2 + 8],
      [RCX, 1],
    ],
  ],
] as [string, string, [number, number][]][])('nothing is compared after %s', (_, hex, registers) => {
  expect(run(hex, registers)).toBeUndefined();
});

test('going back leaves nothing behind', () => {
  const store = () =>
    run('50', [
      [RAX, 7],
      [RSP, WINDOW + 64],
    ])?.result; // push %rax
  expect(store()?.[2 * WINDOW_PLACE + 14]).toBe(7);
  expect(run('90')?.result[2 * WINDOW_PLACE + 14]).toBe(0);
  expect(store()).toEqual(store());
});

/** Plays the processor, and changes its answers. */
function processor(change: (result: Int32Array, mnemonic: number | undefined) => void) {
  let other: NativeScene | undefined;
  let answers = Buffer.alloc(0);
  return {
    send(bytes: Uint8Array): void {
      if (other === undefined) {
        other = new NativeScene('intel', bytes);
        return;
      }
      const results: Buffer[] = [];
      for (let i = 0; i < BATCH; i++) {
        const record = new Int32Array(RECORD_BYTES / 4);
        Buffer.from(record.buffer).set(bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES));
        const result = new Int32Array(RESULT_BYTES / 4);
        change(result, other.run(record, lengthOf(record), result)?.op?.mnemonic);
        results.push(Buffer.from(result.buffer));
      }
      answers = Buffer.concat(results);
    },
    receive: (bytes: number) => Promise.resolve(answers.subarray(0, bytes)),
  };
}

function lengthOf(record: Int32Array): number {
  const decoder = new Decoder(64, Buffer.from(record.buffer, CODE_PLACE * 8, CODE_BYTES), DecoderOptions.None);
  const { length } = decoder.decode();
  decoder.free();
  return length;
}

/** A generator of the minimal standard (Park and Miller), for what is drawn. */
function drawing(): () => number {
  let state = 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const compared = (change: Parameters<typeof processor>[0]) =>
  compareWithHost(processor(change), {
    random: drawing(),
    vendor: 'intel',
    instances: 640,
    encodings: 3000,
    mostDifferences: 1,
  });

test('two that are the same do not differ', async () => {
  const { instances, differences, mnemonics } = await compared(() => {});
  expect([instances, differences]).toEqual([640, []]);
  expect(mnemonics.size).toBeGreaterThan(50);
});

test.each([
  ['a register', place(RAX) + 1, 1, undefined, /^rax: emulator \w+, host \w+$/],
  ['memory', 2 * WINDOW_PLACE + 5, 0x80, undefined, /^\[window\+0x10\]: /],
  ['a vector', 2 * VECTOR_PLACE, 8, undefined, /^vector: /],
  ['an error code', 2 * ERROR_PLACE, 2, undefined, /^error code: /],
  ['a flag that AND clears', 2 * FLAGS_PLACE, FLAG_CF, Mnemonic.And, /^rflags: /],
  ['a flag that AND leaves undefined', 2 * FLAGS_PLACE, FLAG_AF, Mnemonic.And, undefined],
])('another value of %s', async (_, word, bits, of, expected) => {
  const { differences } = await compared((result, mnemonic) => {
    const concerns = of === undefined || (mnemonic === of && result[2 * VECTOR_PLACE] === VEC_BP);
    if (concerns) result[word] ^= bits;
  });
  if (expected === undefined) expect(differences).toEqual([]);
  else expect(differences[0].found[0]).toMatch(expected);
});

test.each([
  ['alignment-check-first', Mnemonic.Mov, VEC_PF, VEC_AC],
  ['order-of-cmps', Mnemonic.Cmpsq, VEC_AC, VEC_GP],
  ['order-of-call', Mnemonic.Call, VEC_GP, VEC_SS],
  ['undefined-before-fetch', Mnemonic.Ud1, VEC_PF, 6],
  [undefined, Mnemonic.Cmpsq, VEC_GP, VEC_BP],
  [undefined, Mnemonic.Mov, VEC_GP, VEC_PF],
  [undefined, Mnemonic.Mov, VEC_AC, VEC_PF],
  [undefined, Mnemonic.Jmp, VEC_GP, VEC_SS],
])('%s: of %i, vector %i here and %i there', (name, mnemonic, ours, theirs) => {
  expect(explainFaults({ mnemonic, ours, theirs })).toBe(name);
});
