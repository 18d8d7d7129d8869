/**
 * A small simulator of AIGER in ASCII, for tests: it knows the format and nothing of who wrote it. It goes through 32
 * cycles at once, one a bit of a word.
 */

interface Cycle {
  /** By latch, what it is after the cycle: a word of `0` and `1`. */
  readonly next: string;
  /** The bad outputs that are true in it. */
  readonly bad: readonly string[];
}

/** An AIGER file. */
export interface Simulator {
  readonly inputs: number;
  readonly latches: readonly string[];
  /** By latch, what it is at first: a word of `0` and `1`. */
  readonly resets: string;
  readonly comment: readonly string[];
  /** One cycle from this state for each number that the inputs can be in binary. */
  cycles(state: string): Cycle[];
}

export function simulatorOf(text: string): Simulator {
  const lines = text.trimEnd().split('\n');
  const [format, ...sizes] = lines[0].split(' ');
  if (format !== 'aag') throw new Error(`expected an AIGER file in ASCII, found ${format}`);
  const [most, inputs, latches, outputs, ands, bads = 0] = sizes.map(Number);
  let at = 1;
  const take = (count: number) => {
    at += count;
    return lines.slice(at - count, at).map((line) => line.split(' ').map(Number));
  };
  const [inputRows, latchRows, , badRows, andRows] = [inputs, latches, outputs, bads, ands].map(take);
  const end = lines.indexOf('c', at);
  const symbols = new Map(lines.slice(at, end).map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]));
  const names = (letter: string, count: number) =>
    Array.from({ length: count }, (_, i) => symbols.get(`${letter}${i}`) ?? `${letter}${i}`);
  const badNames = names('b', bads);

  /** Lane i of each word is the cycle with the inputs `first + i`. */
  function lanes(state: string, first: number): Cycle[] {
    const words = new Int32Array(most + 1);
    const word = (literal: number) => words[literal >> 1] ^ -(literal & 1);
    inputRows.forEach(([literal], i) => {
      for (let lane = 0; lane < 32; lane++) words[literal >> 1] |= (((first + lane) >> i) & 1) << lane;
    });
    latchRows.forEach(([literal], i) => {
      words[literal >> 1] = state[i] === '1' ? -1 : 0;
    });
    for (const [literal, left, right] of andRows) words[literal >> 1] = word(left) & word(right);
    const isTrue = (literal: number, lane: number) => ((word(literal) >> lane) & 1) === 1;
    return Array.from({ length: Math.min(32, 2 ** inputs) }, (_, lane) => ({
      next: latchRows.map(([, next]) => (isTrue(next, lane) ? '1' : '0')).join(''),
      bad: badNames.filter((_, i) => isTrue(badRows[i][0], lane)),
    }));
  }

  return {
    inputs,
    latches: names('l', latches),
    resets: latchRows.map(([, , reset = 0]) => reset).join(''),
    comment: lines.slice(end + 1),
    cycles: (state) => Array.from({ length: Math.ceil(2 ** inputs / 32) }, (_, i) => lanes(state, 32 * i)).flat(),
  };
}
