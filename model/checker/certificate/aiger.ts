/**
 * Reads an AIGER file in ASCII as `export --to aiger` writes it: with the names of latches and bad outputs, and in the
 * comment the bounds and the rules.
 */
import { CertificateError } from './certificate';

interface AigerLatch {
  /** `stack[0].2`: bit 2 of that value. */
  readonly name: string;
  readonly literal: number;
  readonly next: number;
  readonly reset: number;
}

export interface Aiger {
  /** Of variables, with the constant. */
  readonly size: number;
  readonly inputs: readonly number[];
  readonly latches: readonly AigerLatch[];
  readonly bad: readonly { readonly name: string; readonly literal: number }[];
  /** By variable, the operands of its conjunction; 0 and 0 where it has none. */
  readonly lefts: Int32Array;
  readonly rights: Int32Array;
  /** The names of the rule instances, by their numbers. */
  readonly rules: readonly string[];
  readonly bounds: { readonly cpus: number; readonly tasks: number; readonly mms: number; readonly nesting: number };
}

function fail(expected: string): never {
  throw new CertificateError(`expected ${expected} in the AIGER file`);
}

export function readAiger(text: string): Aiger {
  const lines = text.split('\n');
  const [format, ...header] = lines[0].split(' ');
  const [most, inputs, latches, outputs, ands, bads, ...others] = header.map(Number);
  if (format !== 'aag' || outputs !== 0 || others.some((count) => count !== 0))
    fail('ASCII, and nothing but inputs, latches, bad outputs and conjunctions');
  let at = 1;
  const rows = (count: number) => {
    at += count;
    return lines.slice(at - count, at).map((line) => line.split(' ').map(Number));
  };
  const [inputRows, latchRows, badRows, andRows] = [inputs, latches, bads, ands].map(rows);
  const end = lines.indexOf('c', at);
  if (end < 0) fail('a comment');
  const symbols = new Map(lines.slice(at, end).map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]));
  const lefts = new Int32Array(most + 1);
  const rights = new Int32Array(most + 1);
  const isDefined = new Uint8Array(most + 1);
  isDefined[0] = 1;
  for (const [literal] of [...inputRows, ...latchRows]) isDefined[literal >> 1] = 1;
  for (const [literal, left, right] of andRows) {
    if (isDefined[left >> 1] === 0 || isDefined[right >> 1] === 0) fail('conjunctions after their operands');
    isDefined[literal >> 1] = 1;
    lefts[literal >> 1] = left;
    rights[literal >> 1] = right;
  }
  const comment = lines.slice(end + 1);
  return {
    size: most + 1,
    inputs: inputRows.map(([literal]) => literal),
    latches: latchRows.map(([literal, next, reset = 0], i) => ({
      name: symbols.get(`l${i}`) ?? fail(`a name of latch ${i}`),
      literal,
      next,
      reset,
    })),
    bad: badRows.map(([literal], i) => ({ name: symbols.get(`b${i}`) ?? `bad output ${i}`, literal })),
    lefts,
    rights,
    rules: comment.flatMap((line) => /^rule \d+ (.*)$/.exec(line)?.[1] ?? []),
    bounds: boundsIn(comment.find((line) => line.startsWith('Bounds: ')) ?? fail('the bounds')),
  };
}

function boundsIn(line: string): Aiger['bounds'] {
  const of = (name: string) => Number(new RegExp(`\\b${name} (\\d+)`).exec(line)?.[1] ?? fail(`the bound ${name}`));
  return { cpus: of('cpus'), tasks: of('tasks'), mms: of('mms'), nesting: of('nesting') };
}
