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
  NMI_BLOCKED,
  SS_SHADOW,
  STI_SHADOW,
} from '../../emulator/registers';
import { timerVector } from '../../emulator/system/apic-registers';
import { type Boundary, type ExcursionName, type Followed, follow, isNew, traceTo } from './excursions';
import { allowNmis, toNmiBody } from './kernel-events';
import { type KernelFailure, type KernelSystem, NEVER } from './kernel-system';
import type { CodeClass, SweptCode } from './swept-code';

/** `nested`: a second NMI in the first, which an IRET in the first one's handler has unblocked. */
export type SweptEvent = 'nmi' | 'irq' | 'nested';

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

/** Boundaries of an NMI that a second one may come to. */
const LONGEST_NMI = 2_000;
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
  const events = { nmi: noEvents(), irq: noEvents(), nested: noEvents() };
  const failures: KernelFailure[] = [];
  const sweep = new Sweep(system, excursion, failures);
  const start = system.mark();
  const followed = follow(system, code, excursion, (boundary) => {
    sweep.nmi(boundary, events.nmi);
    sweep.irq(boundary, events.irq);
    sweep.nested(boundary, events.nested);
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

  /**
   * A second NMI at every boundary of the first, from its C function on: before that no IRET can have unblocked NMIs.
   * The first one comes once in each condition of the CPU: what else is different where it comes does not matter to it.
   */
  nested(boundary: Boundary, count: EventCount): void {
    const { system } = this;
    const { cpu: c } = boundary;
    const cpu = system.linux.machine.cpus[c];
    if (!isNew(this.conditions, conditionOf(boundary.class, cpu))) return;
    const mark = system.mark();
    system.perform({ action: 'nmi', cpu: c });
    const nmi = { action: 'nmi', cpu: c } as const;
    const back = { action: 'back', cpu: c } as const;
    if (toNmiBody(system, c) === NEVER) return this.undo(mark);
    for (let into = 1; into < LONGEST_NMI && system.violation === undefined; into++) {
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
    happen();
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

/** An interrupt would be the next that happens. */
function takesInterrupts({ r }: Cpu): boolean {
  return (r[EFLAGS] & FLAG_IF) !== 0 && r[STI_SHADOW] === 0 && r[SS_SHADOW] === 0 && r[DB_PENDING] === 0;
}

const CLASSES: readonly CodeClass[] = ['user', 'entry', 'noinstr', 'switch', 'body'];

/** What the way into the NMI's handler and back depends on: privilege, half of the page tables, GS, kind of code. */
function conditionOf(kind: CodeClass, { r }: Cpu): number {
  const half = (r[CR3] >>> 12) & 1;
  const gs = r[GS_BASE + 1] < 0 ? 1 : 0;
  return CLASSES.indexOf(kind) | (r[CPL] << 3) | (half << 5) | (gs << 6);
}
