/**
 * Tells a saved case step by step, so that one who knows entry code can follow it by hand and paste it into a mail.
 * Plain text with aligned columns, as wide as the terminal (80 columns where there is none); colours only where they
 * are wanted.
 */
import { readFileSync } from 'node:fs';
import { type Action, type Counterexample, designName, imageHash, traceLength } from '../../counterexamples/format';
import { hexVa } from '../../emulator/words';
import type { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import { DESIGNS } from '../designs/registry';
import { propertySlug } from '../safety/index';
import type { ActionOutcome } from '../trace/transition-system';
import { explain, propertyLabel } from './explain';
import { actionName, boundsInWords } from './names';
import { counted } from './numbers';
import { type CpuView, type Replay, recordSteps, type StepRecord } from './step-record';
import { folded, hanging, type Style, styleOf, terminalWidth } from './terminal';

interface NarratorOptions {
  /** Terminal colours; by default where they are wanted. */
  readonly colour?: boolean;
  /** Columns that a line may take; by default as many as the terminal has. */
  readonly width?: number;
}

type Failing = Extract<ActionOutcome, { kind: 'violated' | 'diverged' }>;

/** How the text is set. */
interface Layout {
  readonly style: Style;
  readonly width: number;
  /** Stack and NMI are columns of the table, and an instruction is one line; otherwise they stand below the row. */
  readonly wide: boolean;
}

/** Widths of the columns: step, action, CPU, thread, CPL, CR3, GS, IF, and in a wide table NMI, rsp, stack. */
const HEADINGS = ['step', 'action', 'cpu', 'runs', 'CPL', 'CR3', 'GS', 'IF', 'NMI', 'rsp', 'stack'] as const;
const WIDTHS = [4, 25, 3, 8, 3, 10, 6, 2, 11, 16, 0] as const;
const NARROW_COLUMNS = 8;
/** A wide table with what stands below its rows. */
const WIDE = 140;
const GAP = '  ';
/** Details of a step begin under the action. */
const INDENT = ' '.repeat(WIDTHS[0] + GAP.length);
const LABEL_WIDTH = 8;

const HOW = { ran: 'executed', faulted: 'faulted at', before: 'was interrupted before' } as const;
const LEGEND =
  'A row is the CPU after the step. Under it: what the guest read from its choice port (chose), the instruction by which the step ' +
  'ended (ran, or faulted, or before: it was next when an event came), and what changed (now).';

function layoutOf({ colour, width = terminalWidth() }: NarratorOptions): Layout {
  return { style: styleOf(colour), width, wide: width >= WIDE };
}

/** The whole story of a saved case: what it shows, how it goes, how it ends. */
export function narrate(subject: Subject, saved: Counterexample, options: NarratorOptions = {}): string[] {
  return narrateReplay(subject, saved, recordSteps(subject, saved.actions), options);
}

/** The story of a case whose steps have been recorded already. */
export function narrateReplay(
  subject: Subject,
  saved: Counterexample,
  replay: Replay,
  options: NarratorOptions = {},
): string[] {
  const layout = layoutOf(options);
  return [
    ...header(subject, saved, layout),
    '',
    ...folded(LEGEND, layout.width),
    '',
    ...table(subject, replay, layout, false),
    '',
    ...footer(subject, saved, replay, layout),
  ];
}

/** Only the steps: the start of every CPU, then a row and its details for each action. */
export function narrateActions(subject: Subject, actions: readonly Action[], options: NarratorOptions = {}): string[] {
  return table(subject, recordSteps(subject, actions), layoutOf(options), true);
}

function header(subject: Subject, saved: Counterexample, { style, width }: Layout): string[] {
  const design = designName(saved);
  const title = DESIGNS.find((d) => d.id === saved.design)?.title;
  const { bounds, image } = saved;
  const { promise, violated } = explain(saved.property);
  const label = propertyLabel(saved.property);
  const what =
    saved.expected.kind === 'violated'
      ? `violates ${saved.property}${label && ` (${label})`}`
      : 'leaves its abstract machine';
  const own = image.elf === undefined ? `of ${design}` : `of ${subject.image.name}, in the file`;
  const entry = (name: string, text: string) => labelled(name, text, GAP, width);
  return [
    style.bold(`${design} ${what}`),
    '',
    ...(title === undefined ? [] : entry('design', title)),
    ...entry('promise', promise),
    ...entry('broken', violated),
    ...entry('bounds', boundsInWords(bounds)),
    ...entry('image', `${own}, sha256 ${image.sha256.slice(0, 16)}...`),
    ...entry('trace', traceInWords(saved)),
  ];
}

/**
 * A step is an action of the file, in every part of a replay; a stutter that another CPU waits for is a step and no
 * transition.
 */
function traceInWords({ actions, origin }: Counterexample): string {
  const lengths = `${counted(actions.length, 'step')} with ${counted(traceLength(actions), 'transition')}`;
  return `${lengths} (${origin.lengthBeforeShrinking} before shrinking), found by seed ${JSON.stringify(origin.seed)}, run ${origin.run}`;
}

/** A labelled paragraph. */
function labelled(label: string, text: string, indent: string, width: number): string[] {
  return hanging(`${indent}${label.padEnd(LABEL_WIDTH)} `, text, width);
}

/** `whole`: the sentence of a failure belongs to the table, because no footer says it. */
function table(subject: Subject, replay: Replay, layout: Layout, whole: boolean): string[] {
  return [
    layout.style.bold(row(HEADINGS, layout)),
    ...replay.start.flatMap((view) => [row(['0', 'start', ...columns(view)], layout), ...stackLines(view, layout)]),
    ...replay.steps.flatMap((step) => ['', ...stepLines(subject, step, replay, layout, whole)]),
  ];
}

function columns(view: CpuView): string[] {
  const { thread, cpl, cr3, gs, interrupts, nmi, rsp, stack } = view;
  return [`c${view.cpu}`, thread, `${cpl}`, cr3, gs, `${interrupts}`, nmi, hexVa(rsp), stack];
}

function row(cells: readonly string[], { wide }: Layout): string {
  return (wide ? cells : cells.slice(0, NARROW_COLUMNS))
    .map((cell, i) => (i === 0 ? cell.padStart(WIDTHS[0]) : cell.padEnd(WIDTHS[i])))
    .join(GAP)
    .trimEnd();
}

/** What a narrow row has no columns for. */
function stackLines({ stack, rsp, nmi }: CpuView, { wide, width }: Layout): string[] {
  if (wide) return [];
  return detail('stack', `${stack}, rsp ${hexVa(rsp)}${nmi === '-' ? '' : `, NMI ${nmi}`}`, width);
}

function stepLines(subject: Subject, step: StepRecord, replay: Replay, layout: Layout, whole: boolean): string[] {
  const { style, width } = layout;
  const name = actionName(step.action, subject.bounds);
  const failed = step.outcome.kind === 'violated' || step.outcome.kind === 'diverged';
  const head = row([`${step.number}`, name, ...columns(step.after)], layout);
  return [
    (failed ? style.red : style.bold)(head),
    ...stackLines(step.after, layout),
    ...instructionLines(step, layout).map(style.dim),
    ...step.changes.flatMap((change) => detail('now', change, width)),
    ...outcomeLines(step.outcome, step === failingStep(replay), whole, width).map((line) => style.red(line)),
  ];
}

/** The step that the replay ends with: a violation, or where there is none the divergence. */
function failingStep({ steps }: Replay): StepRecord | undefined {
  const last = steps.at(-1);
  return last?.outcome.kind === 'violated' ? last : divergingStep(steps);
}

/** There is at most one: from a divergence on the machine is not compared with its model. */
function divergingStep(steps: readonly StepRecord[]): StepRecord | undefined {
  return steps.find(({ outcome }) => outcome.kind === 'diverged');
}

function detail(label: string, text: string, width: number): string[] {
  return labelled(label, text, INDENT, width);
}

function instructionLines(step: StepRecord, { wide, width }: Layout): string[] {
  const { instruction, delivered, choices, instructions } = step;
  const lines = choices.flatMap(({ place, choice, alternatives }) =>
    detail('chose', `${choice} of 0..${alternatives - 1} at ${place}`, width),
  );
  if (instruction === undefined) return lines;
  const { how, place, text } = instruction;
  const to = delivered === undefined ? '' : `-> vector ${delivered.vector}, ${delivered.handler}`;
  const before = how === 'ran' ? instructions - 1 : instructions;
  const after = before > 0 ? `(after ${counted(before, 'instruction')})` : '';
  const rest = `${to}${to && after && ' '}${after}`;
  if (!wide) return [...lines, ...detail(how, `${place}: ${text} ${rest}`.trimEnd(), width)];
  const columns = `${place.padEnd(34)} ${text.padEnd(36)} ${rest}`.trimEnd();
  return [...lines, `${INDENT}${how.padEnd(LABEL_WIDTH)} ${columns}`];
}

function outcomeLines(outcome: ActionOutcome, fails: boolean, whole: boolean, width: number): string[] {
  if (outcome.kind === 'done') return [];
  if (outcome.kind === 'disabled') return detail('skipped', `the action is not enabled here: ${outcome.why}`, width);
  if (!fails)
    return detail('LEAVES', `the abstract machine, which is not asked from here on: ${outcome.message}`, width);
  return detail('FAILS', whole ? `${failureName(outcome)}: ${outcome.message}` : failureName(outcome), width);
}

function footer(subject: Subject, saved: Counterexample, replay: Replay, { style, width }: Layout): string[] {
  const failing = failingStep(replay);
  const outcome = replay.initially ?? failing?.outcome;
  if (outcome === undefined || (outcome.kind !== 'violated' && outcome.kind !== 'diverged'))
    return folded(passed(saved, replay), width).map(style.bold);
  const where = replay.initially === undefined ? `step ${failing?.number}` : 'The initial state, before any step,';
  const sentences = [
    `${outcome.message}.`,
    ...(failing === undefined ? [] : circumstances(subject, saved, replay, failing)),
  ];
  return [
    ...folded(`${where} ${verdict(outcome)}:`, width).map(style.bold),
    ...sentences.flatMap((sentence) => hanging(GAP, sentence, width)),
  ];
}

/** What else a reader has to know about the failure. */
function circumstances(subject: Subject, saved: Counterexample, { steps }: Replay, failing: StepRecord): string[] {
  const { instruction, action } = failing;
  const left = divergingStep(steps);
  const skipped = steps.filter((step) => step.outcome.kind === 'disabled').length;
  const were = skipped === 1 ? 'was' : 'were';
  return [
    ...(instruction === undefined
      ? []
      : [`CPU ${action.cpu} ${HOW[instruction.how]} ${instruction.place}: ${instruction.text}`]),
    ...(left === undefined || left === failing ? [] : [`It had left the abstract machine at step ${left.number}.`]),
    ...(failing === steps.at(-1) ? [] : ['The trace then ran to its end, and no property failed.']),
    ...(skipped > 0 ? [`${counted(skipped, 'action')} of the trace ${were} not enabled and ${were} left out.`] : []),
    ...(imageDiffers(subject, saved) ? ['The guest image has changed since the case was saved.'] : []),
  ];
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
