import fc from 'fast-check';
import type { Bounds } from '../language/schema-types';
import {
  bool,
  global,
  perContext,
  perCpu,
  perMm,
  perTask,
  perThread,
  range,
  task,
  thread,
} from '../language/schema-types';
import { makePacking, ValueRangeError } from './packing';

const bounds: Bounds = { cpus: 2, tasks: 3, mms: 2, nesting: 2, nmis: 1, irqs: 4 };
const schema = {
  turn: global(range((b) => b.irqs + 1)),
  user: perCpu(bool),
  running: perCpu(thread),
  next: perTask(task),
  fixed: perMm(range(1)),
  kind: perThread(perContext(range(6))),
  wide: perMm(range(2 ** 30)),
};
const packing = makePacking(schema, bounds);

/** Any legal state, drawn value by value from the layout. */
const states = fc.tuple(...packing.describe().map((cell) => fc.nat(cell.size - 1))).map((values) => {
  const state = packing.zero() as unknown as Record<string, never>;
  packing.describe().forEach((cell, i) => {
    const [outer, inner] = cell.index;
    if (outer === undefined) Object.assign(state, { [cell.field]: values[i] });
    else if (inner === undefined) (state[cell.field] as number[])[outer] = values[i];
    else (state[cell.field] as number[][])[outer][inner] = values[i];
  });
  return state as unknown as ReturnType<typeof packing.zero>;
});

function pack(state: ReturnType<typeof packing.zero>): Uint32Array {
  const words = new Uint32Array(packing.words);
  packing.pack(state, words, 0);
  return words;
}

test('unpacking is the inverse of packing, and leaves the words around the state alone', () => {
  fc.assert(
    fc.property(states, (state) => {
      const words = new Uint32Array(packing.words + 2).fill(0xdeadbeef);
      packing.pack(state, words, 1);
      expect([words[0], words.at(-1)]).toEqual([0xdeadbeef, 0xdeadbeef]);
      const copy = packing.zero();
      packing.unpack(words, 1, copy);
      expect(copy).toEqual(state);
    }),
  );
});

test('restoring over any other state gives the same as unpacking', () => {
  fc.assert(
    fc.property(states, states, (held, wanted) => {
      const bound = packing.bind(held);
      bound.restore(pack(wanted), pack(held));
      expect(held).toEqual(wanted);
    }),
  );
});

test('each value has its own bits, and no value straddles two words', () => {
  const used = new Map<string, string>();
  for (const cell of packing.describe()) {
    expect(cell.shift + cell.bits).toBeLessThanOrEqual(32);
    for (let bit = cell.shift; bit < cell.shift + cell.bits; bit++) {
      expect(used.get(`${cell.word}.${bit}`)).toBeUndefined();
      used.set(`${cell.word}.${bit}`, cell.field);
    }
  }
});

test('sizes follow the sorts and the bounds', () => {
  const sizeOf = (field: string) => packing.describe().find((cell) => cell.field === field)?.size;
  expect(['turn', 'user', 'running', 'next', 'fixed', 'kind'].map(sizeOf)).toEqual([5, 2, 5, 3, 1, 6]);
  expect(packing.describe().filter((cell) => cell.field === 'kind')).toHaveLength(5 * 2);
});

test('the transient property number is not packed, and unpacking clears it', () => {
  const state = packing.zero();
  state.failed = 9;
  const words = pack(state);
  expect(words).toEqual(new Uint32Array(packing.words));
  packing.unpack(words, 0, state);
  expect(state.failed).toBe(0);
});

test.each([
  ['too large', 6, 'kind[4][1] is 6, but its sort has the values 0..5'],
  ['negative', -1, 'kind[4][1] is -1, '],
  ['read beyond an array', undefined as unknown as number, 'kind[4][1] is undefined, '],
])('a value that is %s is refused by name', (_, value, message) => {
  const state = packing.zero();
  state.kind[4][1] = value;
  expect(() => pack(state)).toThrow(ValueRangeError);
  expect(() => pack(state)).toThrow(message);
});

test('a number without an index is checked like any other', () => {
  const state = packing.zero();
  state.turn = 5;
  expect(() => pack(state)).toThrow('turn is 5, but its sort has the values 0..4');
});

test('a sort without values is refused with the name of its field', () => {
  expect(() => makePacking({ empty: perCpu(range((b) => b.mms - 2)) }, bounds)).toThrow(
    'field empty: a sort has 1..2^30 values, not 0',
  );
});

test('a schema whose extents are all zero still has one word', () => {
  expect(makePacking({ user: perCpu(bool) }, { ...bounds, cpus: 0 }).words).toBe(1);
});
