/**
 * Events at the boundaries of an excursion: at each the machine is marked, the event happens, the CPU runs until it is
 * back where it was interrupted, and the undo log takes everything back. What must hold there, whatever else is
 * watched: the kernel comes back, with every register as it was; it has taken the NMI; it does not stop, and does not
 * complain.
 */

import type { KernelAction } from '../../counterexamples/kernel-case';
import type { Cpu } from '../../emulator/cpu/cpu';
import { DB_PENDING, EFLAGS, FLAG_IF, SS_SHADOW, STI_SHADOW } from '../../emulator/registers';
import { timerVector } from '../../emulator/system/apic-registers';
import { type Boundary, type ExcursionName, type Followed, follow, traceTo } from './excursions';
import type { KernelFailure, KernelSystem } from './kernel-system';
import type { SweptCode } from './swept-code';

export type SweptEvent = 'nmi' | 'irq';

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

/** Failures of an excursion that are kept if nothing else is said: more of them seldom say more. */
const MOST_FAILURES = 8;

/**
 * Sweeps one excursion, up to so many failures. The system is in the state after the boot, and is again afterwards.
 */
export function sweepExcursion(
  system: KernelSystem,
  code: SweptCode,
  excursion: ExcursionName,
  shouldStop: () => boolean = () => false,
  mostFailures = MOST_FAILURES,
): SweptExcursion {
  const events = { nmi: noEvents(), irq: noEvents() };
  const failures: KernelFailure[] = [];
  const sweep = new Sweep(system, excursion, failures);
  const start = system.mark();
  const followed = follow(system, code, excursion, (boundary) => {
    sweep.nmi(boundary, events.nmi);
    sweep.irq(boundary, events.irq);
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
  private readonly system: KernelSystem;
  private readonly excursion: ExcursionName;
  private readonly failures: KernelFailure[];

  constructor(system: KernelSystem, excursion: ExcursionName, failures: KernelFailure[]) {
    this.system = system;
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

  /** Lets events happen and takes everything back; a violation becomes a failure with its trace. */
  private attempt({ at }: Boundary, count: EventCount, events: readonly KernelAction[]): void {
    const { system } = this;
    const { platform } = system.linux;
    const mark = system.mark();
    const retired = platform.retired();
    let done = 0;
    while (done < events.length && system.violation === undefined) system.perform(events[done++]);
    this.instructions += platform.retired() - retired;
    count.raised++;
    if (system.isAway) count.away++;
    else count.taken++;
    const { violation } = system;
    if (violation !== undefined)
      this.failures.push({ ...violation, trace: [...traceTo(this.excursion, at), ...events.slice(0, done)] });
    system.rollback(mark);
    system.release(mark);
  }
}

/** An interrupt would be the next that happens. */
function takesInterrupts({ r }: Cpu): boolean {
  return (r[EFLAGS] & FLAG_IF) !== 0 && r[STI_SHADOW] === 0 && r[SS_SHADOW] === 0 && r[DB_PENDING] === 0;
}
