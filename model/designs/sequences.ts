/**
 * The sequences of a design by name, and what can be done to one: this is how a planted bug is written, and how each
 * step is asked why it is there.
 *
 *   syscall enter, syscall sysret, syscall iret, irq enter, irq iret, ... nmi enter, nmi iret     from user mode
 *   kernel irq enter, kernel irq return, ... kernel nmi enter, kernel nmi return                  from the kernel
 *   first-run sysret, first-run iret (where they are not those of a system call)
 *   context-switch
 */
import {
  type DesignTable,
  type EntryStep,
  type ExitStep,
  KERNEL_EVENTS,
  type KernelEvent,
  type ReturnStep,
  type SwitchStep,
  USER_EVENTS,
  type UserEvent,
  type UserPath,
} from './design-table';

/** A step of any sequence. */
export type Step = EntryStep | ExitStep | ReturnStep | SwitchStep;

export interface Sequence {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** One change of a design: what is done, and in which sequences. */
export type Edit = (LeaveOut | Insert | Exchange | Replace) & {
  /** Names of sequences (`irq enter`, `context-switch`). */
  readonly of: readonly string[];
};

/** A step is not taken. */
export interface LeaveOut {
  /** The step. */
  readonly leaveOut: Step;
}

/** A step more. */
export interface Insert {
  /** The step. */
  readonly insert: Step;
  /** The one that follows it. */
  readonly before: Step;
}

/** Two steps change places. */
export interface Exchange {
  /** One of them. */
  readonly exchange: Step;
  /** The other one. */
  readonly with: Step;
}

/** A step in place of another one. */
export interface Replace {
  /** The step that is not taken. */
  readonly replace: Step;
  /** The one in its place. */
  readonly by: Step;
}

/** `sysret` or `iret`: the last step of a way to user mode. */
const wayOf = (steps: readonly ExitStep[]) => (steps.at(-1) === 'sysret' ? 'sysret' : 'iret');

function waysOf(name: string, leave: UserPath['leave']): Sequence[] {
  return leave.map((steps) => ({ name: `${name} ${wayOf(steps)}`, steps }));
}

/** Every sequence of a design, by its name. */
export function sequencesOf(table: DesignTable): Sequence[] {
  return [
    ...USER_EVENTS.flatMap((event) => [
      { name: `${event} enter`, steps: table.fromUser[event].enter },
      ...waysOf(event, table.fromUser[event].leave),
    ]),
    ...KERNEL_EVENTS.flatMap((event) => [
      { name: `kernel ${event} enter`, steps: table.fromKernel[event].enter },
      { name: `kernel ${event} return`, steps: table.fromKernel[event].leave },
    ]),
    ...waysOf('first-run', table.firstRun.leave ?? []),
    { name: 'context-switch', steps: table.contextSwitch },
  ];
}

/** The design with each sequence replaced by what `change` makes of it. */
function mapSequences(table: DesignTable, change: (sequence: Sequence) => readonly Step[]): DesignTable {
  const ways = (name: string, leave: UserPath['leave']) =>
    waysOf(name, leave).map((sequence) => change(sequence) as ExitStep[]);
  const user = (event: UserEvent): [UserEvent, UserPath] => {
    const { enter, leave } = table.fromUser[event];
    return [
      event,
      { enter: change({ name: `${event} enter`, steps: enter }) as EntryStep[], leave: ways(event, leave) },
    ];
  };
  const kernel = (event: KernelEvent) => {
    const { enter, leave } = table.fromKernel[event];
    return [
      event,
      {
        enter: change({ name: `kernel ${event} enter`, steps: enter }) as EntryStep[],
        leave: change({ name: `kernel ${event} return`, steps: leave }) as ReturnStep[],
      },
    ];
  };
  const { leave } = table.firstRun;
  return {
    ...table,
    fromUser: Object.fromEntries(USER_EVENTS.map(user)) as DesignTable['fromUser'],
    fromKernel: Object.fromEntries(KERNEL_EVENTS.map(kernel)) as DesignTable['fromKernel'],
    firstRun: { ...table.firstRun, ...(leave === undefined ? {} : { leave: ways('first-run', leave) }) },
    contextSwitch: change({ name: 'context-switch', steps: table.contextSwitch }) as SwitchStep[],
  };
}

/** The steps with the edit done; throws RangeError where they have no such step. */
function edited(steps: readonly Step[], edit: Edit): Step[] {
  const place = (step: Step): number => {
    const at = steps.indexOf(step);
    if (at < 0) throw new RangeError(`no step ${step} in ${steps.join(', ')}`);
    return at;
  };
  if ('leaveOut' in edit) return steps.toSpliced(place(edit.leaveOut), 1);
  if ('insert' in edit) return steps.toSpliced(place(edit.before), 0, edit.insert);
  if ('replace' in edit) return steps.with(place(edit.replace), edit.by);
  return steps.with(place(edit.exchange), edit.with).with(place(edit.with), edit.exchange);
}

/** A design with edits. Throws RangeError for a sequence or a step that it does not have. */
export function editDesign(table: DesignTable, edits: readonly Edit[]): DesignTable {
  const names = new Set(sequencesOf(table).map(({ name }) => name));
  const unknown = edits.flatMap((edit) => edit.of).find((name) => !names.has(name));
  if (unknown !== undefined) throw new RangeError(`${table.name} has no sequence ${unknown}`);
  return edits.reduce(
    (design, edit) => mapSequences(design, ({ name, steps }) => (edit.of.includes(name) ? edited(steps, edit) : steps)),
    table,
  );
}
