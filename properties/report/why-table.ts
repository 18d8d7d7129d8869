/**
 * The table of `why`, for a mail: a line a step, in 80 columns, and below it what the numbers of the properties stand
 * for and which steps nothing here needs.
 */
import type { Action } from '../../counterexamples/format';
import type { OpenBounds } from '../../model/checker/language/schema-types';
import { alignedTable } from './aligned-table';
import { explain, propertyLabel } from './explain';
import { boundsInWords } from './names';

/** What became of a design one of whose steps is left out or exchanged; the keys are a contract. */
export interface Consequence {
  readonly verdict: 'holds' | 'violated' | 'deadlock' | 'unknown';
  readonly property?: string;
  /** Transitions of the shortest trace. */
  readonly depth?: number;
  readonly trace?: readonly Action[];
  /** OpenBounds of that search, where they are not those of the table. */
  readonly bounds?: OpenBounds;
}

/** A step of a design. The keys are a contract. */
export interface WhyRow {
  readonly sequence: string;
  readonly step: string;
  /** Place in its sequence, from 0. */
  readonly place: number;
  readonly leftOut?: Consequence;
  readonly exchangedWith?: string;
  readonly exchanged?: Consequence;
  /** What would have to be modelled to see the need of the step, where nothing needs it. */
  readonly reason?: string;
}

interface WhyAnswer {
  readonly design: string;
  readonly bounds: OpenBounds;
  /** The design as it is. */
  readonly itself: Consequence;
  readonly rows: readonly WhyRow[];
  /** OpenBounds with room for a second NMI. */
  readonly second: Partial<OpenBounds>;
}

export const isSeen = ({ verdict }: Consequence) => verdict === 'violated' || verdict === 'deadlock';

/** `S4 after 3`. */
function short(consequence: Consequence | undefined, itself: Consequence): string {
  if (consequence === undefined) return '';
  const { verdict, property = '', depth = 0 } = consequence;
  if (verdict === 'holds') return 'nothing';
  if (verdict === 'unknown') return 'no verdict';
  if (property === itself.property && depth === itself.depth) return 'as it is';
  return `${propertyLabel(property)} after ${depth}${consequence.bounds === undefined ? '' : '*'}`;
}

/** The table for people. */
export function whyInWords({ design, bounds, itself, rows, second }: WhyAnswer): string[] {
  const consequences = rows.flatMap(({ leftOut = [], exchanged = [] }) => [leftOut, exchanged].flat());
  const met = new Set([itself, ...consequences].flatMap(({ property = [] }) => property));
  const legend = [...met].map((slug) => [propertyLabel(slug), slug, explain(slug).promise]);
  const nested = consequences.some((one) => one.bounds !== undefined);
  const unneeded = rows.filter(({ reason }) => reason !== undefined);
  return [
    `${design}: ${isSeen(itself) ? `violates ${itself.property} as it is, after ${itself.depth ?? 0}` : 'holds as it is'}`,
    `  bounds    ${boundsInWords(bounds)}`,
    ...(nested ? [`  * at     ${boundsInWords({ ...bounds, ...second })}`] : []),
    '',
    ...stepTable(rows, itself),
    '',
    'Property that fails first, and after how many transitions:',
    ...legend.toSorted(byLabel).map(([label, slug, promise]) => `  ${label.padEnd(4)} ${slug}: ${promise}`),
    ...(unneeded.length === 0
      ? []
      : ['', 'Steps that nothing here needs, and what would have to be modelled to see their need:']),
    ...unneeded.map(({ sequence, step, reason }) => `  ${sequence}, ${step}: ${reason}`),
  ];
}

const byLabel = ([a]: readonly string[], [b]: readonly string[]) =>
  a[0].localeCompare(b[0]) * -1 || Number(a.slice(1)) - Number(b.slice(1));

function stepTable(rows: readonly WhyRow[], itself: Consequence): string[] {
  const body = rows.flatMap((row, i) => {
    const heading = row.sequence === rows[i - 1]?.sequence ? [] : [[row.sequence, '', '']];
    const first = row.exchangedWith === undefined ? '' : `${row.exchangedWith} first`;
    const exchange = row.exchanged === undefined ? '' : `${short(row.exchanged, itself)}: ${first}`;
    return [...heading, [`  ${row.step}`, short(row.leftOut, itself), exchange]];
  });
  return alignedTable(['step', 'without it', 'exchanged with the next one'], ['left', 'left', 'left'], body);
}
