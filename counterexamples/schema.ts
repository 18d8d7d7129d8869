/**
 * The counterexample file, version 1: one failing trace with everything that a replay needs and nothing that it must
 * trust. Rules, properties and designs are plain names here, matched against a pattern; what they mean is for the
 * reader of the trace. Nothing in a file is evaluated or used as a path. `origin` is provenance: replay never reads it.
 */
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { CounterexampleError } from './counterexample-error';
import { FORMAT, imageHash, VERSION } from './format';

// A double hyphen is excluded because it separates the parts of a file name.
const name = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected a name like entry-stack-is-coherent');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 lower-case hex digits');
const place = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_.$][\w.$]*(\+0x[0-9a-f]{1,8})?$/, 'expected a place like symbol+0x12');
const day = z.string().regex(/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?Z)?$/, 'expected a date like 2026-01-31');

const upTo = (max: number, min = 0) => z.int().min(min).max(max);
const cpu = upTo(63);
const choices = z.array(upTo(255)).max(10_000).optional();

/** A model rule on a CPU: it runs until the abstract state changes, and the change must be this rule. */
const step = z.strictObject({
  /** A step of the abstract machine. */
  action: z.literal('step'),
  /** The CPU that takes it. */
  cpu,
  /** Its rule. */
  rule: name,
  /** Its arguments after the CPU. */
  args: z.array(upTo(0xffff_ffff)).max(8).optional(),
  /** What the guest reads from its choice port meanwhile. */
  choices,
});
/** `count` instructions that are no model transition. */
const run = z.strictObject({
  /** Instructions that the abstract machine does not see. */
  action: z.literal('run'),
  /** The CPU that executes them. */
  cpu,
  /** How many. */
  count: upTo(10_000_000),
  /** What the guest reads from its choice port meanwhile. */
  choices,
});
/** An event raises a line; with `at`, the CPU first runs to that boundary. */
const irq = z.strictObject({
  /** A maskable interrupt. */
  action: z.literal('irq'),
  /** The CPU that it is for. */
  cpu,
  /** Its vector. */
  vector: upTo(255, 16),
  /** The instruction before which it comes, as symbol+offset. */
  at: place.optional(),
});
const nmi = z.strictObject({
  /** An NMI. */
  action: z.literal('nmi'),
  /** The CPU that it is for. */
  cpu,
  /** The instruction before which it comes, as symbol+offset. */
  at: place.optional(),
});

const action = z.discriminatedUnion('action', [step, run, irq, nmi]);

const bounds = z.strictObject({
  /** CPUs. */
  cpus: upTo(64, 1),
  /** User tasks. */
  tasks: upTo(1024, 1),
  /** Address spaces. */
  mms: upTo(1024, 1),
  /** Open contexts of a thread. */
  nesting: upTo(64),
  /** NMIs of a trace. */
  nmis: upTo(1024),
  /** Maskable interrupts of a trace. */
  irqs: upTo(1024),
});

const expected = z.strictObject({
  /** A property failed, or the machine did what the abstract machine does not allow. */
  kind: z.enum(['violated', 'diverged']),
  /** Slug of the property, or `refinement`. */
  property: name,
  /** How many actions are done when it shows; 0 is the initial state. */
  step: upTo(1_000_000),
  /** The first differing field, if it diverged. */
  field: z.string().max(200).optional(),
  /** What was expected, and what was found. */
  message: z.string(),
  /** The state after each step. */
  fingerprints: z.array(fingerprint),
});

const origin = z.strictObject({
  /** Seed of the campaign. */
  seed: z.string(),
  /** The run that found it. */
  run: upTo(Number.MAX_SAFE_INTEGER),
  /** How that run went. */
  strategy: z.string(),
  /** Transitions of the trace as it was found. */
  lengthBeforeShrinking: upTo(Number.MAX_SAFE_INTEGER),
  /** When. */
  date: day,
});

/** Bytes of an embedded image; a few kilobytes of gzip can claim to be gigabytes. */
const MAX_IMAGE = 16 * 1024 * 1024;

/**
 * The bytes of an image that is not one of the project's own. In a file: their gzip, in lines of base64, so that
 * `jq -r '.image.elf[]' FILE | base64 -d | gunzip` gives the image back; older files have one line of base64 without
 * gzip. In memory: base64 of the bytes.
 */
const elf = z
  .union([z.base64(), z.array(z.string().max(200)).min(1)], { error: 'expected lines of base64' })
  .transform((text, context) => {
    if (typeof text === 'string') return text;
    try {
      return gunzipSync(Buffer.from(text.join(''), 'base64'), { maxOutputLength: MAX_IMAGE }).toString('base64');
    } catch {
      // The engine's own message is no interface; whatever is wrong, these lines are no image.
      context.addIssue({
        code: 'custom',
        message: `expected lines of base64 that are the gzip of at most ${MAX_IMAGE / 2 ** 20} MiB`,
      });
      return z.NEVER;
    }
  });

/** The guest image: the hash of the file, and its bytes when the image is not one of the project's own. */
const image = z.strictObject({
  /** SHA-256 of the file, in hexadecimal. */
  sha256,
  /** The file in base64, where it is none of ours. */
  elf: elf.optional(),
});

/** The design itself, where it is none of the project's own. What it says is for the reader of the model. */
const table = z.record(z.string().max(64), z.unknown());

const schema = z
  .strictObject({
    /** What kind of file this is. */
    format: z.literal(FORMAT),
    /** Of the format. */
    version: z.literal(VERSION),
    /** Slug of the property that fails, or `refinement`. */
    property: name,
    /** The design that the code follows. */
    design: name,
    /** Its planted bug. */
    mutant: name.optional(),
    /** The design itself, where it is none of ours. */
    table: table.optional(),
    /** What the guest is booted with, and what the abstract machine was searched with. */
    bounds,
    /** The machine code. */
    image,
    /** The trace. */
    actions: z.array(action).max(1_000_000),
    /** What a replay has to find. */
    expected,
    /** Where it comes from. No replay reads it. */
    origin,
  })
  .superRefine(checkCoherence);

/** A model rule on a CPU: it runs until the abstract state changes, and the change must be this rule. */
export interface StepAction extends z.infer<typeof step> {}
/** Instructions that are no model transition. */
export interface RunAction extends z.infer<typeof run> {}
/** A maskable interrupt is raised; with `at`, the CPU first runs to that boundary. */
export interface IrqAction extends z.infer<typeof irq> {}
/** An NMI is raised; with `at`, the CPU first runs to that boundary. */
export interface NmiAction extends z.infer<typeof nmi> {}
/** One action of a trace. */
export type Action = StepAction | RunAction | IrqAction | NmiAction;
/** What the guest is booted with, and what the abstract machine was searched with. */
export type Bounds = z.infer<typeof bounds>;
/** What a replay has to find. */
export interface Expected extends z.infer<typeof expected> {}
/** Where a case comes from. */
export interface Origin extends z.infer<typeof origin> {}
/** A saved case: one failing trace with everything that a replay needs. */
export interface Counterexample extends z.infer<typeof schema> {}

// What no single field can say: the parts must fit each other.
function checkCoherence(c: Counterexample, context: z.RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  const stray = c.actions.findIndex((a) => a.cpu >= c.bounds.cpus);
  if (stray >= 0) refuse(['actions', stray, 'cpu'], `expected a CPU below bounds.cpus (${c.bounds.cpus})`);
  if (c.expected.property !== c.property) refuse(['expected', 'property'], `expected ${c.property}, as at the top`);
  if (c.expected.step > c.actions.length)
    refuse(['expected', 'step'], `expected at most ${c.actions.length}, one a trace action`);
  if (c.expected.fingerprints.length > c.actions.length + 1)
    refuse(['expected', 'fingerprints'], 'expected one a step');
  if (c.image.elf !== undefined && imageHash(Buffer.from(c.image.elf, 'base64')) !== c.image.sha256) {
    refuse(['image', 'elf'], 'expected the bytes that image.sha256 names');
  }
}

/** Checks a counterexample that was just made; a failure is a mistake in the program that made it. */
export function checkCounterexample(c: Counterexample): Counterexample {
  const result = schema.safeParse(c);
  if (!result.success) throw new TypeError(`a counterexample that would not read back: ${complaint(result.error)}`);
  return result.data;
}

/** The counterexample in the text of `file`, or a CounterexampleError that says why there is none. */
export function parseCounterexample(text: string, file: string): Counterexample {
  const value = parseJson(text, file);
  checkOwnership(value, file);
  const result = schema.safeParse(value);
  if (!result.success) throw damaged(file, complaint(result.error));
  return result.data;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (text.trim() !== '' && !text.trimStart().startsWith('{')) throw foreign(file, 'text that is not a JSON object');
    if (endsEarly(text)) {
      throw new CounterexampleError(
        'truncated',
        file,
        `expected a whole JSON object, found the end of the file after ${text.length} characters; copy it again or restore it from version control.`,
      );
    }
    throw damaged(file, 'JSON that does not parse');
  }
}

// The engine's own message is no interface: a text is cut off if it ends inside a string or an open bracket.
function endsEarly(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
  }
  return quoted || depth > 0 || text.trim() === '';
}

// Before the schema: a newer file is not damaged, and a foreign one deserves no list of missing keys.
function checkOwnership(value: unknown, file: string): void {
  const head = z.looseObject({ format: z.literal(FORMAT), version: z.unknown() }).safeParse(value);
  if (!head.success) throw foreign(file, 'other JSON');
  const { version } = head.data;
  if (typeof version === 'number' && Number.isInteger(version) && version > VERSION) {
    throw new CounterexampleError(
      'newer',
      file,
      `expected a counterexample of version ${VERSION}, found version ${version}; replay it with a newer pti-check.`,
    );
  }
}

function foreign(file: string, found: string): CounterexampleError {
  return new CounterexampleError(
    'foreign',
    file,
    `expected a counterexample (JSON with "format": "${FORMAT}"), found ${found}; give a file that pti-check saved.`,
  );
}

function damaged(file: string, found: string): CounterexampleError {
  return new CounterexampleError(
    'damaged',
    file,
    `expected a counterexample of version ${VERSION}, found ${found}; restore it from version control or find it again with its seed.`,
  );
}

function complaint(error: z.ZodError): string {
  const issue = error.issues[0];
  const where = issue.path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('');
  return `${where === '' ? 'the object' : where} wrong (${issue.message.replace(/^Invalid input: /, '').slice(0, 200)})`;
}
