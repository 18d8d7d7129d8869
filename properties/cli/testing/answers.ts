/**
 * For tests: what each command answers with --json. Strict objects: a key that is not in the contract fails here.
 */
import { z } from 'zod';
import type { Ended } from './pti-check';

/** The one line of JSON that a command has answered, checked. */
export function read<T extends z.ZodType>(schema: T, { stdout }: Pick<Ended, 'stdout'>): z.infer<T> {
  const lines = stdout.trimEnd().split('\n');
  if (lines.length !== 1) throw new RangeError(`expected one line of JSON, found ${lines.length}: ${stdout}`);
  return schema.parse(JSON.parse(stdout));
}

const count = z.int().min(0);
const seconds = z.number().min(0);
const slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/);
const id = z.string().regex(/^([a-z0-9-]+(\+[a-z0-9-]+)?|.+\.json)$/);
const sizes = { cpus: count, tasks: count, mms: count };
const bounds = z.strictObject({ ...sizes, nesting: count, nmis: count, irqs: count });
const limit = z.union([count, z.literal('any')]);
const openBounds = z.strictObject({ ...sizes, nesting: limit, nmis: limit, irqs: limit });
const action = z.looseObject({ action: z.enum(['step', 'run', 'irq', 'nmi']), cpu: count });

export const verifyAnswer = z.strictObject({
  design: id,
  bounds: openBounds,
  reductions: z.array(z.enum(['symmetry', 'por'])),
  threads: z.int().min(1),
  verdict: z.enum(['holds', 'violated', 'deadlock', 'unknown']),
  property: slug.optional(),
  states: count,
  transitions: count,
  depth: count.optional(),
  seconds,
  bytes: count.optional(),
  trace: z.array(action).optional(),
  neededMiB: count.optional(),
  mostStates: count.optional(),
  message: z.string().min(1),
  again: z.string().regex(/ verify --design /),
});

export const proveAnswer = z.strictObject({
  design: id,
  verdict: z.enum(['proved', 'violated', 'unknown']),
  property: slug.optional(),
  views: count,
  sleepers: count,
  nesting: count,
  cpusOfView: z.int().min(1).max(2),
  crossing: z.array(slug),
  cutoff: z.strictObject({ size: z.strictObject(sizes), met: count, of: count }).optional(),
  seconds,
  bounds: bounds.optional(),
  trace: z.array(action).optional(),
  obstacle: z
    .strictObject({ what: z.string(), element: z.string().optional(), open: z.array(z.string()), refine: z.string() })
    .optional(),
  message: z.string().min(1),
  certificate: z.strictObject({ file: z.string(), isWritten: z.boolean(), bytes: z.number() }).optional(),
  again: z.string().regex(/ prove --design /),
});

export const fuzzAnswer = z.strictObject({
  design: id,
  seed: z.string(),
  bounds,
  runs: count,
  steps: count,
  instructions: count,
  seconds,
  verdict: z.enum(['holds', 'violated', 'diverged', 'vacuous', 'unknown']),
  property: slug.optional(),
  field: z.string().optional(),
  message: z.string().optional(),
  run: count.optional(),
  actionsFound: count.optional(),
  actionsShrunk: count.optional(),
  shortest: count.optional(),
  shrinkingStopped: z.literal(true).optional(),
  counterexample: z.string().optional(),
  replay: z.strictObject({ seed: z.int(), path: z.string() }).optional(),
  coverage: z.strictObject({ hit: count, of: count }),
  vacuous: z.array(slug),
  unasked: z.array(slug).optional(),
  unchecked: z.array(z.strictObject({ property: z.string(), symbol: z.string() })),
  few: z.literal(true).optional(),
  note: z.string().optional(),
  again: z.string(),
});

const side = z.strictObject({
  cpu: count,
  thread: z.string(),
  cpl: count,
  cr3: z.string(),
  gs: z.enum(['kernel', 'user']),
  interrupts: count,
  nmi: z.string(),
  rip: z.string().regex(/^[\w.$]+(\+0x[0-9a-f]+)?$/),
  rsp: z.string().regex(/^[0-9a-f]{16}$/),
  stack: z.string(),
  state: z.record(z.string(), z.array(z.union([count, z.array(count)]))).nullable(),
});

const step = z.strictObject({
  step: z.int().min(1),
  action,
  name: z.string(),
  cpu: count,
  outcome: z.enum(['done', 'skipped', 'diverged', 'violated']),
  property: slug.optional(),
  field: z.string().optional(),
  message: z.string().optional(),
  instructions: count,
  instruction: z
    .strictObject({ how: z.enum(['ran', 'faulted', 'before']), place: z.string(), text: z.string() })
    .optional(),
  delivered: z.strictObject({ vector: count, handler: z.string() }).optional(),
  choices: z.array(z.strictObject({ place: z.string(), choice: count, alternatives: count })),
  before: side,
  after: side,
  changes: z.array(z.string()),
});

export const replayAnswer = z.strictObject({
  results: z.array(
    z.strictObject({
      file: z.string(),
      verdict: z.enum(['reproduced', 'passed', 'diverged', 'invalid']),
      property: slug.optional(),
      step: count.optional(),
      field: z.string().optional(),
      message: z.string().optional(),
      again: z
        .string()
        .regex(/ replay --step /)
        .optional(),
      steps: z.array(step).optional(),
    }),
  ),
});

const expected = z.enum(['safe', 'unsafe']);

const consequence = z.strictObject({
  verdict: z.enum(['holds', 'violated', 'deadlock', 'unknown']),
  property: slug.optional(),
  depth: count.optional(),
  trace: z.array(z.looseObject({ action: z.string() })).optional(),
  bounds: openBounds.optional(),
});

export const whyAnswer = z.strictObject({
  design: id,
  bounds: openBounds,
  itself: consequence,
  rows: z.array(
    z.strictObject({
      sequence: z.string(),
      step: z.string(),
      place: count,
      leftOut: consequence.optional(),
      exchangedWith: z.string().optional(),
      exchanged: consequence.optional(),
      reason: z.string().optional(),
    }),
  ),
  seconds,
});

export const designsAnswer = z.strictObject({
  designs: z.array(
    z.strictObject({
      id,
      title: z.string(),
      expected,
      property: slug.optional(),
      extraBytesPerTask: z.int(),
      minimumExtraBytesPerTask: count,
      userTablePages: count,
      source: z.string(),
      table: z.looseObject({ name: id }),
    }),
  ),
});

export const checkAnswer = z.strictObject({
  results: z.array(
    z.strictObject({
      design: id,
      expected,
      property: slug.optional(),
      asDeclared: z.boolean(),
      extraBytesPerTask: z.int(),
      verify: verifyAnswer,
      prove: proveAnswer,
      fuzz: fuzzAnswer,
    }),
  ),
});
