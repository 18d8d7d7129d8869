/**
 * Names of threads, stacks, events and actions as a report writes them. Kinds of stacks and contexts have the names of
 * the abstract machine.
 */
import type { Action } from '../../counterexamples/format';
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
import type { Bounds } from '../../model/schema-types';
import { TIMER_VECTOR } from '../exploration/entry-system';

/** `t1`, or `idle(c0)` for the idle thread of CPU 0. */
export function threadName(bounds: Pick<Bounds, 'tasks'>, t: number): string {
  return t < bounds.tasks ? `t${t}` : `idle(c${t - bounds.tasks})`;
}

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

const ARGUMENT = { cpu: 'c', task: 't', mm: 'm' } as const;

/** An action as a call: `switch-to(c0, t1)`, `irq(c0, 0x20 timer)`, `run(c1, 12)`. */
export function actionName(action: Action, bounds: Pick<Bounds, 'tasks'>): string {
  const on = `c${action.cpu}`;
  switch (action.action) {
    case 'run':
      return `run(${on}, ${action.count})`;
    case 'irq':
      return `irq(${on}, 0x${action.vector.toString(16)}${action.vector === TIMER_VECTOR ? ' timer' : ''})`;
    case 'nmi':
      return `nmi(${on})`;
    case 'step': {
      const params = RULES.find((rule) => rule.name === action.rule)?.params ?? [];
      const args = (action.args ?? []).map((arg, i) => argumentName(params[i + 1], arg, bounds));
      return `${action.rule}(${[on, ...args].join(', ')})`;
    }
  }
}

function argumentName(
  sort: 'cpu' | 'task' | 'mm' | 'thread' | undefined,
  arg: number,
  bounds: Pick<Bounds, 'tasks'>,
): string {
  if (sort === undefined) return `${arg}`;
  return sort === 'thread' ? threadName(bounds, arg) : `${ARGUMENT[sort]}${arg}`;
}
