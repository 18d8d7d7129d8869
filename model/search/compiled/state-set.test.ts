/**
 * Promises: each combination of component values has a bit of its own in its region, within the words that the region takes; regions do not overlap; what is
 * counted as used is what lies between the values that have been met.
 */
import { FIRST_CAPACITIES, makeSlots } from './components';
import { type RegionSizes, regionAt, regionLayout, regionLength, usedWords } from './state-set';
import { COUNTS, makeStepMemory } from './step-memory';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const product = (lists: readonly (readonly number[])[]): number[][] =>
  lists.reduce<number[][]>((outer, list) => outer.flatMap((prefix) => list.map((value) => [...prefix, value])), [[]]);

/** The bit of a combination, counted from the beginning of its region. */
function bitOf(
  { cpus, threads }: RegionSizes,
  values: readonly number[],
  strides: readonly number[],
  offset: number,
): number {
  const last = cpus.length - 1;
  const others = values.map((value, i) => (i === last ? value >>> 5 : value * strides[i]));
  expect(strides).toHaveLength(cpus.length + threads.length + 1);
  return others.reduce((sum, words) => sum + words, -offset) * 32 + (values[last] & 31);
}

describe('a region', () => {
  test.each<RegionSizes>([
    { cpus: [3, 40], threads: [0, 2, 3], globals: 2 },
    { cpus: [33], threads: [0, 4], globals: 3 },
    { cpus: [2, 3, 5], threads: [], globals: 1 },
    { cpus: [1, 1], threads: [0, 0], globals: 1 },
    { cpus: [4, 64], threads: [0, 1, 0, 5], globals: 7 },
  ])('%j: every combination has its own bit', (sizes) => {
    const { strides, words, offset } = regionLayout(sizes);
    const values = product([
      ...sizes.cpus.map(range),
      ...sizes.threads.map((size) => (size === 0 ? [0] : range(size).map((value) => value + 1))),
      range(sizes.globals),
    ]);
    const bits = values.map((each) => bitOf(sizes, each, strides, offset));
    expect(new Set(bits).size).toBe(values.length);
    expect(Math.min(...bits)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...bits)).toBeLessThan(words * 32);
  });

  test('every combination of threads has its own entry', () => {
    for (const [cpus, threads] of [
      [1, 0],
      [2, 0],
      [2, 4],
      [3, 5],
    ]) {
      const occupants = Math.max(1, threads);
      const places = product(range(cpus).map(() => range(occupants))).map((running) =>
        regionAt({ cpus, threads, occupants }, running),
      );
      expect(places.sort((a, b) => a - b)).toEqual(
        range(occupants ** cpus).map((i) => i * regionLength(cpus, threads)),
      );
    }
  });
});

test('used is what lies between the values that have been met, of regions that exist', () => {
  const slots = makeSlots(2, 3, FIRST_CAPACITIES);
  const sizes = { slots, wideWords: 1, capacities: FIRST_CAPACITIES, renamings: 0, regionWords: 2 ** 20 };
  const memory = makeStepMemory(sizes);
  expect(usedWords(memory, slots)).toBe(0);
  const at = regionAt({ cpus: 2, threads: 3, occupants: 3 }, [0, 2]);
  memory.regions[at] = 1;
  // CPU 0 with thread 0, CPU 1 with thread 2, thread 1 asleep, globals: 5 * ceil(70 / 32) * 4 * 2.
  memory.control[COUNTS] = 5;
  memory.control[COUNTS + 3 + 2] = 70;
  memory.control[COUNTS + 6 + 1] = 4;
  memory.control[COUNTS + 6 + 3] = 2;
  // Values of a CPU with a thread that it does not run in this region.
  memory.control[COUNTS + 1] = 1000;
  expect(usedWords(memory, slots)).toBe(5 * 3 * 4 * 2);
});
