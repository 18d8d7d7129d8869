/**
 * A design without one of its steps, and with a step and its neighbour exchanged: what `why` searches, to find the
 * property that needs the step.
 */
import type { DesignTable } from './design-table';
import { editDesign, type Sequence, type Step, sequencesOf } from './sequences';

export interface Variant {
  readonly sequence: string;
  /** Place of the step in its sequence, from 0. */
  readonly place: number;
  readonly step: Step;
  /** The step behind it, which comes first now; undefined where the step is left out. */
  readonly exchangedWith?: Step;
  readonly table: DesignTable;
}

/** What a path cannot do without: it would not reach its body, or would never return. */
const ENDS: readonly Step[] = ['enter-body', 'sysret', 'iret-to-user', 'iret-to-kernel', 'nmi-iret-to-kernel'];
/** Without these nothing is ever scheduled; their order is that of the data. */
const OF_EVERY_SWITCH: readonly Step[] = ['switch-mm', 'switch-to', 'release-cpu', 'set-current'];

/** Each step that a design could do without, left out. */
export function leftOut(table: DesignTable): Variant[] {
  return sequencesOf(table).flatMap((sequence) =>
    sequence.steps.flatMap((step, place) =>
      ENDS.includes(step) || (sequence.name === 'context-switch' && OF_EVERY_SWITCH.includes(step))
        ? []
        : [{ ...at(sequence, place), table: editDesign(table, [{ leaveOut: step, of: [sequence.name] }]) }],
    ),
  );
}

/** Each step, exchanged with the one behind it. */
export function exchanged(table: DesignTable): Variant[] {
  return sequencesOf(table).flatMap((sequence) =>
    sequence.steps.slice(0, -1).flatMap((step, place) => {
      const next = sequence.steps[place + 1];
      if (!mayExchange(sequence, step, next)) return [];
      const edit = { exchange: step, with: next, of: [sequence.name] };
      return [{ ...at(sequence, place), exchangedWith: next, table: editDesign(table, [edit]) }];
    }),
  );
}

function at({ name, steps }: Sequence, place: number) {
  return { sequence: name, place, step: steps[place] };
}

/**
 * Nothing comes after the end of a path: a step behind it is one that is left out. Of a context switch, only on_cpu can
 * be released too early.
 */
function mayExchange({ name }: Sequence, step: Step, next: Step): boolean {
  if (name === 'context-switch') return step === 'switch-to' && next === 'release-cpu';
  return !ENDS.includes(step) && !ENDS.includes(next);
}
