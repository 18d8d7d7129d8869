/**
 * Finds the next change of the abstract state: runs one CPU until its abstraction changes, a property is violated, or
 * it waits. Properties are asked after every micro-step, refinement at every change. A divergence switches refinement
 * off; the properties go on.
 */
import { DB_PENDING, ICOUNT, NMI_BLOCKED, NMI_PENDING, SS_SHADOW } from '../../emulator/registers';
import { HALTED, RETIRED, SHUTDOWN, type StepResult } from '../../emulator/step-result';
import type { RuleInstance } from '../../model/checker/model';
import type { Guest } from '../monitor/guest';
import type { Refinement } from '../refinement/refinement';
import type { Change } from './change';
import type { ActionOutcome, Option } from './transition-system';
import { SPIN_SAMPLE, SpinDetector, Waiting } from './waiting';

/** Boundaries until a raised line is taken where it is not masked: the STI shadow is one instruction long. */
const DELIVERY_LIMIT = 2;

export class ChangeFinder {
  readonly waiting: Waiting;
  /** The first divergence of this run; refinement is off from then on. */
  diverged: Extract<ActionOutcome, { kind: 'diverged' }> | undefined;
  /** Instructions that were executed, with those that were taken back. */
  instructions = 0;
  private readonly guest: Guest;
  private readonly refinement: Refinement | undefined;

  constructor(guest: Guest, refinement: Refinement | undefined) {
    this.guest = guest;
    this.refinement = refinement;
    this.waiting = new Waiting(guest);
  }

  /** Runs a CPU until its abstraction changes, a property is violated, it waits, or `limit` boundaries have passed. */
  runToChange(c: number, limit: number): Change {
    const { machine, monitor } = this.guest;
    let left = limit;
    let spin: SpinDetector | undefined;
    while (left > 0) {
      const chunk = Math.min(left, SPIN_SAMPLE);
      monitor.begin();
      const before = machine.cpus[c].r[ICOUNT];
      const result: StepResult = machine.run(c, chunk);
      const done = Math.max(1, (machine.cpus[c].r[ICOUNT] - before) | 0);
      this.instructions += done;
      left -= done;
      const violation = this.violation();
      if (violation !== undefined) return violation;
      if (result === SHUTDOWN) return { kind: 'none', why: 'the CPU has shut down' };
      const change = monitor.touched ? this.judge(c) : undefined;
      if (change !== undefined) {
        this.waiting.wakeOthers(c);
        return change;
      }
      if (result === HALTED) return this.nowWaits(c, 'is halted');
      if (result === RETIRED && done === chunk && chunk === SPIN_SAMPLE) {
        spin ??= new SpinDetector();
        if (spin.repeats(machine, c)) return this.spins(c);
      }
    }
    return { kind: 'none', why: `nothing changed in ${limit} instructions` };
  }

  /**
   * Runs a CPU past its next change, or for `limit` boundaries; answers the boundaries before that. Which change it is
   * nobody asks: the caller goes back.
   */
  stutters(c: number, limit: number): number {
    const { machine, monitor } = this.guest;
    let length = 0;
    while (length < limit && !this.waiting.waits(c)) {
      monitor.begin();
      // One that was found to wait may come back to the memory in which it does.
      const result = machine.run(c, this.waiting.hasWaited(c) ? 1 : limit - length);
      this.instructions += machine.boundaries;
      length += machine.boundaries;
      if (monitor.violation !== undefined) return length - 1;
      if (result !== SHUTDOWN && monitor.touched && this.isChange(c)) return length - 1;
      if (result === HALTED) this.waiting.begin(c);
    }
    return length;
  }

  /** Raises a line and delivers what the hardware delivers at this boundary. */
  raise(option: Extract<Option, { kind: 'irq' | 'nmi' }>): Change {
    const { machine } = this.guest;
    const { r } = machine.cpus[option.cpu];
    if (isHeldBack(r)) return { kind: 'none', why: 'a single-step trap or the shadow of MOV SS comes first' };
    if (option.kind === 'irq') machine.raiseIrq(option.cpu, option.vector);
    else if (r[NMI_PENDING] === 1) return { kind: 'none', why: 'an NMI is pending already' };
    else machine.raiseNmi(option.cpu);
    if (option.kind === 'nmi' && r[NMI_BLOCKED] === 1)
      return this.judge(option.cpu) ?? { kind: 'none', why: 'the NMI changed nothing' };
    return this.runToChange(option.cpu, DELIVERY_LIMIT);
  }

  violation(): Extract<ActionOutcome, { kind: 'violated' }> | undefined {
    const { violation } = this.guest.monitor;
    return violation === undefined
      ? undefined
      : { kind: 'violated', property: violation.property, message: violation.message };
  }

  /**
   * The rule by which the abstract machine violates the same property here; a violation inside an instruction has no
   * abstraction of its own.
   */
  violatingRule(c: number, property: number): RuleInstance | undefined {
    if (this.diverged !== undefined) return undefined;
    return this.refinement?.violatingRule(c, property);
  }

  /** What the boundary was in the abstract machine; undefined for a stutter. */
  private judge(c: number): Change | undefined {
    if (this.refinement === undefined || this.diverged !== undefined) return { kind: 'unknown' };
    const step = this.refinement.check(this.guest.monitor, c);
    this.guest.monitor.touched = false;
    switch (step.kind) {
      case 'stutter':
        return undefined;
      case 'transition':
        return step;
      case 'diverged':
        this.diverged = { kind: 'diverged', ...step.divergence };
        return this.diverged;
    }
  }

  private isChange(c: number): boolean {
    const { monitor } = this.guest;
    if (this.refinement === undefined || this.diverged !== undefined) return true;
    monitor.touched = false;
    return this.refinement.isChange(monitor, c);
  }

  private spins(c: number): Change {
    const { machine, monitor } = this.guest;
    if (this.waiting.reportStuck(c)) return this.violation() ?? { kind: 'none', why: 'the CPU repeats its state' };
    monitor.chose(machine.cpus[c]);
    return this.nowWaits(c, 'repeats its state');
  }

  private nowWaits(c: number, how: string): Change {
    this.waiting.begin(c);
    return { kind: 'none', why: `CPU ${c} ${how}` };
  }
}

/**
 * No event is delivered at this boundary: a single-step trap comes first, or MOV SS holds it back (SDM Vol. 3A, 6.9 and
 * 6.8.3). Raised one boundary later it is the same event.
 */
export function isHeldBack(r: Int32Array): boolean {
  return (r[DB_PENDING] | r[SS_SHADOW]) !== 0;
}
