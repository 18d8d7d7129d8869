/**
 * The file of a case that was found in a Linux kernel of the user's, version 1: which kernel, by its hash; what it was
 * booted with; the trace from the state after the boot; what it violates. No byte of the kernel is in it, so a replay
 * needs the image. Nothing in a file is evaluated or used as a path. `origin` is provenance: replay never reads it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CounterexampleError } from './counterexample-error';

export const KERNEL_FORMAT = 'pti-check kernel counterexample';
export const KERNEL_VERSION = 1;

const name = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected a name like resume-is-exact');
const excursionName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(_[a-z0-9]+)*$/, 'expected a name like page_fault_read');
const release = z
  .string()
  .max(200)
  .regex(/^[\w.+~-]+$/, 'expected what uname -r says');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');
const place = z
  .string()
  .max(300)
  .regex(/^([A-Za-z_.$][\w.$]*\+)?0x[0-9a-f]{1,16}$/, 'expected a place like symbol+0x12');
const day = z.string().regex(/^\d{4}-\d\d-\d\d$/, 'expected a date like 2026-01-31');

const upTo = (max: number, min = 0) => z.int().min(min).max(max);
const cpu = upTo(7);
const count = upTo(100_000_000, 1);

/** The program goes on with this excursion, in this of its rounds (which decides what it puts into RFLAGS). */
const excursion = z.strictObject({ action: z.literal('excursion'), name: excursionName, round: upTo(255) });
/** So many boundaries in the turns that the CPUs take by themselves; timers expire on the way. */
const turns = z.strictObject({ action: z.literal('turns'), count });
/** So many boundaries of one CPU, fewer if it halts. No timer expires meanwhile. */
const run = z.strictObject({ action: z.literal('run'), cpu, count });
/**
 * An NMI is raised. Where NMIs are not blocked, the CPU goes on until it takes it: a trap of the instruction before
 * comes first, and MOV SS holds it back.
 */
const nmi = z.strictObject({ action: z.literal('nmi'), cpu });
/** A maskable interrupt is raised, and taken if interrupts are on. */
const irq = z.strictObject({ action: z.literal('irq'), cpu, vector: upTo(255, 16) });
/**
 * The CPU goes on until it is back where the first event interrupted it, which has to be as if nothing had happened.
 */
const back = z.strictObject({ action: z.literal('back'), cpu });
/**
 * The CPU goes on until the C function of NMIs has begun, and so many boundaries more; then NMIs are no longer blocked,
 * as after an IRET of an exception in that function. Nothing happens where NMIs are not blocked.
 */
const unblock = z.strictObject({ action: z.literal('unblock'), cpu, count });
/** A debug exception is raised, as by a data breakpoint that MOV SS has held back. */
const debug = z.strictObject({ action: z.literal('debug'), cpu });
/** A machine check of one CPU, of which no bank tells an error. */
const machineCheck = z.strictObject({ action: z.literal('machine-check'), cpu });
/** Time goes on to the next deadline of a timer, whose interrupt is requested. */
const time = z.strictObject({ action: z.literal('time') });

const action = z.discriminatedUnion('action', [
  excursion,
  turns,
  run,
  nmi,
  irq,
  back,
  unblock,
  debug,
  machineCheck,
  time,
]);

/** One action of a trace of a booted kernel. It names no time, and no address of the kernel. */
export type KernelAction = z.infer<typeof action>;

const schema = z.strictObject({
  format: z.literal(KERNEL_FORMAT),
  version: z.literal(KERNEL_VERSION),
  /** Slug of the property that fails, or of an end that no kernel may come to. */
  property: name,
  /** The kernel: what `uname -r` says, and the hash of its vmlinux, however that is packed. */
  kernel: z.strictObject({ release, vmlinuxSha256: sha256 }),
  /** Hash of the program that runs in user mode. */
  program: sha256,
  /** What it was booted with. */
  options: z.strictObject({
    commandLine: z.string().max(2048),
    features: z.array(name).max(64),
    cpus: upTo(8, 1),
    memoryMiB: upTo(1024, 64),
  }),
  /** Mistakes that were planted after the boot, by name. */
  plants: z.array(name).min(1).max(64).optional(),
  actions: z.array(action).min(1).max(100_000),
  /** What a replay has to find: the sentence, the CPU, and where it is. */
  expected: z.strictObject({ message: z.string().max(10_000), cpu, at: place }),
  origin: z.strictObject({
    /** How it was found: by a sweep, or by a random interleaving, which has a seed. */
    strategy: z.enum(['sweep', 'random']),
    seed: z.string().max(200).optional(),
    /** Actions of the trace as it was found. */
    lengthBeforeShrinking: upTo(Number.MAX_SAFE_INTEGER),
    date: day,
  }),
});

/** A saved case of a kernel. */
export interface KernelCase extends z.infer<typeof schema> {}

/** The text of a file: each action on one line. Equal cases give equal bytes. */
export function serializeKernelCase(made: KernelCase): string {
  const result = schema.safeParse(made);
  if (!result.success) throw new TypeError(`a kernel case that would not read back: ${result.error.message}`);
  const { actions, ...rest } = result.data;
  const rows = actions.map((one) => `    ${oneLine(one)}`).join(',\n');
  const members = Object.entries(rest).map(([key, value]) => `  ${JSON.stringify(key)}: ${oneLine(value)}`);
  const at = Object.keys(rest).indexOf('expected');
  members.splice(at, 0, `  "actions": [\n${rows}\n  ]`);
  return `{\n${members.join(',\n')}\n}\n`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{ ${members.map(([key, member]) => `${JSON.stringify(key)}: ${oneLine(member)}`).join(', ')} }`;
}

/** The kernel case in the text of `file`; undefined if it is no case of a kernel, whatever else it is. */
export function parseKernelCase(text: string, file: string): KernelCase | undefined {
  if (!text.includes(KERNEL_FORMAT)) return undefined;
  const value = jsonOf(text);
  const head = z.looseObject({ format: z.literal(KERNEL_FORMAT), version: z.unknown() }).safeParse(value);
  if (!head.success) return undefined;
  const { version } = head.data;
  if (typeof version === 'number' && version > KERNEL_VERSION)
    throw new CounterexampleError(
      'newer',
      file,
      `expected a kernel counterexample of version ${KERNEL_VERSION}, found version ${version}; replay it with a newer pti-check.`,
    );
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new CounterexampleError(
    'damaged',
    file,
    `expected a kernel counterexample of version ${KERNEL_VERSION}, found ${issue.path.map(String).join('.') || 'the object'} wrong (${issue.message.slice(0, 200)}); restore it or find it again.`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The name of a case's file: `attempt` gives another one, for the day when eight digits collide. */
export function kernelCaseFileName(c: KernelCase, attempt = 0): string {
  const digest = createHash('sha256')
    .update(`${sameKernelCase(c)}#${attempt}`)
    .digest('hex')
    .slice(0, 8);
  return `${c.property}--linux-${c.kernel.release}--${digest}.json`;
}

/** A text that is equal exactly for equal cases: where they come from does not count. */
export function sameKernelCase({ property, kernel, options, plants, actions }: KernelCase): string {
  return JSON.stringify([property, kernel.vmlinuxSha256, options, ...(plants === undefined ? [] : [plants]), actions]);
}
