/**
 * The deterministic sweep: an NMI at every instruction boundary, and an IRQ at every boundary with IF=1, of one system
 * call, one IRQ, one #PF and two context switches, one of them to a task of another address space where there is one;
 * and at every boundary of the other one, another CPU that switches to the same task. At each boundary the machine is
 * marked, the event happens, the CPU runs until the scenario has ended, and the undo log takes everything back.
 */
import type { Action } from '../../counterexamples/format';
import type { BoundarySystem, Chooser, Option, Taken } from '../trace/transition-system';
import type { Walk } from '../trace/walk';

/**
 * A way through the kernel: which event starts it (`nmi`: one at the first instruction of a system call), and what the
 * guest chooses.
 */
interface Scenario {
  readonly name: string;
  readonly start: 'user' | 'irq' | 'nmi';
  /** Answers to the guest's choices, in order; then 0. */
  readonly choices: readonly number[];
  /** Another CPU tries to switch to the task at every boundary. */
  readonly contended?: boolean;
  /** The other CPU has gone idle before, so that its task can be picked here. */
  readonly otherIdles?: boolean;
}

/**
 * The guest's choices are documented in emulator/guest/README.md: user program (0 system call, 1 touch a heap page),
 * system call body (0 leave by SYSRET, 1 by IRET, 2 enable interrupts, 3 yield), next task (0-2: that task, or else the
 * next one that can run; 3: the idle thread). CPU 0 boots task 0 and CPU 1 task 1, whatever other tasks there are; with
 * two address spaces these two tasks are in different ones.
 */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'system call, SYSRET', start: 'user', choices: [0, 0] },
  { name: 'system call, IRET', start: 'user', choices: [0, 1] },
  { name: 'system call with interrupts on', start: 'user', choices: [0, 2, 0] },
  { name: 'IRQ from user mode', start: 'irq', choices: [0, 0] },
  { name: '#PF', start: 'user', choices: [1, 0] },
  { name: 'NMI in a system call, with a #PF in its handler', start: 'nmi', choices: [0, 1, 0] },
  { name: 'context switch', start: 'user', choices: [0, 3, 3], contended: true },
  { name: 'context switch to the task of another CPU', start: 'user', choices: [0, 3, 1], otherIdles: true },
];

/** What can happen at a boundary: `switch` is the other CPU switching to the same task. */
type SweptEvent = 'nmi' | 'irq' | 'switch';

/** Pairs of a boundary (symbol+offset) and an event that were hit. */
export class Coverage {
  private readonly pairsHit = new Set<string>();
  private readonly allPairs = new Set<string>();

  /** The scenarios pass this boundary, where the event would be taken. */
  offer(boundary: string, event: SweptEvent): void {
    this.allPairs.add(`${boundary} ${event}`);
  }

  /** The event was taken there. */
  add(boundary: string, event: SweptEvent): void {
    this.pairsHit.add(`${boundary} ${event}`);
  }

  has(boundary: string, event: SweptEvent): boolean {
    return this.pairsHit.has(`${boundary} ${event}`);
  }

  get hit(): number {
    return this.pairsHit.size;
  }

  get of(): number {
    return this.allPairs.size;
  }
}

interface SweepResult {
  /** The first failing walk, in the order of scenarios and boundaries. */
  readonly failure: Walk | undefined;
  readonly boundaries: number;
}

/** Longest scenario, in boundaries; every one here is shorter by far. */
const LIMIT = 3000;
/** Actions after an event until the scenario must have ended. */
const SETTLE = 400;
const CPU = 0;
const OTHER_CPU = 1;
/** The other CPU's task makes a system call and yields to task 0. */
const OTHER_CHOICES = [0, 3, 0];
/** It makes a system call and yields to the idle thread. */
const IDLE_CHOICES = [0, 3, 3];
/** Transitions of the other CPU until it has got there, or waits. */
const OTHER_STEPS = 24;

/** Sweeps the scenarios (all of them unless said otherwise) on CPU 0. Stops at the first failure. */
export function sweep(
  system: BoundarySystem,
  coverage: Coverage,
  shouldStop: () => boolean = () => false,
  scenarios: readonly Scenario[] = SCENARIOS,
): SweepResult {
  // First once without events, so that a sweep that is cut short knows of how many pairs it has hit some.
  for (const scenario of scenarios) follow(system, scenario, (path) => offerEvents(path, scenario, coverage));
  let boundaries = 0;
  for (const scenario of scenarios) {
    const result = follow(system, scenario, (path) => (shouldStop() ? STOP : raiseEvents(path, scenario, coverage)));
    boundaries += result.boundaries;
    if (result.failure !== undefined) return { failure: result.failure, boundaries };
  }
  return { failure: undefined, boundaries };
}

/** What a visitor of a boundary says: go on, stop here, or this failed. */
type Visit = Walk | typeof STOP | undefined;
const STOP = 'stop';

/** One path through the kernel, boundary by boundary. */
class Path {
  readonly system: BoundarySystem;
  readonly actions: Action[] = [];
  readonly choose: Chooser;
  length = 0;
  failure: Walk['failure'];
  private diverged: Walk | undefined;
  private choices: readonly number[] = [];
  /** Choices of the step that is under way; they belong to the action that ends it. */
  private pending: number[] = [];
  /** Instructions of the CPU since its last transition. */
  private stutter = 0;

  constructor(system: BoundarySystem) {
    this.system = system;
    this.choose = (alternatives) => {
      const [next = 0, ...rest] = this.choices;
      const choice = Math.min(next, alternatives - 1);
      this.choices = rest;
      this.pending.push(choice);
      return choice;
    };
  }

  /** Answers these choices from now on, then 0. */
  answer(choices: readonly number[]): void {
    this.choices = choices;
  }

  /** The instructions since the last transition, as an action of their own: they matter to the other CPU. */
  recordStutter(): void {
    if (this.stutter === 0) return;
    const choices = this.pending.length > 0 ? { choices: this.pending } : {};
    this.actions.push({ action: 'run', cpu: CPU, count: this.stutter, ...choices });
    this.pending = [];
    this.stutter = 0;
  }

  /** The rule of the last step. */
  lastRule(): string | undefined {
    const last = this.actions.at(-1);
    return last?.action === 'step' ? last.rule : undefined;
  }

  save(): { actions: number; length: number; choices: readonly number[]; pending: number[]; stutter: number } {
    const { length } = this;
    return {
      actions: this.actions.length,
      length,
      choices: this.choices,
      pending: [...this.pending],
      stutter: this.stutter,
    };
  }

  restore(saved: ReturnType<Path['save']>): void {
    this.actions.length = saved.actions;
    this.length = saved.length;
    this.choices = saved.choices;
    this.pending = [...saved.pending];
    this.stutter = saved.stutter;
    this.failure = undefined;
    this.diverged = undefined;
  }

  /** Takes an option. False when it was not enabled. */
  take(option: Option): boolean {
    const taken = this.system.take(option, this.choose);
    const { outcome } = taken;
    if (outcome.kind === 'disabled') return false;
    if (outcome.kind === 'violated') this.failure = outcome;
    if (outcome.kind === 'diverged') this.diverged ??= { ...this.soFar(taken), failure: outcome };
    if (outcome.kind === 'done' && outcome.length === 0) this.stutter++;
    else this.record(taken);
    if (outcome.kind === 'done') this.length += outcome.length;
    return true;
  }

  private record(taken: Taken): void {
    const { action } = taken;
    const choices = this.pending;
    this.actions.push(action.action === 'step' && choices.length > 0 ? { ...action, choices } : action);
    this.pending = [];
    this.stutter = 0;
  }

  private soFar(last: Taken): Omit<Walk, 'failure'> {
    return { actions: [...this.actions, last.action], length: this.length + 1 };
  }

  /** The failing walk so far: a violation wins over the divergence that came before it. */
  walk(): Walk | undefined {
    return this.failure === undefined
      ? this.diverged
      : { actions: [...this.actions], length: this.length + 1, failure: this.failure };
  }
}

/** Follows a scenario on CPU 0 instruction by instruction, and shows each boundary to a visitor. */
function follow(system: BoundarySystem, scenario: Scenario, visit: (path: Path) => Visit): SweepResult {
  system.reset();
  const path = new Path(system);
  begin(path, scenario);
  let entered = false;
  let boundaries = 0;
  for (; boundaries < LIMIT; boundaries++) {
    const failure = path.walk();
    if (failure !== undefined) return { failure, boundaries };
    const answer = visit(path);
    if (answer === STOP) break;
    if (answer !== undefined) return { failure: answer, boundaries };
    const inUser = system.isInUserMode(CPU);
    entered ||= !inUser;
    if (entered && inUser) break;
    if (!path.take({ kind: 'run', cpu: CPU, count: 1 }) || waits(system)) break;
  }
  return { failure: undefined, boundaries };
}

/** Brings the CPU to the first boundary of the scenario; user code gets to its event by itself. */
function begin(path: Path, { start, choices, otherIdles }: Scenario): void {
  if (otherIdles === true) otherCpuIdles(path);
  path.answer(choices);
  if (start === 'irq') interrupt(path);
  if (start !== 'nmi') return;
  path.take({ kind: 'step', cpu: CPU });
  path.take({ kind: 'nmi', cpu: CPU });
}

/** The timer's interrupt; false where the image takes none. */
function interrupt(path: Path): boolean {
  const vector = path.system.timerVector;
  return vector !== undefined && path.take({ kind: 'irq', cpu: CPU, vector });
}

/**
 * The other CPU switches to its idle thread, up to the point where that lets interrupts in: its task is let go then.
 */
function otherCpuIdles(path: Path): void {
  if (path.system.cpus <= OTHER_CPU) return;
  path.answer(IDLE_CHOICES);
  for (let i = 0, switched = false; i < OTHER_STEPS && path.walk() === undefined; i++) {
    if (!path.take({ kind: 'step', cpu: OTHER_CPU })) return;
    const rule = path.lastRule();
    if (switched && rule === 'sti') return;
    switched ||= rule === 'switch-to';
  }
}

function offerEvents({ system }: Path, scenario: Scenario, coverage: Coverage): Visit {
  for (const event of eventsHere(system, scenario)) coverage.offer(system.location(CPU), event);
  return undefined;
}

function raiseEvents(path: Path, scenario: Scenario, coverage: Coverage): Visit {
  const at = path.system.location(CPU);
  for (const event of eventsHere(path.system, scenario)) {
    const { taken, failure } = withEvent(path, event);
    if (taken) coverage.add(at, event);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function waits(system: BoundarySystem): boolean {
  return !system.options().some((option) => option.kind === 'step' && option.cpu === CPU);
}

/** The events that would be taken at this boundary. */
function eventsHere(system: BoundarySystem, scenario: Scenario): SweptEvent[] {
  const events: SweptEvent[] = ['nmi'];
  if (system.takesIrq(CPU)) events.push('irq');
  if (scenario.contended === true && system.cpus > OTHER_CPU) events.push('switch');
  return events;
}

/** Lets an event happen, lets the CPU come to rest, and takes everything back. Answers the walk if it failed. */
function withEvent(path: Path, event: SweptEvent): { taken: boolean; failure: Walk | undefined } {
  const { system } = path;
  const saved = path.save();
  const mark = system.mark();
  const taken = happens(path, event);
  for (let i = 0; taken && path.failure === undefined && i < SETTLE; i++) {
    if (system.isInUserMode(CPU)) break;
    if (!path.take({ kind: 'step', cpu: CPU })) break;
  }
  const failure = path.walk();
  system.rollback(mark);
  system.release(mark);
  path.restore(saved);
  return { taken, failure };
}

function happens(path: Path, event: SweptEvent): boolean {
  switch (event) {
    case 'nmi':
      return path.take({ kind: 'nmi', cpu: CPU });
    case 'irq':
      return interrupt(path);
    case 'switch':
      return otherCpuSwitches(path);
  }
}

/**
 * The other CPU goes for task 0, which stands where it stands: what the CPU did since its last transition becomes part
 * of the trace.
 */
function otherCpuSwitches(path: Path): boolean {
  path.recordStutter();
  path.answer(OTHER_CHOICES);
  for (let i = 0; i < OTHER_STEPS && path.failure === undefined; i++)
    if (!path.take({ kind: 'step', cpu: OTHER_CPU })) break;
  return true;
}
