import { FULL, KNOWN, NO_PARENT, StateStore } from './state-store';

function filled(count: number): StateStore {
  const store = new StateStore(2, 2 ** 26);
  // Words that differ in high bits only, or in the second word only, must not collide more than others.
  for (let i = 0; i < count; i++)
    store.insert(Uint32Array.of((i & 0xff) << 24, i >>> 8), i === 0 ? NO_PARENT : i - 1, i);
  return store;
}

test('states come back in the order of discovery, across chunks and doublings of the table', () => {
  const store = filled(40_000);
  expect(store.size).toBe(40_000);
  const words = new Uint32Array(2);
  for (const record of [0, 1, 255, 256, 16_383, 16_384, 39_999]) {
    store.read(record, words);
    expect([...words]).toEqual([((record & 0xff) << 24) >>> 0, record >>> 8]);
    expect(store.insert(words, 0, 0)).toBe(KNOWN);
  }
});

test('the path of a state is the instances on its way from the initial state', () => {
  expect(filled(5).path(4)).toEqual([1, 2, 3, 4]);
  expect(filled(5).path(0)).toEqual([]);
});

test('a store that is full says so, keeps what it has, and stays within its limit', () => {
  const limit = 2 ** 20;
  const store = new StateStore(2, limit);
  let inserted = 0;
  while (store.insert(Uint32Array.of(inserted, 0), NO_PARENT, 0) !== FULL) inserted++;
  expect(store.size).toBe(inserted);
  expect(inserted).toBeGreaterThan(25_000);
  expect(store.bytes).toBeLessThanOrEqual(limit);
  expect(store.insert(Uint32Array.of(7, 0), NO_PARENT, 0)).toBe(KNOWN);
});
