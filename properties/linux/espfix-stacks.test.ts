/** Promise: an alias of the ESPFIX stack of a CPU is that CPU's, and nothing else there is. */
import { EspfixStacks } from './espfix-stacks';

const BASE = -(2 ** 40) + 0x400000000;
/** The slots of two CPUs lie in one page. */
const SLOTS = [BASE + 0x3c0, BASE + 0x340];
const stacks = new EspfixStacks(
  { near: (va) => va, pointerAt: (pa) => SLOTS[pa] },
  { symbols: { find: () => 0 } },
  [0, 1],
);
/** With bits 16 to 31 of a user stack pointer. */
const alias = (slot: number, bits: number) => slot + bits * 0x10000;

test.each([
  ['its own address', SLOTS[0] + 8, 'espfix(c0)'],
  ['any alias', alias(SLOTS[0], 0xbeef) + 40, 'espfix(c0)'],
  ['the other CPU', alias(SLOTS[1], 3) + 64, 'espfix(c1)'],
  ['between the slots', alias(SLOTS[1], 3) + 72, undefined],
  ['the direct map', -(2 ** 46), undefined],
  ['user memory', 0x7000, undefined],
])('%s', (_name, rsp, expected) => {
  expect(stacks.regionOf(rsp)?.name).toBe(expected);
});

test('a kernel without ESPFIX has none', () => {
  const none = new EspfixStacks({ near: (va) => va, pointerAt: () => 0 }, { symbols: { find: () => undefined } }, [0]);
  expect(none.regionOf(SLOTS[0])).toBeUndefined();
});
