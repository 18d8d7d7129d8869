/**
 * Events at the boundaries of an excursion: at each the machine is marked, the event happens, the CPU runs until it is
 * back where it was interrupted, and the undo log takes everything back. What must hold there, whatever else is
 * watched: the kernel comes back, with every register as it was; it has taken the NMI; it does not stop, and does not
 * complain.
 */

import type { KernelAction } from '../../counterexamples/kernel-case';
import type { Cpu } from '../../emulator/cpu/cpu';
import {
  CPL,
  CR3,
  DB_PENDING,
  EFLAGS,
  FLAG_IF,
  GS_BASE,
  IN_HLT,
  NMI_BLOCKED,
  SS_SHADOW,
  STI_SHADOW,
} from '../../emulator/registers';
import { timerVector } from '../../emulator/system/apic-registers';
import { type Boundary, type ExcursionName, type Followed, follow, isNew, traceTo } from './excursions';
import { mayBeChecked, mayHitBreakpoint } from './expected-exceptions';
import { finished, type InSteps } from './in-steps';
import { allowNmis, toNmiBody } from './kernel-events';
import { type KernelFailure, type KernelSystem, NEVER } from './kernel-system';
import type { CodeClass, SweptCode } from './swept-code';

/**
 * `nested`: a second NMI in the first, which an IRET in the first one's handler has unblocked. `debug`: a #DB in the
 * kernel. `machineCheck`: an #MC. `other`: another CPU goes on in the middle of a switch of tasks.
 */
export type SweptEvent = 'nmi' | 'irq' | 'nested' | 'debug' | 'machineCheck' | 'other';

/** How often an event was raised at a boundary of an excursion, and what became of it. */
export interface EventCount {
  /** Boundaries at which it was raised: of an IRQ only those where interrupts are on. */
  raised: number;
  /** What it interrupted came back. */
  taken: number;
  /** What it interrupted did not come back soon: preempted. */
  away: number;
}

export interface SweptExcursion extends Followed {
  readonly excursion: ExcursionName;
  readonly events: Readonly<Record<SweptEvent, EventCount>>;
  /** Instructions that were executed after events. */
  readonly instructions: number;
  readonly failures: readonly KernelFailure[];
}

/** Boundaries of an NMI, or of an #MC, that a second one may come to. */
const LONGEST_FIRST = 2_000;
/** Boundaries of the other CPU while one switches tasks, and then of that one. */
const OF_OTHER = 200,
  OF_SWITCHING = 60;
/** Failures of an excursion that are kept if nothing else is said: more of them seldom say more. */
const MOST_FAILURES = 8;

/** `sweepInSteps` at once. */
export function sweepExcursion(...how: Parameters<typeof sweepInSteps>): SweptExcursion {
  return finished(sweepInSteps(...how));
}

/**
 * Sweeps one excursion, up to so many failures. The system is in the state after the boot, and is again afterwards.
 */
export function* sweepInSteps(
  system: KernelSystem,
  code: SweptCode,
  excursion: ExcursionName,
  shouldStop: () => boolean = () => false,
  mostFailures = MOST_FAILURES,
): InSteps<SweptExcursion> {
  const events = {
    nmi: noEvents(),
    irq: noEvents(),
    nested: noEvents(),
    debug: noEvents(),
    machineCheck: noEvents(),
    other: noEvents(),
  };
  const failures: KernelFailure[] = [];
  const sweep = new Sweep(system, code, excursion, failures);
  const start = system.mark();
  const followed = yield* follow(system, code, excursion, (boundary) => {
    sweep.nmi(boundary, events.nmi);
    sweep.irq(boundary, events.irq);
    sweep.nested(boundary, events.nested);
    sweep.debug(boundary, events.debug);
    sweep.machineCheck(boundary, events.machineCheck);
    sweep.other(boundary, events.other);
    return shouldStop() || failures.length >= mostFailures ? 'stop' : undefined;
  });
  const { violation } = system;
  if (violation !== undefined) failures.unshift({ ...violation, trace: traceTo(excursion, followed.length) });
  system.rollback(start);
  system.release(start);
  return { ...followed, excursion, events, instructions: sweep.instructions, failures };
}

function noEvents(): EventCount {
  return { raised: 0, taken: 0, away: 0 };
}

class Sweep {
  instructions = 0;
  /** In which a first NMI came. */
  private readonly conditions = new Set<number>();
  /** The same of a #DB, and of an #MC. */
  private readonly debugConditions = new Set<number>();
  private readonly checkConditions = new Set<number>();
  private readonly system: KernelSystem;
  private readonly code: SweptCode;
  private readonly excursion: ExcursionName;
  private readonly failures: KernelFailure[];

  constructor(system: KernelSystem, code: SweptCode, excursion: ExcursionName, failures: KernelFailure[]) {
    this.system = system;
    this.code = code;
    this.excursion = excursion;
    this.failures = failures;
  }

  nmi(boundary: Boundary, count: EventCount): void {
    const { cpu } = boundary;
    this.attempt(boundary, count, [
      { action: 'nmi', cpu },
      { action: 'back', cpu },
    ]);
  }

  irq(boundary: Boundary, count: EventCount): void {
    const { cpu: c } = boundary;
    const cpu = this.system.linux.machine.cpus[c];
    const vector = timerVector(cpu);
    if (vector < 0 || !takesInterrupts(cpu)) return;
    this.attempt(boundary, count, [
      { action: 'irq', cpu: c, vector },
      { action: 'back', cpu: c },
    ]);
  }

  /**
   * A second NMI at every boundary of the first, from its C function on: before that no IRET can have unblocked NMIs.
   * The first one comes once in each condition of the CPU: what else is different where it comes does not matter to it.
   */
  nested(boundary: Boundary, count: EventCount): void {
    const { system } = this;
    const { cpu: c } = boundary;
    const cpu = system.linux.machine.cpus[c];
    if (!isNew(this.conditions, conditionOf(cpu))) return;
    this.repeated(boundary, count);
    const mark = system.mark();
    system.perform({ action: 'nmi', cpu: c });
    const { nmi, back } = eventsOf(c);
    if (toNmiBody(system, c) === NEVER) return this.undo(mark);
    for (let into = 1; into < LONGEST_FIRST && system.violation === undefined; into++) {
      system.run(c, 1);
      if (cpu.r[NMI_BLOCKED] === 0) break;
      this.attempt(boundary, count, [nmi, { action: 'unblock', cpu: c, count: into }, nmi, back], () => {
        allowNmis(system, c);
        system.perform(nmi);
        if (system.violation === undefined) system.perform(back);
      });
    }
    this.undo(mark);
  }

  /**
   * A second NMI behind the first, when that is over; and a third one where the first is prepared for being repeated,
   * because the second has hit it: NMIs are not blocked there.
   */
  private repeated(boundary: Boundary, count: EventCount): void {
    const { system } = this;
    const { cpu: c } = boundary;
    const cpu = system.linux.machine.cpus[c];
    const { nmi, back } = eventsOf(c);
    this.attempt(boundary, count, [nmi, back, nmi, back]);
    if (cpu.r[CPL] !== 0) return;
    const [rip, rsp] = [cpu.rip(), cpu.rsp()];
    const twice = [nmi, { action: 'unblock', cpu: c, count: 1 }, nmi] as const;
    const mark = system.mark();
    for (const event of twice) system.perform(event);
    let isRepeated = false;
    let isOver = false;
    for (let into = 1; into < LONGEST_FIRST && !isOver && system.violation === undefined; into++) {
      system.run(c, 1);
      isOver = (isRepeated && !this.code.repeatsNmi(cpu)) || (cpu.rip() === rip && cpu.rsp() === rsp);
      isRepeated = this.code.repeatsNmi(cpu);
      if (!isRepeated || cpu.r[NMI_BLOCKED] !== 0) continue;
      this.attempt(boundary, count, [...twice, { action: 'run', cpu: c, count: into }, nmi, back], () => {
        system.perform(nmi);
        if (system.violation === undefined) system.perform(back);
      });
    }
    this.undo(mark);
  }

  /**
   * A #DB as of a data breakpoint: in entry code at every boundary, in other code of the kernel once in each condition.
   * In user mode it is a signal, as a single step is.
   */
  debug(boundary: Boundary, count: EventCount): void {
    const { cpu: c } = boundary;
    const { machine } = this.system.linux;
    const cpu = machine.cpus[c];
    if (!mayHitBreakpoint(machine, cpu) || !isDue(this.debugConditions, boundary.class, cpu)) return;
    this.attempt(boundary, count, [
      { action: 'debug', cpu: c },
      { action: 'back', cpu: c },
    ]);
  }

  /** An #MC: in entry code at every boundary, in other code once in each condition. */
  machineCheck(boundary: Boundary, count: EventCount): void {
    const { cpu: c } = boundary;
    const { machine } = this.system.linux;
    const cpu = machine.cpus[c];
    if (!mayBeChecked(machine, cpu) || !isDue(this.checkConditions, boundary.class, cpu)) return;
    const { check, back } = eventsOf(c);
    this.attempt(boundary, count, [check, back]);
    if (cpu.r[CPL] === 3) this.secondCheck(boundary, count);
  }

  /**
   * A second #MC behind the first, when the handler has said that it is over. The first one came in user mode, so that
   * the kernel has to have left the stack on which the second one is delivered. One failure says so.
   */
  private secondCheck(boundary: Boundary, count: EventCount): void {
    const { system } = this;
    const { cpu: c } = boundary;
    const { machine } = system.linux;
    const cpu = machine.cpus[c];
    const { check, back } = eventsOf(c);
    const conditions = new Set<number>();
    const { length } = this.failures;
    const mark = system.mark();
    system.perform(check);
    const isOver = () => cpu.r[CPL] === 3 || system.violation !== undefined || this.failures.length > length;
    for (let into = 1; into < LONGEST_FIRST && !isOver(); into++) {
      system.run(c, 1);
      if (!mayBeChecked(machine, cpu) || !isDue(conditions, this.code.classOf(cpu), cpu)) continue;
      this.attempt(boundary, count, [check, { action: 'run', cpu: c, count: into }, check, back], () => {
        system.perform(check);
        if (system.violation === undefined) system.perform(back);
      });
    }
    this.undo(mark);
  }

  /** Where one CPU goes from one task to another, the next CPU goes on alone for a while, and then that one does. */
  other(boundary: Boundary, count: EventCount): void {
    const { cpus } = this.system.linux.machine;
    const other = (boundary.cpu + 1) % cpus.length;
    if (boundary.class !== 'switch' || other === boundary.cpu || cpus[other].r[IN_HLT] !== 0) return;
    this.attempt(boundary, count, [
      { action: 'run', cpu: other, count: OF_OTHER },
      { action: 'run', cpu: boundary.cpu, count: OF_SWITCHING },
    ]);
  }

  /** Lets events happen, and takes them back; a violation becomes a failure. `happen` does what they say. */
  private attempt(
    { at }: Boundary,
    count: EventCount,
    events: readonly KernelAction[],
    happen = () => {
      for (const event of events) if (this.system.violation === undefined) this.system.perform(event);
    },
  ): void {
    const { system } = this;
    const { platform } = system.linux;
    const mark = system.mark();
    const retired = platform.retired();
    system.isAway = false;
    happen();
    system.readConsole();
    this.instructions += platform.retired() - retired;
    count.raised++;
    if (system.isAway) count.away++;
    else count.taken++;
    const { violation } = system;
    if (violation !== undefined)
      this.failures.push({ ...violation, trace: [...traceTo(this.excursion, at), ...events] });
    this.undo(mark);
  }

  private undo(mark: number): void {
    this.system.rollback(mark);
    this.system.release(mark);
  }
}

function eventsOf(cpu: number) {
  return {
    nmi: { action: 'nmi', cpu },
    check: { action: 'machine-check', cpu },
    back: { action: 'back', cpu },
  } as const;
}

/** An interrupt would be the next that happens. */
function takesInterrupts({ r }: Cpu): boolean {
  return (r[EFLAGS] & FLAG_IF) !== 0 && r[STI_SHADOW] === 0 && r[SS_SHADOW] === 0 && r[DB_PENDING] === 0;
}

const CLASSES: readonly CodeClass[] = ['user', 'entry', 'noinstr', 'switch', 'body'];
/** Above the bits of a condition. */
const CLASS_SHIFT = 4;

/** At every boundary of entry code, and in other code once in each condition. */
function isDue(conditions: Set<number>, kind: CodeClass, cpu: Cpu): boolean {
  return isNew(conditions, conditionOf(cpu) | (CLASSES.indexOf(kind) << CLASS_SHIFT)) || kind === 'entry';
}

/** What the way into the NMI's handler and back depends on: privilege, half of the page tables, GS. */
function conditionOf({ r }: Cpu): number {
  const half = (r[CR3] >>> 12) & 1;
  const gs = r[GS_BASE + 1] < 0 ? 1 : 0;
  return r[CPL] | (half << 2) | (gs << 3);
}
