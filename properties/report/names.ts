/**
 * Names of stacks, events, actions and bounds as a report writes them. Kinds of stacks and contexts have the names of
 * the abstract machine.
 */
import type { Action } from '../../counterexamples/format';
import type { Bounds, Limit, OpenBounds } from '../../model/checker/language/schema-types';
import { instanceName } from '../../model/checker/model';
import {
  CR3_WINDOW,
  ENTRY,
  FOREIGN,
  GP,
  IRQ_STACK,
  KIND_NAMES,
  NMI_STACK,
  PF,
  STACK_NAMES,
  USER,
} from '../../model/kinds';
import { RULES } from '../../model/rules';
import { counted } from './numbers';

/** Whose stack it is: `entry stack of CPU 0`, `kernel stack of t1`. */
export function stackName(kind: number, cpu: number, thread: string): string {
  const name = STACK_NAMES[kind];
  switch (kind) {
    case USER:
      return 'user stack';
    case CR3_WINDOW:
      return 'no stack (a CR3 value)';
    case ENTRY:
    case IRQ_STACK:
    case NMI_STACK:
      return `${name} stack of CPU ${cpu}`;
    case FOREIGN:
      return 'a foreign stack';
    default:
      return `${name} stack of ${thread}`;
  }
}

/** Kind of a context, with the exception that hardware manuals know it by. */
export function contextName(kind: number): string {
  const name: string = KIND_NAMES[kind];
  if (kind === PF) return `${name} (#PF)`;
  return kind === GP ? `${name} (#GP)` : name;
}

/** An action as a call: `switch-to(c0, t1)`, `irq(c0, 0x20)`, `run(c1, 12)`. */
export function actionName(action: Action, bounds: Pick<Bounds, 'tasks'>): string {
  const on = `c${action.cpu}`;
  switch (action.action) {
    case 'run':
      return `run(${on}, ${action.count})`;
    case 'irq':
      return `irq(${on}, 0x${action.vector.toString(16)})`;
    case 'nmi':
      return `nmi(${on})`;
    case 'step': {
      const { rule, cpu, args = [] } = action;
      const params = RULES.find(({ name }) => name === rule)?.params ?? ['cpu'];
      return instanceName({ rule, params, args: [cpu, ...args] }, bounds);
    }
  }
}

function eventsInWords(limit: Limit, one: string): string {
  return limit === 'any' ? `any number of ${one}s` : `at most ${counted(limit, one)}`;
}

/** The bounds of a search or a campaign in one line. */
export function boundsInWords(b: OpenBounds): string {
  const events =
    b.nmis === 'any' || b.irqs === 'any'
      ? `${eventsInWords(b.nmis, 'NMI')} and ${eventsInWords(b.irqs, 'IRQ')}`
      : `at most ${counted(b.nmis, 'NMI')} and ${counted(b.irqs, 'IRQ')}`;
  return `${counted(b.cpus, 'CPU')}, ${counted(b.tasks, 'task')}, ${counted(b.mms, 'address space')}, nesting ${b.nesting === 'any' ? 'of any depth' : b.nesting}, ${events}`;
}
