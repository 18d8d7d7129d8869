/**
 * A counterexample as text, made to be read and diffed: each action on one line, keys always in the same order, a
 * newline at the end. Equal cases give equal bytes, embedded images with the same zlib.
 */
import { gzipSync } from 'node:zlib';
import { type Counterexample, checkCounterexample } from './schema';

const ACTION_KEYS = ['action', 'cpu', 'rule', 'args', 'count', 'vector', 'at', 'choices'];
const BOUNDS_KEYS = ['cpus', 'tasks', 'mms', 'nesting', 'nmis', 'irqs'];
/** Characters of an embedded image in a line. */
const LINE = 100;
const EXPECTED_KEYS = ['kind', 'property', 'step', 'field', 'message'];
const ORIGIN_KEYS = ['seed', 'run', 'strategy', 'lengthBeforeShrinking', 'date'];

export function serializeCounterexample(made: Counterexample): string {
  const c = checkCounterexample(made);
  const lines = [
    ...members(c, ['format', 'version', 'property', 'design', 'mutant', 'table']).map((m) => `  ${m}`),
    `  "bounds": ${inline(c.bounds, BOUNDS_KEYS)}`,
    `  "image": ${image(c.image)}`,
    `  "actions": ${block(
      c.actions.map((a) => inline(a, ACTION_KEYS)),
      '  ',
    )}`,
    `  "expected": {\n${expectedLines(c.expected).join(',\n')}\n  }`,
    `  "origin": ${inline(c.origin, ORIGIN_KEYS)}`,
  ];
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** An embedded image as the gzip of its bytes, in lines that a mail does not break. */
function image({ sha256, elf }: Counterexample['image']): string {
  if (elf === undefined) return inline({ sha256 }, ['sha256']);
  const text = gzipSync(Buffer.from(elf, 'base64'), { level: 9 }).toString('base64');
  const lines = text.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  const rows = lines.map((line) => JSON.stringify(line));
  return `{\n    "sha256": ${JSON.stringify(sha256)},\n    "elf": ${block(rows, '    ')}\n  }`;
}

function expectedLines(expected: Counterexample['expected']): string[] {
  const fingerprints = expected.fingerprints.map((f) => JSON.stringify(f));
  return [
    ...members(expected, EXPECTED_KEYS).map((m) => `    ${m}`),
    `    "fingerprints": ${block(fingerprints, '    ')}`,
  ];
}

/** The members of `value` that are there, in the order of `keys`. */
function members(value: object, keys: readonly string[]): string[] {
  const entries = new Map<string, unknown>(Object.entries(value));
  return keys.filter((key) => entries.get(key) !== undefined).map((key) => `"${key}": ${scalar(entries.get(key))}`);
}

function scalar(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(scalar).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{ ${keys.map((key) => `${JSON.stringify(key)}: ${scalar(value[key as keyof typeof value])}`).join(', ')} }`;
}

function inline(value: object, keys: readonly string[]): string {
  return `{ ${members(value, keys).join(', ')} }`;
}

function block(rows: readonly string[], indent: string): string {
  return rows.length === 0 ? '[]' : `[\n${rows.map((row) => `${indent}  ${row}`).join(',\n')}\n${indent}]`;
}
