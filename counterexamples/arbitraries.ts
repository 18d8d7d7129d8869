/** Arbitrary counterexamples for the tests of this folder: every shape that the format allows, with small numbers. */
import * as fc from 'fast-check';
import { type Action, type Counterexample, FORMAT, imageHash, VERSION } from './format';

const word = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('-'));
const place = fc.stringMatching(/^[A-Za-z_.$][\w.$]{0,10}(\+0x[0-9a-f]{1,4})?$/);
const hex = (digits: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const choices = fc.array(fc.nat(15), { maxLength: 4 });

const MAX_CPUS = 4;
const actionsBelow = Array.from({ length: MAX_CPUS + 1 }, (_, cpus) => actionBelow(Math.max(cpus, 1)));

function actionBelow(cpus: number): fc.Arbitrary<Action> {
  const cpu = fc.nat(cpus - 1);
  const args = fc.array(fc.nat(0xffff), { maxLength: 3 });
  return fc.oneof(
    fc.record(
      { action: fc.constant('step' as const), cpu, rule: name, args, choices },
      { requiredKeys: ['action', 'cpu', 'rule'] },
    ),
    fc.record(
      { action: fc.constant('run' as const), cpu, count: fc.nat(100), choices },
      { requiredKeys: ['action', 'cpu', 'count'] },
    ),
    fc.record(
      { action: fc.constant('irq' as const), cpu, vector: fc.integer({ min: 16, max: 255 }), at: place },
      { requiredKeys: ['action', 'cpu', 'vector'] },
    ),
    fc.record({ action: fc.constant('nmi' as const), cpu, at: place }, { requiredKeys: ['action', 'cpu'] }),
  );
}

// Made once: a new one for each value would cost most of the time.
const fingerprint = hex(16);
// Any text that UTF-8 can hold. fast-check's own unit 'binary' is the same, and fills a map of all code points first,
// which takes a second.
const isSurrogate = (code: number) => code >= 0xd800 && code <= 0xdfff;
const codePoint = fc.nat(0x10ffff).filter((code) => !isSurrogate(code));
const message = fc.string({ unit: codePoint.map((code) => String.fromCodePoint(code)) });
const field = fc.string({ maxLength: 20 });

/** A design in the file: to this folder any JSON object. */
const table = fc.dictionary(word, fc.oneof(fc.array(word, { maxLength: 3 }), fc.nat(9), fc.boolean()), { maxKeys: 3 });

const small = fc.integer({ min: 1, max: MAX_CPUS });
const bounds = fc.record({ cpus: small, tasks: small, mms: small, nesting: small, nmis: small, irqs: small });
const image = fc.oneof(
  hex(64).map((sha256) => ({ sha256 })),
  fc.uint8Array({ maxLength: 20 }).map((b) => ({ sha256: imageHash(b), elf: Buffer.from(b).toString('base64') })),
);
const origin = fc.record({
  seed: fc.string(),
  run: fc.nat(),
  strategy: fc.string(),
  lengthBeforeShrinking: fc.nat(),
  date: fc.constantFrom('2026-01-31', '2026-01-31T12:00:00.123Z'),
});

export const counterexamples: fc.Arbitrary<Counterexample> = bounds.chain((b) =>
  fc
    .tuple(
      name,
      name,
      fc.option(name, { nil: undefined }),
      fc.option(table, { nil: undefined }),
      image,
      fc.array(actionsBelow[b.cpus], { maxLength: 8 }),
      origin,
    )
    .chain(([property, design, mutant, own, elf, actions, from]) =>
      fc
        .record(
          {
            kind: fc.constantFrom('violated' as const, 'diverged' as const),
            property: fc.constant(property),
            step: fc.nat(actions.length),
            field,
            message,
            fingerprints: fc.array(fingerprint, { maxLength: actions.length }),
          },
          { requiredKeys: ['kind', 'property', 'step', 'message', 'fingerprints'] },
        )
        .map((expected) => ({
          format: FORMAT,
          version: VERSION,
          property,
          design,
          ...(mutant === undefined ? {} : { mutant }),
          ...(own === undefined ? {} : { table: own }),
          bounds: b,
          image: elf,
          actions,
          expected,
          origin: from,
        })),
    ),
);

/** One plain case, for the tests that only need some file. */
export const sample: Counterexample = {
  format: FORMAT,
  version: VERSION,
  property: 'scheduled-out-on-own-stack',
  design: 'deferred-percpu',
  bounds: { cpus: 2, tasks: 2, mms: 1, nesting: 2, nmis: 1, irqs: 2 },
  image: { sha256: '0123456789abcdef'.repeat(4) },
  actions: [
    { action: 'step', cpu: 0, rule: 'syscall' },
    { action: 'run', cpu: 0, count: 3, choices: [1, 0] },
    { action: 'irq', cpu: 0, vector: 32, at: 'do_syscall_64+0x12' },
    { action: 'step', cpu: 0, rule: 'switch-to', args: [1], choices: [3] },
    { action: 'nmi', cpu: 1 },
  ],
  expected: {
    kind: 'violated',
    property: 'scheduled-out-on-own-stack',
    step: 4,
    message: 'task 0 was scheduled out on the entry stack of CPU 0',
    fingerprints: ['00112233445566aa', 'ffeeddccbbaa9988'],
  },
  origin: { seed: 'a seed', run: 7, strategy: 'random', lengthBeforeShrinking: 41, date: '2026-01-31' },
};
