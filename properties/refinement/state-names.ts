/** Names of stacks and contexts: the words of the abstract machine, with those that hardware manuals know them by. */
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
