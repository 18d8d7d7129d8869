/**
 * What stands in the way of a proof, in words: the element that cannot be turned into a state of a small system, what
 * was left open, and what would have to be kept to tell more.
 */
import type { Layout } from '../compiled/code/layout';
import type { Alarm, Element } from './element';
import type { ProofSystem } from './proof-system';

export interface ObstacleInWords {
  /** What may happen. A sentence without its full stop. */
  readonly what: string;
  /** Every value of the element that is not 0. */
  readonly element?: string;
  /** Fields that the answer depends on and that are left open. */
  readonly open: readonly string[];
  /** What would have to be refined. A sentence without its full stop. */
  readonly refine: string;
}

type Names = (property: number) => string;

function whatMayHappen({ kind, property = 0, action }: Alarm, nameOf: Names): string {
  const step = action === undefined ? 'a step' : action.rule;
  switch (kind) {
    case 'property':
      return action === undefined ? `${nameOf(property)} may be violated` : `${step} may violate ${nameOf(property)}`;
    case 'range':
      return `${step} may use an index, or store a value, that is out of range`;
    case 'thread':
      return `${step} may take a thread that another CPU runs`;
    case 'reach':
      return `${step} writes to a thread that may sleep and is not among its arguments`;
    case 'size':
      return 'the set has more elements than the limit';
    case 'names':
      return 'a step is about more CPUs, tasks and address spaces than the proof can name';
    case 'nesting':
      return 'contexts may be nested more deeply than the proof can count';
  }
}

function elementInWords({ layout, form, bounds }: ProofSystem, { values, kind }: Element): string {
  const cells =
    kind === undefined ? form.cellsOf(form.runsOf(values)) : form.threadCells(kind === 'task' ? 0 : bounds.tasks);
  const named = cells.flatMap((cell, i) => (values[i] === 0 ? [] : [`${cellName(layout, cell)} ${values[i]}`]));
  const ofView = form.tracked === 1 ? 'a CPU with its thread' : `${form.tracked} CPUs with their threads`;
  return `${kind === undefined ? ofView : 'a sleeping thread'}: ${named.join(', ') || 'all 0'}`;
}

function cellName(layout: Layout, cell: number): string {
  const { field, index } = layout.cells[cell];
  const [, context] = index;
  return context === undefined ? field : `${field}[${context}]`;
}

function refinement({ kind }: Alarm, system: ProofSystem, open: readonly number[]): string {
  if (kind === 'size' || kind === 'names' || kind === 'nesting') return 'the limits of the proof';
  const owners = open.map((cell) => system.form.owners[cell]);
  const parts = [
    ...(owners.some(({ over }) => over === 'cpu') ? [`more than ${system.form.tracked} CPUs kept together`] : []),
    ...(owners.some(({ over }) => over === 'thread')
      ? ['a thread that another CPU runs, or that sleeps, kept with it']
      : []),
    ...(owners.some(({ over }) => over === 'global') ? ['the globals kept with it'] : []),
  ];
  return parts.length === 0 ? 'the rule itself: nothing was left open' : parts.join(', and ');
}

/** The alarm in words. `nameOf`: the name of a property. */
export function obstacleInWords(system: ProofSystem, alarm: Alarm, nameOf: Names): ObstacleInWords {
  const { element, open } = alarm;
  return {
    what: whatMayHappen(alarm, nameOf),
    ...(element === undefined ? {} : { element: elementInWords(system, element) }),
    open: [...new Set(open.map((cell) => system.layout.cells[cell].field))].sort(),
    refine: refinement(alarm, system, open),
  };
}
