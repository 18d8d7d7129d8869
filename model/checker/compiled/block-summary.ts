/**
 * What the kernel has to know of 32 neighbouring values of the last CPU at once (`blocks` of step-memory.ts), summed up
 * from the records of each.
 */
import type { Slots } from './components';
import { BLOCK_BITS, isPlain } from './state-set';
import { BLOCK_RECORD, COUNT_BITS, RECORD_HEAD, type StepMemory, stepStride } from './step-memory';

const { or: addBits } = Atomics;

/** Sums up the record of a value of the last CPU. `place`: in `local`. */
export function noteInBlock({ blocks, records }: StepMemory, slots: Slots, place: number, record: number): void {
  const { words, globals } = slots;
  const value = place >> globals.bits;
  const block = (((value >> BLOCK_BITS) << globals.bits) | (place & ((1 << globals.bits) - 1))) * BLOCK_RECORD;
  const steps = records[record];
  let isQuiet = records[record + 1] === 0 && steps < 1 << COUNT_BITS;
  for (let i = 0; i < steps; i++) isQuiet &&= isPlain(records[record + RECORD_HEAD + i * stepStride(words) + words]);
  const bit = 1 << value;
  if (isQuiet) blocks[block + 1] |= bit;
  if (steps > 0) blocks[block + 2] |= bit;
  for (let i = 0; i < COUNT_BITS; i++) if (((steps >> i) & 1) === 1) blocks[block + 3 + i] |= bit;
  // What says that all this is known comes last.
  addBits(blocks, block, bit);
}
