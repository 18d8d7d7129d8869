/**
 * Promises: a value of the last CPU is said to be known, to have steps and how many, and to be quiet if it has none but
 * plain steps and few enough to be counted; nothing is said of its neighbours.
 */
import { noteInBlock } from './block-summary';
import { FIRST_CAPACITIES, makeSlots } from './components';
import { BLOCK_STATES, FAR } from './state-set';
import { BLOCK_RECORD, COUNT_BITS, makeStepMemory, RECORD_HEAD, stepStride } from './step-memory';

const PLAIN = 3 << 16;
const BACK = -3 << 16;
const WITH_GLOBALS = (3 << 16) | 1;
const GLOBALS_BACK = (3 << 16) | 0xffff;

const slots = makeSlots(2, 3, FIRST_CAPACITIES);
const { words, globals } = slots;

/**
 * What is said after a record with these moves and so many crossing steps: for each word of the block record the values
 * whose bits are set.
 */
function noted(value: number, moves: readonly number[], candidates: number): number[][] {
  const memory = makeStepMemory({
    slots,
    wideWords: 1,
    capacities: FIRST_CAPACITIES,
    renamings: 0,
    regionWords: 2 ** 20,
  });
  memory.records.set([moves.length, candidates], 1);
  moves.forEach((move, i) => {
    memory.records[1 + RECORD_HEAD + i * stepStride(words) + words] = move;
  });
  noteInBlock(memory, slots, (value << globals.bits) | 5, 1);
  return Array.from({ length: BLOCK_RECORD }, (_, word) =>
    Array.from(memory.blocks).flatMap((bits, at) => {
      if (at % BLOCK_RECORD !== word || bits === 0) return [];
      const block = Math.floor(at / BLOCK_RECORD);
      expect(block % 2 ** globals.bits).toBe(5);
      const first = (block >> globals.bits) * BLOCK_STATES;
      return Array.from({ length: BLOCK_STATES }, (_, i) => first + i).filter((_, i) => ((bits >>> i) & 1) === 1);
    }),
  );
}

const most = 2 ** COUNT_BITS - 1;
const plain = (count: number) => Array.from({ length: count }, () => PLAIN);

test.each([
  ['no step at all', [], 0, true],
  ['one plain step', [PLAIN], 0, true],
  ['plain steps back and forth', [PLAIN, BACK], 0, true],
  ['as many plain steps as can be counted', plain(most), 0, true],
  ['more than can be counted', plain(most + 1), 0, false],
  ['a change of the globals', [WITH_GLOBALS], 0, false],
  ['a change of the globals, back', [PLAIN, GLOBALS_BACK], 0, false],
  ['a change of the globals before a plain step', [WITH_GLOBALS, PLAIN], 0, false],
  ['a step that leads far', [PLAIN, FAR], 0, false],
  ['a crossing step', [PLAIN], 1, false],
  ['none but a crossing step', [], 1, false],
] as const)('%s', (_, moves, candidates, isQuiet) => {
  for (const value of [0, 31, 32, 63, 100]) {
    const bits = noted(value, moves, candidates);
    const expected = [true, isQuiet, moves.length > 0];
    for (let i = 0; i < COUNT_BITS; i++) expected.push(((moves.length >> i) & 1) === 1);
    expect(bits).toEqual(expected.map((isSet) => (isSet ? [value] : [])));
  }
});
