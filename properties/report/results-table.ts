/**
 * The table of bare `pti-check`: one row a design, what was declared of it against what the two machines found, and
 * below it what the abbreviations mean. Plain text in columns; colours only where the output is a terminal.
 */
import pc from 'picocolors';
import type { Bounds } from '../../model/schema-types';
import { alignedTable } from './aligned-table';
import { explain, propertyLabel } from './explain';
import { grouped } from './numbers';

/** What one side found. */
export interface Finding {
  /** holds, violated, diverged, deadlock, vacuous, unknown. */
  readonly verdict: string;
  /** Slug of the violated property. */
  readonly property?: string | undefined;
}

type Reduction = 'symmetry' | 'por';

/** One design. What was not done is undefined, and reads as a dash. */
export interface Row {
  readonly design: string;
  readonly declared: { readonly expected: 'safe' | 'unsafe'; readonly property?: string | undefined };
  /** The exhaustive search, and the reductions that its states are counted up to. */
  readonly model?:
    | (Finding & {
        readonly states: number;
        readonly bounds: Bounds;
        readonly reductions: readonly Reduction[];
      })
    | undefined;
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

export interface TableOptions {
  readonly colour?: boolean;
}

const NOTHING = '-';

interface Column {
  readonly head: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

const COLUMNS: readonly Column[] = [
  left('design', (row) => row.design),
  left('declared', (row) => declared(row)),
  left('model', (row) => finding(row.model)),
  right('states', (row) => count(row.model?.states)),
  left('up to', (row) => reductionsText(row.model?.reductions ?? [])),
  right('bounds', (row) => (row.model === undefined ? NOTHING : boundsText(row.model.bounds))),
  left('emulator', (row) => finding(row.emulator)),
  right('runs', (row) => count(row.emulator?.runs)),
  right('actions', (row) => count(row.emulator?.actions)),
  right('instructions', (row) => count(row.emulator?.instructions)),
  right('sweep', (row) => (row.sweep === undefined ? NOTHING : `${grouped(row.sweep.hit)}/${grouped(row.sweep.of)}`)),
  right('bytes/task', (row) => (row.extraBytesPerTask === undefined ? NOTHING : signed(row.extraBytesPerTask))),
  right('trace', (row) => count(row.traceLength)),
  left('outcome', (row) => outcome(row)),
];

function left(head: string, cell: Column['cell']): Column {
  return { head, align: 'left', cell };
}

function right(head: string, cell: Column['cell']): Column {
  return { head, align: 'right', cell };
}

function declared({ declared: { expected, property } }: Row): string {
  return property === undefined ? expected : `${expected} ${short(property)}`;
}

function finding(found: Finding | undefined): string {
  if (found === undefined) return NOTHING;
  return found.property === undefined ? found.verdict : `${found.verdict} ${short(found.property)}`;
}

function outcome(row: Row): string {
  return row.asDeclared ? 'as declared' : 'NOT as declared';
}

function count(value: number | undefined): string {
  return value === undefined ? NOTHING : grouped(value);
}

function signed(value: number): string {
  return value < 0 ? grouped(value) : `+${grouped(value)}`;
}

/** S9 in the table, in full below it. */
function short(property: string): string {
  return propertyLabel(property) || property;
}

function boundsText(b: Bounds): string {
  return [b.cpus, b.tasks, b.mms, b.nesting, b.nmis, b.irqs].join('/');
}

const SHORT_REDUCTION: Readonly<Record<Reduction, string>> = { symmetry: 'sym', por: 'por' };

function reductionsText(reductions: readonly Reduction[]): string {
  return reductions.length === 0 ? NOTHING : reductions.map((name) => SHORT_REDUCTION[name]).join('+');
}

/** The whole text, without a final line end. */
export function resultsTable(rows: readonly Row[], options: TableOptions = {}): string {
  const style = pc.createColors(options.colour ?? (pc.isColorSupported && process.stdout.isTTY === true));
  const cells = rows.map((row) => {
    const colour = row.asDeclared ? style.green : style.red;
    return COLUMNS.map(({ head, cell }) => (head === 'outcome' ? colour(cell(row)) : cell(row)));
  });
  const heads = COLUMNS.map(({ head }) => style.bold(head));
  const aligned = alignedTable(
    heads,
    COLUMNS.map(({ align }) => align),
    cells,
  );
  return [...aligned, '', ...legend(rows)].join('\n');
}

function legend(rows: readonly Row[]): string[] {
  const found = rows.flatMap((row) => [row.declared.property, row.model?.property, row.emulator?.property]);
  const slugs = [...new Set(found.filter((slug) => slug !== undefined))];
  return [
    'up to: reductions of the search that counted the states (sym: symmetry, por: partial order);',
    'bounds: CPUs/tasks/address spaces/nesting/NMIs/IRQs; sweep: (instruction boundary, event) pairs hit, of all;',
    'bytes/task: stack bytes over mainline; trace: transitions of the shortest trace found',
    ...slugs.map((slug) => `${short(slug)} ${slug}: ${explain(slug).promise}`),
  ];
}
