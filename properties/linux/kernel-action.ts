/**
 * What a trace of a booted kernel consists of. A trace begins in the state after the boot and is a function of it: it
 * names no time, and no address of the kernel.
 */

/** The program goes on with this excursion, in this of its rounds (which decides what it puts into RFLAGS). */
interface ExcursionAction {
  readonly action: 'excursion';
  readonly name: string;
  readonly round: number;
}

/** So many boundaries in the turns that the CPUs take by themselves; timers expire on the way. */
interface TurnsAction {
  readonly action: 'turns';
  readonly count: number;
}

/** So many boundaries of one CPU. No timer expires meanwhile. */
interface RunAction {
  readonly action: 'run';
  readonly cpu: number;
  readonly count: number;
}

/**
 * An NMI is raised. Where NMIs are not blocked, the CPU goes on until it takes it: a trap of the instruction before
 * comes first, and MOV SS holds it back.
 */
interface NmiAction {
  readonly action: 'nmi';
  readonly cpu: number;
}

/** A maskable interrupt is raised, and taken if interrupts are on. */
interface IrqAction {
  readonly action: 'irq';
  readonly cpu: number;
  readonly vector: number;
}

/**
 * The CPU goes on until it is back where the first event interrupted it, which has to be as if nothing had happened.
 */
interface BackAction {
  readonly action: 'back';
  readonly cpu: number;
}

/** NMIs are no longer blocked, as after an IRET of an exception in the NMI's handler. */
interface UnblockAction {
  readonly action: 'unblock';
  readonly cpu: number;
}

/** A debug exception is pending, as after a data breakpoint that MOV SS has held back. */
interface DebugAction {
  readonly action: 'debug';
  readonly cpu: number;
}

/** Time goes on to the next deadline of a timer, whose interrupt is requested. */
interface TimeAction {
  readonly action: 'time';
}

export type KernelAction =
  | ExcursionAction
  | TurnsAction
  | RunAction
  | NmiAction
  | IrqAction
  | BackAction
  | UnblockAction
  | DebugAction
  | TimeAction;

/** Adjacent ones of the same kind are one. */
export function joined(actions: readonly KernelAction[]): KernelAction[] {
  const all: KernelAction[] = [];
  for (const action of actions) {
    const last = all.at(-1);
    if (last?.action === 'turns' && action.action === 'turns')
      all[all.length - 1] = { ...last, count: last.count + action.count };
    else if (last?.action === 'run' && action.action === 'run' && last.cpu === action.cpu)
      all[all.length - 1] = { ...last, count: last.count + action.count };
    else all.push(action);
  }
  return all.filter((action) => !('count' in action) || action.count > 0);
}
