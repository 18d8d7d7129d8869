/**
 * Tells a saved case step by step, so that one who knows entry code can follow it by hand and paste it into a mail.
 * Plain text with aligned columns; colours only where the output is a terminal.
 */
import { readFileSync } from 'node:fs';
import pc from 'picocolors';
import { type Action, type Counterexample, designName, imageHash, traceLength } from '../../counterexamples/format';
import { hexVa } from '../../emulator/words';
import { DESIGNS, imageFile } from '../designs/registry';
import type { Subject } from '../exploration/subject';
import type { Outcome } from '../exploration/transition-system';
import { propertySlug } from '../safety/property';
import { explain, propertyLabel } from './explain';
import { actionName } from './names';
import { counted } from './numbers';
import { type CpuView, type Replay, recordSteps, type StepRecord } from './step-record';

export interface NarratorOptions {
  /** Terminal colours; by default where standard output is a terminal that has them. */
  readonly colour?: boolean;
}

type Style = ReturnType<typeof pc.createColors>;
type Failing = Extract<Outcome, { kind: 'violated' | 'diverged' }>;

/**
 * Widths of the columns: step, action, CPU, thread, CPL, CR3, GS, IF, NMI, rsp, stack (the last one has what is left).
 */
const HEADINGS = ['step', 'action', 'cpu', 'runs', 'CPL', 'CR3', 'GS', 'IF', 'NMI', 'rsp', 'stack'] as const;
const WIDTHS = [4, 25, 3, 8, 3, 10, 6, 2, 11, 16, 0] as const;
const GAP = '  ';
/** Details of a step begin under the action. */
const INDENT = ' '.repeat(WIDTHS[0] + GAP.length);
const LABEL_WIDTH = 8;
const TEXT_WIDTH = 132;

const HOW = { ran: 'executed', faulted: 'faulted at', before: 'was interrupted before' } as const;
const LEGEND = [
  'A row is the CPU after the step. Under it: what the guest read from its choice port (chose), the instruction by which the step',
  'ended (ran, or faulted, or before: it was next when an event came), and what changed (now).',
];

/** The whole story of a saved case: what it shows, how it goes, how it ends. */
export function narrate(subject: Subject, saved: Counterexample, options: NarratorOptions = {}): string[] {
  const style = styleOf(options);
  const replay = recordSteps(subject, saved.actions);
  const steps = table(subject, replay, style, false);
  return [...header(subject, saved, style), '', ...LEGEND, '', ...steps, '', ...footer(subject, saved, replay, style)];
}

/** Only the steps: the start of every CPU, then a row and its details for each action. */
export function narrateActions(subject: Subject, actions: readonly Action[], options: NarratorOptions = {}): string[] {
  return table(subject, recordSteps(subject, actions), styleOf(options), true);
}

function styleOf(options: NarratorOptions): Style {
  return pc.createColors(options.colour ?? (pc.isColorSupported && process.stdout.isTTY === true));
}

function header(subject: Subject, saved: Counterexample, style: Style): string[] {
  const design = designName(saved);
  const title = DESIGNS.find((d) => d.id === saved.design)?.title;
  const { bounds: b, origin, image } = saved;
  const { promise, violated } = explain(saved.property);
  const label = propertyLabel(saved.property);
  const what =
    saved.expected.kind === 'violated'
      ? `violates ${saved.property}${label && ` (${label})`}`
      : 'leaves its abstract machine';
  const own = image.elf === undefined ? `of ${design}` : `of ${subject.image.name}, in the file`;
  return [
    style.bold(`${design} ${what}`),
    '',
    ...(title === undefined ? [] : entry('design', title)),
    ...entry('promise', promise),
    ...entry('broken', violated),
    ...entry(
      'bounds',
      `${counted(b.cpus, 'CPU')}, ${counted(b.tasks, 'task')}, ${counted(b.mms, 'address space')}; ` +
        `nesting ${b.nesting}, at most ${counted(b.nmis, 'NMI')} and ${counted(b.irqs, 'IRQ')}`,
    ),
    ...entry('image', `${own}, sha256 ${image.sha256.slice(0, 16)}...`),
    ...entry(
      'trace',
      `${counted(traceLength(saved.actions), 'transition')} (${origin.lengthBeforeShrinking} before shrinking), found by seed ${JSON.stringify(origin.seed)}, run ${origin.run}`,
    ),
  ];
}

/** A labelled paragraph of the header or footer. */
function entry(label: string, text: string): string[] {
  return labelled(label, text, '  ');
}

function labelled(label: string, text: string, indent: string): string[] {
  const lines = wrapped(text, TEXT_WIDTH - indent.length - LABEL_WIDTH);
  return lines.map((line, i) => `${indent}${(i === 0 ? label : '').padEnd(LABEL_WIDTH)} ${line}`);
}

/** Words in lines of at most `width` characters. Runs of spaces inside a line are kept: they are columns. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `whole`: the sentence of a failure belongs to the table, because no footer says it. */
function table(subject: Subject, replay: Replay, style: Style, whole: boolean): string[] {
  return [
    style.bold(row(HEADINGS)),
    ...replay.start.map((view) => row(['0', 'start', ...columns(view)])),
    ...replay.steps.flatMap((step) => ['', ...stepLines(subject, step, style, whole)]),
  ];
}

function columns(view: CpuView): string[] {
  const { thread, cpl, cr3, gs, interrupts, nmi, rsp, stack } = view;
  return [`c${view.cpu}`, thread, `${cpl}`, cr3, gs, `${interrupts}`, nmi, hexVa(rsp), stack];
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, i) => (i === 0 ? cell.padStart(WIDTHS[0]) : cell.padEnd(WIDTHS[i])))
    .join(GAP)
    .trimEnd();
}

function stepLines(subject: Subject, step: StepRecord, style: Style, whole: boolean): string[] {
  const name = actionName(step.action, subject.bounds);
  const failed = step.outcome.kind === 'violated' || step.outcome.kind === 'diverged';
  const head = row([`${step.number}`, name, ...columns(step.after)]);
  return [
    (failed ? style.red : style.bold)(head),
    ...instructionLines(step).map(style.dim),
    ...step.changes.flatMap((change) => detail('now', change)),
    ...outcomeLines(step.outcome, whole).map((line) => style.red(line)),
  ];
}

function detail(label: string, text: string): string[] {
  return labelled(label, text, INDENT);
}

function instructionLines(step: StepRecord): string[] {
  const { instruction, delivered, choices, instructions } = step;
  const lines = choices.flatMap(({ place, choice, alternatives }) =>
    detail('chose', `${choice} of 0..${alternatives - 1} at ${place}`),
  );
  if (instruction === undefined) return lines;
  const to = delivered === undefined ? '' : `-> vector ${delivered.vector}, ${delivered.handler}`;
  const before = instruction.how === 'ran' ? instructions - 1 : instructions;
  const after = before > 0 ? `(after ${counted(before, 'instruction')})` : '';
  const text =
    `${instruction.place.padEnd(34)} ${instruction.text.padEnd(36)} ${to}${to && after && ' '}${after}`.trimEnd();
  return [...lines, `${INDENT}${instruction.how.padEnd(LABEL_WIDTH)} ${text}`];
}

function outcomeLines(outcome: Outcome, whole: boolean): string[] {
  if (outcome.kind === 'done') return [];
  if (outcome.kind === 'disabled') return detail('skipped', `the action is not enabled here: ${outcome.why}`);
  return detail('FAILS', whole ? `${failureName(outcome)}: ${outcome.message}` : failureName(outcome));
}

function footer(subject: Subject, saved: Counterexample, replay: Replay, style: Style): string[] {
  const last = replay.steps.at(-1);
  const outcome = replay.initially ?? last?.outcome;
  if (outcome === undefined || (outcome.kind !== 'violated' && outcome.kind !== 'diverged'))
    return [style.bold(passed(saved, replay))];
  const where = replay.initially === undefined ? `step ${last?.number}` : 'The initial state, before any step,';
  const lines = [
    style.bold(`${where} ${verdict(outcome)}:`),
    ...wrapped(`${outcome.message}.`, TEXT_WIDTH).map((line) => `  ${line}`),
  ];
  if (last?.instruction !== undefined)
    lines.push(
      `  CPU ${last.action.cpu} ${HOW[last.instruction.how]} ${last.instruction.place}: ${last.instruction.text}`,
    );
  const skipped = replay.steps.filter((step) => step.outcome.kind === 'disabled').length;
  if (skipped > 0)
    lines.push(
      `  ${counted(skipped, 'action')} of the trace ${skipped === 1 ? 'was' : 'were'} not enabled and ${skipped === 1 ? 'was' : 'were'} left out.`,
    );
  if (imageDiffers(subject, saved)) lines.push('  The guest image has changed since the case was saved.');
  return lines;
}

function verdict(outcome: Failing): string {
  return outcome.kind === 'diverged'
    ? `leaves the abstract machine in ${outcome.field}`
    : `violates ${failureName(outcome)}`;
}

/** `scheduled-out-on-own-stack (S9)`. */
function failureName(outcome: Failing): string {
  if (outcome.kind === 'diverged') return `refinement, ${outcome.field}`;
  const slug = propertySlug(outcome.property);
  return `${slug} (${propertyLabel(slug)})`;
}

function passed(saved: Counterexample, replay: Replay): string {
  const skipped = replay.steps.filter((step) => step.outcome.kind === 'disabled').length;
  const left = skipped > 0 ? ` (${counted(skipped, 'action')} not enabled)` : '';
  return `The trace ran to its end${left} and nothing failed; expected ${saved.property} to fail at step ${saved.expected.step}.`;
}

/** A design's image has been built anew since the case was saved. A user's own image is in the file. */
function imageDiffers(subject: Subject, saved: Counterexample): boolean {
  if (subject.name.elf !== undefined) return imageHash(subject.name.elf.bytes) !== saved.image.sha256;
  return imageHash(readFileSync(imageFile(subject.name.design))) !== saved.image.sha256;
}
