/**
 * A trace replayed for a reader: what each action did, as data. The machine is driven through the same `perform` as a
 * campaign; a tracer beside the monitor says by which instruction, and the abstraction of the machine before and after
 * says what changed.
 */
import type { Action } from '../../counterexamples/format';
import type { Cpu } from '../../emulator/cpu/cpu';
import { disassemble } from '../../emulator/disassemble';
import { CPL, CR3, ICOUNT, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';
import { threadName } from '../../model/checker/model';
import { makePacking } from '../../model/checker/search/packing';
import { CR3_WINDOW } from '../../model/kinds';
import { type State, schema } from '../../model/schema';
import type { Subject } from '../campaign/subject';
import { INTERRUPTS, STACK, USER_GS, USER_HALF } from '../ghost/ghost';
import { locationName } from '../guest/location';
import { regionOf } from '../guest/regions';
import { abstractMachine } from '../refinement/abstraction';
import { changesInWords } from '../refinement/changes';
import { MAX_NESTING } from '../safety/nesting-is-bounded';
import type { ActionOutcome } from '../trace/transition-system';
import { type ChoiceRead, Tracer } from './tracer';

/** What a CPU looks like at a boundary. */
export interface CpuView {
  readonly cpu: number;
  readonly thread: string;
  readonly cpl: number;
  readonly cr3: string;
  readonly gs: string;
  readonly interrupts: number;
  readonly nmi: string;
  /** Place of the next instruction, as symbol+offset. */
  readonly rip: string;
  readonly rsp: number;
  readonly stack: string;
}

/** An instruction as everybody writes it: place and AT&T text. */
interface InstructionView {
  readonly place: string;
  readonly text: string;
}

export interface StepRecord {
  /** Position of the action in the trace, from 1: what `expected.step` of a saved case counts. */
  readonly number: number;
  readonly action: Action;
  readonly outcome: ActionOutcome;
  /**
   * Where the step ended: `how` says whether that instruction completed, faulted, or was only about to run when an
   * event came.
   */
  readonly instruction: (InstructionView & { readonly how: 'ran' | 'faulted' | 'before' }) | undefined;
  readonly delivered: { readonly vector: number; readonly handler: string } | undefined;
  readonly choices: readonly (Omit<ChoiceRead, 'va'> & { readonly place: string })[];
  /** Instructions that the step retired. */
  readonly instructions: number;
  /** The CPU before and after; both are the same where the action was not enabled and was taken back. */
  readonly before: CpuView;
  readonly after: CpuView;
  /** The abstract state before and after; undefined where the machine is in none. */
  readonly abstract: { readonly before: State | undefined; readonly after: State | undefined };
  /** What changed in the abstract state, in words. */
  readonly changes: readonly string[];
}

export interface Replay {
  readonly initially: ActionOutcome | undefined;
  /** Every CPU before the first action. */
  readonly start: readonly CpuView[];
  readonly steps: readonly StepRecord[];
}

/**
 * Replays the actions as a campaign does: up to the first violation, and past a divergence, from which on the machine
 * is no longer compared with its model. An action that is not enabled is recorded and taken back.
 */
export function recordSteps(subject: Subject, actions: readonly Action[]): Replay {
  const recorder = new Recorder(subject);
  return recorder.tracer.during(() => recorder.record(actions));
}

class Recorder {
  readonly tracer: Tracer;
  private readonly subject: Subject;
  private readonly zero: () => State;

  constructor(subject: Subject) {
    this.subject = subject;
    this.tracer = new Tracer(subject.guest.machine);
    const packing = makePacking(schema, { ...subject.bounds, nesting: MAX_NESTING + 1, nmis: 1, irqs: 1 });
    this.zero = () => packing.zero();
  }

  record(actions: readonly Action[]): Replay {
    const { system } = this.subject;
    system.reset();
    const initially = system.initially();
    const start = this.subject.guest.machine.cpus.map((cpu) => this.view(cpu));
    const steps: StepRecord[] = [];
    if (initially !== undefined) return { initially, start, steps };
    for (const action of actions) {
      const step = this.step(action, steps.length + 1);
      steps.push(step);
      if (step.outcome.kind === 'violated') break;
    }
    return { initially, start, steps };
  }

  private step(action: Action, number: number): StepRecord {
    const { system, guest } = this.subject;
    const cpu = guest.machine.cpus[action.cpu];
    const before = { view: this.view(cpu), state: this.state() };
    const count = cpu.r[ICOUNT];
    const mark = system.mark();
    this.tracer.take();
    const outcome = system.perform(action);
    const { ending, choices } = this.tracer.take();
    const done = {
      instruction: ending === undefined ? undefined : { how: ending.how, ...this.instruction(cpu, ending.va) },
      delivered: ending?.delivered && {
        vector: ending.delivered.vector,
        handler: this.place(ending.delivered.handler),
      },
      choices: choices.map(({ va, ...read }) => ({ place: this.place(va), ...read })),
      instructions: (cpu.r[ICOUNT] - count) | 0,
    };
    if (outcome.kind === 'disabled') system.rollback(mark);
    system.release(mark);
    const after = this.state();
    return {
      number,
      action,
      outcome,
      ...done,
      before: before.view,
      after: this.view(cpu),
      abstract: { before: before.state, after },
      changes: this.changes(before.state, after, action.cpu),
    };
  }

  /** undefined where the machine is in no state of the abstract machine. */
  private state(): State | undefined {
    const state = this.zero();
    return abstractMachine(this.subject.guest.monitor, state) === undefined ? state : undefined;
  }

  private changes(before: State | undefined, after: State | undefined, cpu: number): string[] {
    const { guest, bounds } = this.subject;
    if (after === undefined) {
      const wrong = abstractMachine(guest.monitor, this.zero());
      return wrong === undefined ? [] : [wrong.what];
    }
    if (before === undefined) return [];
    return changesInWords(before, after, cpu, { bounds, halves: guest.manifest.pgdUserOffset !== 0 });
  }

  private view(cpu: Cpu): CpuView {
    const { guest, bounds } = this.subject;
    const { words } = guest.monitor.ghost;
    const g = guest.monitor.ghost.cpu(cpu.index);
    const mm = guest.view.mmOfRoot(cpu.r[CR3]);
    const space = mm < 0 ? 'unknown' : `mm${mm}`;
    const half = words[g + USER_HALF] === 1 ? 'user' : 'kernel';
    return {
      cpu: cpu.index,
      thread: threadName(bounds, guest.monitor.ghost.running(cpu.index)),
      cpl: cpu.r[CPL],
      cr3: guest.manifest.pgdUserOffset === 0 ? space : `${half} ${space}`,
      gs: words[g + USER_GS] === 1 ? 'user' : 'kernel',
      interrupts: words[g + INTERRUPTS],
      nmi: nmiWords(cpu),
      rip: this.place(cpu.rip()),
      rsp: cpu.rsp(),
      stack: this.stack(cpu, words[g + STACK]),
    };
  }

  /** The region by its name in the manifest; the user's stacks are in no region. */
  private stack(cpu: Cpu, abstract: number): string {
    const region = regionOf(this.subject.guest.view.regions, cpu.rsp());
    if (region !== undefined && cpu.r[CPL] !== 3) return region.name;
    if (abstract === CR3_WINDOW) return 'CR3 value';
    return cpu.rsp() >= 0 ? 'user' : 'none';
  }

  /** Kernel tables map user code, too, and the user half does not map all of the kernel. */
  private instruction(cpu: Cpu, va: number): InstructionView {
    const { guest, image } = this.subject;
    const mm = Math.max(0, guest.view.mmOfRoot(cpu.r[CR3]));
    return { place: this.place(va), text: disassemble(guest.machine, guest.view.kernelRoot(mm), va, image) };
  }

  private place(va: number): string {
    return locationName(this.subject.image, va).replace(/\+0x0$/, '');
  }
}

function nmiWords(cpu: Cpu): string {
  if (cpu.r[NMI_PENDING] === 1) return cpu.r[NMI_BLOCKED] === 1 ? 'blk+pending' : 'pending';
  return cpu.r[NMI_BLOCKED] === 1 ? 'blocked' : '-';
}
