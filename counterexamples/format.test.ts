import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { counterexamples, sample } from './arbitraries';
import { CounterexampleError, type CounterexampleErrorKind } from './counterexample-error';
import { designName, imageHash, traceLength } from './format';
import { parseCounterexample } from './schema';
import { serializeCounterexample } from './serialize';

function errorOf(text: string): CounterexampleError {
  try {
    parseCounterexample(text, 'case.json');
  } catch (error) {
    if (error instanceof CounterexampleError) return error;
    throw error;
  }
  throw new Error(`expected a CounterexampleError, found a counterexample in ${text}`);
}

const text = serializeCounterexample(sample);

/** The sample with one part replaced, as text. */
function altered(change: object): string {
  return JSON.stringify({ ...JSON.parse(text), ...change });
}

test('what is written is what is read', () => {
  fc.assert(
    fc.property(counterexamples, (c) => {
      expect(parseCounterexample(serializeCounterexample(c), 'case.json')).toEqual(c);
    }),
  );
});

describe('an embedded image', () => {
  const bytes = readFileSync(path.resolve(__dirname, '../emulator/guest/mainline/mainline.elf'));
  const elf = bytes.toString('base64');
  const own = { ...sample, image: { sha256: imageHash(bytes), elf } };
  const gzip = (data: Uint8Array) => gzipSync(data).toString('base64');
  const withElf = (value: unknown) => altered({ image: { ...own.image, elf: value } });

  test('is a few short lines of gzip in the file, and the same bytes when it is read', () => {
    const written = serializeCounterexample(own);
    expect(Math.max(...written.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(written.length).toBeLessThan(elf.length / 3);
    expect(parseCounterexample(written, 'case.json')).toEqual(own);
  });

  test('is read from one line of base64, too, as older files have it', () =>
    expect(parseCounterexample(withElf(elf), 'case.json')).toEqual(own));

  test.each<[string, unknown]>([
    ['of another image', [gzip(Buffer.from('other'))]],
    ['that are no gzip', [elf.slice(0, 100)]],
    ['of which one is missing', [gzip(bytes).slice(0, 1000)]],
    ['without any', []],
    ['that are no text', [1, 2]],
    ['that are longer than a line', [gzip(bytes)]],
    ['that unpack to more than an image can have', gzip(Buffer.alloc(17 * 1024 * 1024)).match(/.{1,200}/g)],
  ])('in lines %s is refused', (_, value) => {
    const error = errorOf(withElf(value));
    expect(error.kind).toBe('damaged');
    expect(error.message).toMatch(/^case\.json: expected .* image\.elf.*\.$/);
  });
});

test('the text does not depend on the order of the keys', () => {
  fc.assert(
    fc.property(counterexamples, (c) => {
      const reversed = JSON.parse(JSON.stringify(c), (_, value) =>
        typeof value === 'object' && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).reverse())
          : value,
      );
      expect(serializeCounterexample(reversed)).toBe(serializeCounterexample(c));
    }),
  );
});

test('a diff of two files reads as a trace: one action a line', () => {
  expect(text).toBe(`{
  "format": "pti-check counterexample",
  "version": 1,
  "property": "scheduled-out-on-own-stack",
  "design": "deferred-percpu",
  "bounds": { "cpus": 2, "tasks": 2, "mms": 1, "nesting": 2, "nmis": 1, "irqs": 2 },
  "image": { "sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
  "actions": [
    { "action": "step", "cpu": 0, "rule": "syscall" },
    { "action": "run", "cpu": 0, "count": 3, "choices": [1, 0] },
    { "action": "irq", "cpu": 0, "vector": 32, "at": "do_syscall_64+0x12" },
    { "action": "step", "cpu": 0, "rule": "switch-to", "args": [1], "choices": [3] },
    { "action": "nmi", "cpu": 1 }
  ],
  "expected": {
    "kind": "violated",
    "property": "scheduled-out-on-own-stack",
    "step": 4,
    "message": "task 0 was scheduled out on the entry stack of CPU 0",
    "fingerprints": [
      "00112233445566aa",
      "ffeeddccbbaa9988"
    ]
  },
  "origin": { "seed": "a seed", "run": 7, "strategy": "random", "lengthBeforeShrinking": 41, "date": "2026-01-31" }
}
`);
});

test('cut off at any byte, it is a truncated counterexample', () => {
  const bytes = Buffer.from(text);
  // The last byte is the newline at the end, whose loss loses nothing.
  for (let length = 0; length < bytes.length - 1; length++) {
    expect(errorOf(bytes.subarray(0, length).toString()).kind).toBe('truncated');
  }
});

test('whatever is changed, it is a counterexample or a typed error', () => {
  const edit = fc.tuple(
    fc.nat(text.length - 1),
    fc.oneof(fc.constantFrom('{', '}', '"', ',', '-', '9', ''), fc.string({ maxLength: 3 })),
  );
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
      const characters = [...text];
      for (const [at, replacement] of edits) characters[at] = replacement;
      try {
        parseCounterexample(characters.join(''), 'case.json');
      } catch (error) {
        expect(error).toBeInstanceOf(CounterexampleError);
        expect((error as Error).message).toMatch(/^case\.json: expected .*\.$/);
      }
    }),
    { numRuns: 1000 },
  );
});

test.each<[string, string, CounterexampleErrorKind, RegExp]>([
  ['an empty file', '', 'truncated', /end of the file/],
  ['other JSON', '{"name":"x"}', 'foreign', /other JSON/],
  ['a JSON list', '[1]', 'foreign', /other JSON/],
  ['null', 'null', 'foreign', /other JSON/],
  ['a shell script', '#!/bin/sh', 'foreign', /not a JSON object/],
  ['a broken line', text.replace('"cpu": 0,', '"cpu": 0;'), 'damaged', /does not parse/],
  ['a newer version', altered({ version: 2, news: true }), 'newer', /found version 2; replay it with a newer/],
  ['a version that is none', altered({ version: '1' }), 'damaged', /version/],
  ['a missing part', altered({ bounds: undefined }), 'damaged', /bounds/],
  ['an unknown key', altered({ extra: 1 }), 'damaged', /extra/],
  ['an unknown action', altered({ actions: [{ action: 'jump', cpu: 0 }] }), 'damaged', /actions\[0\]/],
  [
    'a CPU outside the bounds',
    altered({ actions: [{ action: 'nmi', cpu: 2 }] }),
    'damaged',
    /actions\[0\]\.cpu.*below bounds\.cpus/,
  ],
  ['half a number', altered({ actions: [{ action: 'run', cpu: 0, count: 1.5 }] }), 'damaged', /actions\[0\]\.count/],
  ['a place that is code', altered({ actions: [{ action: 'nmi', cpu: 0, at: 'exit(1)' }] }), 'damaged', /symbol\+0x12/],
  ['a property that is a path', altered({ property: '../../etc/passwd' }), 'damaged', /property/],
  ['a design that is a path', altered({ design: 'a/b' }), 'damaged', /design/],
  ['an upper-case rule', altered({ actions: [{ action: 'step', cpu: 0, rule: 'Rule' }] }), 'damaged', /rule/],
  [
    'another property expected',
    altered({ expected: { ...sample.expected, property: 'x' } }),
    'damaged',
    /expected\.property/,
  ],
  ['a step after the end', altered({ expected: { ...sample.expected, step: 6 } }), 'damaged', /expected\.step/],
  ['an image that is another', altered({ image: { ...sample.image, elf: 'AAAA' } }), 'damaged', /image\.elf/],
  [
    'a key that would reach a prototype',
    text.replace('"version": 1', '"version": 1, "__proto__": {}'),
    'damaged',
    /__proto__/,
  ],
])('%s gets one sentence', (_, input, kind, message) => {
  const error = errorOf(input);
  expect(error.kind).toBe(kind);
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/^case\.json: expected .*\.$/);
});

test('a message never moves the cursor of a terminal', () => {
  expect(errorOf(altered({ '\u001b[2J\n': 1 })).message).not.toMatch(/\p{Cc}/u);
});

test('what would not read back is not written', () => {
  expect(() => serializeCounterexample({ ...sample, property: 'Not A Slug' })).toThrow(TypeError);
});

test('the length of a trace counts its model transitions, not its runs', () =>
  expect(traceLength(sample.actions)).toBe(4));

test('a mutant is named after its design', () => {
  expect(designName(sample)).toBe('deferred-percpu');
  expect(designName({ design: 'mainline', mutant: 'sti-on-trampoline' })).toBe('mainline+sti-on-trampoline');
});
