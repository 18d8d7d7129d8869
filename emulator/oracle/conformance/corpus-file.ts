/**
 * The file format of the conformance corpus (docs/conformance.md): one gzipped JSON file for each kind of privileged
 * transition. A file says what all its vectors begin with; a vector what is different in it, and what has changed when
 * its steps are done.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';

export const FORMAT = 'privileged transitions of x86-64, 1';

const hex = z.string().regex(/^0x[\da-f]+$/);
const registers = z.record(z.string(), hex);
/** Physical address, then bytes. */
const memory = z.array(z.tuple([hex, z.string().regex(/^([\da-f]{2})+$/)]));
const state = z.strictObject({ registers, memory });

const vector = z.strictObject({
  name: z.string().describe('the kind of transition, a number, the bytes of the instruction'),
  initial: state.describe('what differs from the base of the file'),
  events: z
    .array(
      z.strictObject({
        step: z.int().min(0),
        raise: z.union([z.literal('nmi'), z.int().min(16).max(255)]),
      }),
    )
    .describe('before the step of that number an NMI, or an interrupt with that vector, reaches the local APIC'),
  steps: z.int().min(1).describe('instructions, and deliveries of an NMI, an interrupt or a #DB trap'),
  final: state.describe('what has changed since the beginning'),
  qemu: z
    .union([z.literal('not compared'), z.array(z.string())])
    .describe('the names of what QEMU is known to do differently in this vector; empty if it does the same'),
});

const schema = z.strictObject({
  format: z.literal(FORMAT),
  kind: z.string(),
  made: z.strictObject({ by: z.string(), seed: z.string(), qemu: z.string() }),
  differences: z
    .record(z.string(), z.strictObject({ vendor: z.string(), section: z.string(), why: z.string() }))
    .describe('of the names in `qemu`: whose processors do what is expected here, where the manual says so'),
  base: state,
  vectors: z.array(vector),
});

export type CorpusFile = z.infer<typeof schema>;
export type CorpusVector = z.infer<typeof vector>;
export type CorpusState = z.infer<typeof state>;

/** The JSON Schema of a file after gunzip. */
export function corpusSchema(): object {
  return z.toJSONSchema(schema);
}

/** Throws a ZodError for anything else than a file of the corpus. */
export function readCorpus(bytes: Uint8Array): CorpusFile {
  return schema.parse(JSON.parse(gunzipSync(bytes).toString('utf8')));
}

/** One line a vector, gzipped. */
export function writeCorpus(file: CorpusFile): Buffer {
  const { vectors, ...head } = schema.parse(file);
  const text = `${JSON.stringify(head).slice(0, -1)},\n"vectors":[\n${vectors.map((v) => JSON.stringify(v)).join(',\n')}\n]}\n`;
  return gzipSync(Buffer.from(text), { level: 9 });
}
