import { expectSame } from './testing/expectations';
import { differenceHigh, sumHigh } from './words';

const WORDS = [0, 1, 2, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];

/** The high word, as a signed number, of a 64-bit value. */
const highOf = (value: bigint) => Number(BigInt.asIntN(32, value >> 32n));

test('the high words of a sum and of a difference are those of 64-bit arithmetic', () => {
  for (const hi of WORDS) {
    for (const lo of WORDS) {
      for (const n of WORDS) {
        const value = (BigInt(hi) << 32n) | BigInt(lo);
        expectSame(sumHigh(hi | 0, (lo + n) | 0, n | 0), highOf(value + BigInt(n)));
        expectSame(differenceHigh(hi | 0, lo | 0, n | 0), highOf(value - BigInt(n)));
        const pair = (BigInt(n) << 32n) | BigInt(n);
        expectSame(sumHigh(hi + n, (lo + n) | 0, n | 0), highOf(value + pair));
        expectSame(differenceHigh(hi - n, lo | 0, n | 0), highOf(value - pair));
      }
    }
  }
});
