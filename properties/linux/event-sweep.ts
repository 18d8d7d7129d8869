/**
 * Events at the boundaries of an excursion: at each the machine is marked, the event happens, the CPU runs until it is
 * back where it was interrupted, and the undo log takes everything back. What must hold there, whatever else is
 * watched: the kernel comes back, with every register as it was; it has taken the NMI; it does not stop, and does not
 * complain.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { DB_PENDING, EFLAGS, FLAG_IF, NMI_PENDING, RIP, RSP, SS_SHADOW, STI_SHADOW } from '../../emulator/registers';
import { timerVector } from '../../emulator/system/apic-registers';
import { type Boundary, type ExcursionName, type Followed, follow, traceTo } from './excursions';
import { differenceOf, registersOf, type SavedRegisters } from './interrupted-registers';
import { joined, type KernelAction } from './kernel-action';
import { type KernelSystem, type KernelViolation, NEVER } from './kernel-system';
import type { SweptCode } from './swept-code';

/** Boundaries until an NMI must be over. */
const NMI_LIMIT = 20_000;
/** Boundaries until the CPU must have taken it. */
const NMI_WAITS = 8;
/** Boundaries of an interrupt on its own CPU; after them the other CPUs go on, too. */
const ALONE = 4_000;
/** Boundaries of all CPUs until an interrupted task need not have come back: it may have been preempted. */
const TOGETHER = 40_000;

export type SweptEvent = 'nmi' | 'irq';

/** How often an event was raised at a boundary of an excursion, and what became of it. */
export interface EventCount {
  /** Boundaries at which it was raised: of an IRQ only those where interrupts are on. */
  raised: number;
  /** The CPU took it at once. */
  taken: number;
  /** What it interrupted had not come back within the boundaries that it was given: preempted. */
  away: number;
}

/** A trace that ended badly. */
export interface KernelFailure extends KernelViolation {
  readonly trace: readonly KernelAction[];
}

export interface SweptExcursion extends Followed {
  readonly excursion: ExcursionName;
  readonly events: Readonly<Record<SweptEvent, EventCount>>;
  /** Instructions that were executed after events. */
  readonly instructions: number;
  readonly failures: readonly KernelFailure[];
}

/** Where the sweep looks for an NMI's body. */
export interface SweepPlaces {
  /** `exc_nmi`, sign-folded. */
  readonly nmiBody: number;
}

/** Failures of an excursion that are kept: more of them seldom say more. */
const MOST_FAILURES = 8;

/** Sweeps one excursion. The system is in the state after the boot, and is again afterwards. */
export function sweepExcursion(
  system: KernelSystem,
  code: SweptCode,
  places: SweepPlaces,
  excursion: ExcursionName,
  shouldStop: () => boolean = () => false,
): SweptExcursion {
  const events = { nmi: noEvents(), irq: noEvents() };
  const failures: KernelFailure[] = [];
  const sweep = new Sweep(system, excursion, places.nmiBody, failures);
  const start = system.mark();
  const followed = follow(system, code, excursion, (boundary) => {
    sweep.nmi(boundary, events.nmi);
    sweep.irq(boundary, events.irq);
    return shouldStop() || failures.length >= MOST_FAILURES ? 'stop' : undefined;
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
  private readonly system: KernelSystem;
  private readonly excursion: ExcursionName;
  private readonly nmiBody: number;
  private readonly failures: KernelFailure[];

  constructor(system: KernelSystem, excursion: ExcursionName, nmiBody: number, failures: KernelFailure[]) {
    this.system = system;
    this.excursion = excursion;
    this.nmiBody = nmiBody;
    this.failures = failures;
  }

  nmi(boundary: Boundary, count: EventCount): void {
    const { cpu: c } = boundary;
    this.attempt(boundary, { action: 'nmi', cpu: c }, (cpu) => {
      const { system } = this;
      count.raised++;
      // A trap of the instruction before comes first, and MOV SS holds the NMI back.
      let before = registersOf(cpu);
      let waited = 0;
      for (; cpu.r[NMI_PENDING] !== 0 && waited < NMI_WAITS && system.violation === undefined; waited++) {
        before = registersOf(cpu);
        system.run(c, 1);
      }
      let bodies = 0;
      const isBack = (one: Cpu) => {
        if (one.rip() === this.nmiBody) bodies++;
        return isAt(one, before);
      };
      const taken = waited + system.runUntil(c, isBack, NMI_LIMIT);
      if (system.violation !== undefined) return taken;
      if (taken === NEVER) system.fail('event-returns', `the NMI does not come back within ${NMI_LIMIT} instructions`);
      else if (bodies === 0) system.fail('nmi-is-handled', 'the NMI comes back, and its handler did not run');
      else {
        count.taken++;
        this.compare(cpu, before, 'the NMI');
      }
      return taken === NEVER ? waited + NMI_LIMIT : taken;
    });
  }

  irq(boundary: Boundary, count: EventCount): void {
    const { cpu: c } = boundary;
    const { cpus } = this.system.linux.machine;
    const { r } = cpus[c];
    const vector = timerVector(cpus[c]);
    if (vector < 0 || (r[EFLAGS] & FLAG_IF) === 0 || r[STI_SHADOW] !== 0 || r[SS_SHADOW] !== 0) return;
    if (r[DB_PENDING] !== 0) return;
    this.attempt(boundary, { action: 'irq', cpu: c, vector }, (cpu) => {
      const before = registersOf(cpu);
      count.raised++;
      count.taken++;
      const alone = this.system.runUntil(c, (one) => isAt(one, before), ALONE);
      if (this.system.violation !== undefined) return alone;
      if (alone !== NEVER) {
        this.compare(cpu, before, 'the interrupt');
        return alone;
      }
      for (let i = 0; i < TOGETHER && this.system.violation === undefined; i++) {
        const back = cpus.find((one) => isAt(one, before));
        if (back !== undefined) {
          this.compare(back, before, 'the interrupt');
          return ALONE + i;
        }
        this.system.step();
      }
      count.away++;
      return ALONE + TOGETHER;
    });
  }

  /** Lets an event happen and takes everything back; a violation becomes a failure with its trace. */
  private attempt({ cpu: c, at }: Boundary, event: KernelAction, body: (cpu: Cpu) => number): void {
    const { system } = this;
    const { platform, machine } = system.linux;
    const mark = system.mark();
    const retired = platform.retired();
    system.perform(event);
    const taken = body(machine.cpus[c]);
    system.readConsole();
    this.instructions += platform.retired() - retired;
    const { violation } = system;
    if (violation !== undefined) {
      const rest: KernelAction[] = [{ action: 'run', cpu: c, count: taken }];
      this.failures.push({ ...violation, trace: joined([...traceTo(this.excursion, at), event, ...rest]) });
    }
    system.rollback(mark);
    system.release(mark);
  }

  private compare(cpu: Cpu, before: SavedRegisters, what: string): void {
    const difference = differenceOf(before, cpu);
    if (difference === undefined) return;
    this.system.fail('resume-is-exact', `${what} comes back with ${difference}`);
  }
}

function isAt({ r }: Cpu, { r: before }: SavedRegisters): boolean {
  return (
    r[RIP] === before[RIP] && r[RSP] === before[RSP] && r[RIP + 1] === before[RIP + 1] && r[RSP + 1] === before[RSP + 1]
  );
}
