/**
 * A design in a JSON file: read as data, checked against the schema (design.schema.json in the package, for editors)
 * and then as a design: a step that can never be taken, a body on no stack, a way back that does not undo the way in.
 */
import { readFileSync, statSync } from 'node:fs';
import {
  findNodeAtLocation,
  type JSONPath,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { z } from 'zod';
import { checkDesign, type DesignFault } from '../../model/designs/check-design';
import {
  type DesignTable,
  ENTRY_STEPS,
  EXIT_STEPS,
  RETURN_STEPS,
  SWITCH_STEPS,
} from '../../model/designs/design-table';
import { BadInputError } from '../bad-input';

const enter = z.array(z.enum(ENTRY_STEPS)).min(1).describe('the steps from the delivery to the body, in their order');
const leave = z
  .array(z.array(z.enum(EXIT_STEPS)).min(1))
  .min(1)
  .describe('the ways back to user mode; each is a list of steps in their order, and ends with sysret or iret-to-user');
const userPath = z.strictObject({ enter, leave });
const kernelPath = z.strictObject({
  enter,
  leave: z.array(z.enum(RETURN_STEPS)).min(1).describe('the steps from the body back to the kernel'),
});

const schema = z
  .strictObject({
    $schema: z.string().optional(),
    name: z
      .string()
      .max(64)
      .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected a name like deferred-pertask')
      .describe('lower-case words with hyphens; it stands in reports and saved cases'),
    pageTables: z.literal([1, 2]).describe('2: a user half and a kernel half; 1: no isolation'),
    entryStack: z
      .enum(['per-cpu', 'per-task'])
      .describe('the stack that TSS.sp0 names: the entry (trampoline) stack of the CPU, or the PTI stack of the task'),
    entryCodeInUserTable: z
      .boolean()
      .describe('the C code between the delivery and the body is mapped in the user half as well'),
    kernelDataInUserTable: z.boolean().describe('the user half maps data of the kernel that no entry needs (S12)'),
    fromUser: z.strictObject({
      syscall: userPath,
      irq: userPath,
      'page-fault': userPath,
      'general-protection': userPath.describe('#GP of an IRETQ to a bad user frame'),
      nmi: userPath,
    }),
    fromKernel: z.strictObject({ irq: kernelPath, 'page-fault': kernelPath, nmi: kernelPath }),
    firstRun: z.strictObject({
      stack: z.enum(['kernel', 'pti']).describe('the stack on which a task that has never run waits'),
      leave: leave.optional(),
    }),
    contextSwitch: z.array(z.enum(SWITCH_STEPS)).min(1),
    plantedBug: z
      .string()
      .max(200)
      .optional()
      .describe('what is wrong on purpose: with it the file may have faults that a design must not have'),
    nestedNmis: z
      .enum(['repeated', 'ignored'])
      .describe('the body of an NMI runs again where another one came meanwhile'),
  })
  .describe('A design of x86-64 kernel entry code: the steps of each event that change CR3, GS or the stack');

/** The JSON Schema of a design file, draft 2020-12. */
export function designSchema(): object {
  return z.toJSONSchema(schema);
}

/** Bytes of the largest design file; the built-in ones have 4 KiB. */
const MAX_BYTES = 2 ** 20;

/** The design in a file. Throws BadInputError with the line, what was expected there and what was found. */
export function readDesignFile(file: string): DesignTable {
  const text = readText(file);
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors);
  const [error] = errors;
  if (error !== undefined || tree === undefined)
    throw wrong(file, text, error?.offset ?? 0, `expected JSON, found ${printParseErrorCode(error?.error ?? 0)}`);
  const parsed = schema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const { at, message } = complaint(parsed.error.issues, tree);
    throw wrong(file, text, offsetOf(tree, at), message);
  }
  const { $schema: _, plantedBug, ...table } = parsed.data;
  const design = table as DesignTable;
  const [fault] = checkDesign(design);
  if (fault === undefined || plantedBug !== undefined) return design;
  throw wrong(file, text, offsetOf(tree, placeOf(design, fault)), `${fault.sequence}: ${fault.message}`);
}

/** The design that a saved case holds, planted bugs included. Throws BadInputError for what is none. */
export function designOf(value: unknown, file: string): DesignTable {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as DesignTable;
  throw new BadInputError(
    `${file}: expected a design in table, found ${z.prettifyError(parsed.error)}; restore the file`,
  );
}

function readText(file: string): string {
  try {
    const stat = statSync(file);
    if (stat.isFile() && stat.size <= MAX_BYTES) return readFileSync(file, 'utf8');
  } catch {
    // The same sentence for whatever keeps the file from being read.
  }
  throw new BadInputError(
    `expected --design to be a design or a JSON file of one of at most ${MAX_BYTES / 2 ** 20} MiB that can be read, found ${JSON.stringify(file)}; check its name and permissions`,
  );
}

function wrong(file: string, text: string, offset: number, message: string): BadInputError {
  const line = text.slice(0, offset).split('\n').length;
  return new BadInputError(`${file}:${line}: ${message}; docs/your-own-design.md describes the file`);
}

/** The place of a value; of the nearest value around it that is there, where it is missing. */
function offsetOf(tree: Node, at: JSONPath): number {
  for (let length = at.length; length > 0; length--) {
    const node = findNodeAtLocation(tree, at.slice(0, length));
    if (node !== undefined) return node.offset;
  }
  return tree.offset;
}

/** The first thing that is wrong; a key that no design has before the one that is missing, because it may be meant. */
function complaint(issues: readonly z.core.$ZodIssue[], tree: Node): { at: JSONPath; message: string } {
  const stray = issues.find((issue) => issue.code === 'unrecognized_keys');
  if (stray !== undefined)
    return {
      at: [...stray.path, stray.keys[0]] as JSONPath,
      message: `expected no key ${JSON.stringify(stray.keys[0])} in ${placeInWords(stray.path)}`,
    };
  const [issue] = issues;
  const node = findNodeAtLocation(tree, issue.path as JSONPath);
  const found = node === undefined ? 'nothing' : JSON.stringify(node.value ?? node.type);
  const expected = issue.message.replace(/^Invalid (option|input): /, '').replace(/, received .*$/, '');
  return { at: issue.path as JSONPath, message: `${placeInWords(issue.path)}: ${expected}, found ${found}` };
}

function placeInWords(at: readonly PropertyKey[]): string {
  return at.length === 0 ? 'the design' : at.join('.');
}

/** Where in the file a step of a sequence stands. */
function placeOf(table: DesignTable, { sequence, step }: DesignFault): JSONPath {
  if (sequence === 'context-switch') return ['contextSwitch', step];
  const words = sequence.split(' ');
  if (words[0] === 'kernel') return ['fromKernel', words[1], words[2] === 'enter' ? 'enter' : 'leave', step];
  const [event, way] = words;
  if (way === 'enter') return ['fromUser', event, 'enter', step];
  const isFirstRun = event === 'first-run';
  const ways = (isFirstRun ? table.firstRun.leave : table.fromUser[event as keyof DesignTable['fromUser']].leave) ?? [];
  const number = ways.findIndex((steps) => (steps.at(-1) === 'sysret') === (way === 'sysret'));
  return [...(isFirstRun ? ['firstRun'] : ['fromUser', event]), 'leave', number, step];
}
