/**
 * A card of bare `pti-check`: one design, what was declared of it against what the two machines found. Entries under a
 * name, as every answer has them, so that a card can be printed when it is known and fits 80 columns. Colours only
 * where they are wanted.
 */
import type { OpenBounds } from '../../model/checker/language/schema-types';
import { explain, propertyLabel } from './explain';
import { boundsInWords } from './names';
import { counted, grouped } from './numbers';
import { foldedAnswer, styleOf, terminalWidth } from './terminal';

/** What one side found. */
export interface Finding {
  /** holds, violated, diverged, deadlock, vacuous, unknown. */
  readonly verdict: string;
  /** Slug of the violated property. */
  readonly property?: string | undefined;
}

type Reduction = 'symmetry' | 'por';

/** One design. What was not done is undefined, and has no line. */
export interface Result {
  readonly design: string;
  readonly declared: { readonly expected: 'safe' | 'unsafe'; readonly property?: string | undefined };
  /** The exhaustive search, and the reductions that its states are counted up to. */
  readonly model?:
    | (Finding & {
        readonly states: number;
        /** There was no room to count the states: at most so many. */
        readonly mostStates?: number | undefined;
        readonly bounds: OpenBounds;
        readonly reductions: readonly Reduction[];
      })
    | undefined;
  /** The proof for systems of any size: how many values it has, and the smallest bounds that show a violation. */
  readonly proof?: (Finding & { readonly views: number; readonly bounds?: OpenBounds }) | undefined;
  /** The random interleavings. */
  readonly emulator?:
    | (Finding & { readonly runs: number; readonly actions: number; readonly instructions: number })
    | undefined;
  /** Pairs of a boundary and an event that were hit, of how many. */
  readonly sweep?: { readonly hit: number; readonly of: number } | undefined;
  /** Stack bytes per task over mainline. */
  readonly extraBytesPerTask?: number | undefined;
  /** Transitions of the shrunk trace of what was found. */
  readonly traceLength?: number | undefined;
  readonly asDeclared: boolean;
}

interface CardOptions {
  readonly colour?: boolean;
  /** Columns that a line may take; by default as many as the terminal has. */
  readonly width?: number;
}

export const REDUCTION_IN_WORDS: Readonly<Record<Reduction, string>> = { symmetry: 'symmetry', por: 'partial order' };

/** The card, without an empty line at its end. */
export function resultCard(result: Result, { colour, width = terminalWidth() }: CardOptions = {}): string[] {
  const style = styleOf(colour);
  const { design, declared, model, proof, emulator, sweep, extraBytesPerTask, traceLength, asDeclared } = result;
  const outcome = asDeclared ? style.green('as declared') : style.red('NOT as declared');
  const entries = [
    ...entry('declared', named(declared.expected, declared.property)),
    ...(declared.property === undefined ? [] : entry('meaning', explain(declared.property).violated)),
    ...(model === undefined ? [] : entry('model', modelInWords(model))),
    ...(model === undefined ? [] : entry('bounds', boundsInWords(model.bounds))),
    ...(proof === undefined ? [] : entry('proof', proofInWords(proof))),
    ...(emulator === undefined ? [] : entry('emulator', emulatorInWords(emulator))),
    ...(sweep === undefined ? [] : entry('sweep', sweepInWords(sweep))),
    ...(traceLength === undefined ? [] : entry('trace', `${counted(traceLength, 'transition')}, the shortest found`)),
    ...(extraBytesPerTask === undefined ? [] : entry('memory', memoryInWords(extraBytesPerTask))),
  ];
  return [`${style.bold(design)}: ${outcome}`, ...foldedAnswer(entries, width)];
}

function entry(label: string, text: string): string[] {
  return [`  ${label.padEnd(9)} ${text}`];
}

/** `unsafe: scheduled-out-on-own-stack (S9)`. */
function named(verdict: string, property: string | undefined): string {
  if (property === undefined) return verdict;
  const label = propertyLabel(property);
  return `${verdict}: ${property}${label && ` (${label})`}`;
}

function modelInWords({ verdict, property, states, mostStates, reductions }: NonNullable<Result['model']>): string {
  if (mostStates !== undefined)
    return `${verdict}; at most ${counted(mostStates, 'state')}, for which there is no room`;
  const upTo =
    reductions.length === 0 ? '' : ` up to ${reductions.map((name) => REDUCTION_IN_WORDS[name]).join(' and ')}`;
  return `${named(verdict, property)}; ${counted(states, 'state')}${upTo}`;
}

function proofInWords({ verdict, property, views, bounds }: NonNullable<Result['proof']>): string {
  if (verdict === 'proved')
    return `proved for any number of CPUs, tasks and events and any nesting; ${counted(views, 'value')} of a CPU with its thread`;
  return `${named(verdict, property)}${bounds === undefined ? '' : `; shown by ${boundsInWords(bounds)}`}`;
}

function emulatorInWords({ verdict, property, runs, actions, instructions }: NonNullable<Result['emulator']>): string {
  return `${named(verdict, property)}; ${counted(runs, 'run')}, ${counted(actions, 'action')}, ${counted(instructions, 'instruction')}`;
}

function sweepInWords({ hit, of }: NonNullable<Result['sweep']>): string {
  return `${grouped(hit)} of ${grouped(of)} (instruction boundary, event) pairs hit`;
}

function memoryInWords(bytes: number): string {
  return `${bytes < 0 ? '' : '+'}${grouped(bytes)} bytes of stack per task over mainline`;
}
