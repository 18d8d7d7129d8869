/**
 * Runs the CPUs of a kernel in turns of a fixed number of retired instructions, so that a run is a function of the
 * state it began in. Whose turn it is, what is left of it, and how many CPUs in a row had nothing to do are words of
 * the platform: a mark, a saved state and the fingerprint have them, and a run in pieces is the same run. A CPU that
 * waits gives its turn away; where all wait, time goes on to the next deadline.
 */
import type { Machine } from '../../machine';
import { ICOUNT, IN_SHUTDOWN } from '../../registers';
import { HALTED, SHUTDOWN, type StepResult } from '../../step-result';
import { expireDeadlines, nextDeadline } from '../../system/apic-timer';
import { type LinuxPlatform, W_LEFT_OF_TURN, W_TURN, W_WAITING } from '../platform/linux-platform';

/** Retired instructions of one turn. Short turns lose time in changes, long ones in CPUs that wait for each other. */
const TURN = 10_000;
/** No boundary is left: every CPU waits and no timer is armed. */
const ASLEEP = -1;

/** Why a run ended: the instructions are used up, a stop was asked for, every CPU waits and no timer is armed, or a CPU
 * is in shutdown. */
type RunEnd = 'budget' | 'stopped' | 'asleep' | 'shutdown';

export class Interleaving {
  /** Set by anybody, such as an observer or whoever hears announcements: `run` returns at the next boundary. */
  stop = false;
  /** Boundaries that the last `step` took, with one that nobody can execute or at which nobody goes on. */
  taken = 0;
  private readonly machine: Machine;
  private readonly platform: LinuxPlatform;

  constructor(machine: Machine, platform: LinuxPlatform) {
    this.machine = machine;
    this.platform = platform;
  }

  /** For so much time: instructions that retire on any CPU, and what is skipped while all wait. */
  run(instructions: number): RunEnd {
    const { platform } = this;
    const end = platform.readTsc() + instructions;
    this.stop = false;
    for (let now = platform.readTsc(); now < end; now = platform.readTsc()) {
      const most = this.passTime(now, end);
      if (most === ASLEEP) return 'asleep';
      if (most === 0) continue;
      if (this.turn(most) === SHUTDOWN) return 'shutdown';
      if (this.stop) return 'stopped';
    }
    return 'budget';
  }

  /**
   * One boundary of one CPU: that of `next()`, if somebody was asked just before; or at most so many, until it is
   * another CPU's turn or somebody stops the machine. `taken` says how many. Time that passes before, because all CPUs
   * wait, is no boundary. As many of these as a run takes boundaries are the same run.
   */
  step(most = 1): RunEnd {
    this.taken = 1;
    for (;;) {
      const untilDue = this.passTime(this.platform.readTsc(), Number.MAX_SAFE_INTEGER);
      if (untilDue === ASLEEP) return 'asleep';
      if (untilDue > 0) return this.turn(Math.min(untilDue, most)) === SHUTDOWN ? 'shutdown' : 'budget';
    }
  }

  /** The CPU whose turn it is: `step` takes a boundary of it. */
  next(): number {
    return this.platform.words[W_TURN];
  }

  /**
   * What is due expires; where all CPUs wait, time goes on until something is due, or to `end`. Answers how many
   * boundaries the next CPU may take until something is due: 0 if time has passed, ASLEEP if it never will.
   */
  private passTime(now: number, end: number): number {
    const { platform } = this;
    const { cpus } = this.machine;
    const { words } = platform;
    const deadline = nextDeadline(cpus);
    if (deadline <= now) {
      expireDeadlines(cpus, now);
      words[W_WAITING] = 0;
      return 0;
    }
    if (words[W_WAITING] < cpus.length) return Math.min(deadline, end) - now;
    if (deadline === Number.POSITIVE_INFINITY) return ASLEEP;
    platform.skipTime(Math.min(deadline, end) - now);
    return 0;
  }

  /** The turn's CPU for at most `most` boundaries; its result. */
  private turn(most: number): number {
    const { words } = this.platform;
    const c = words[W_TURN];
    const cpu = this.machine.cpus[c];
    if (cpu.r[IN_SHUTDOWN] !== 0) return SHUTDOWN;
    if (words[W_LEFT_OF_TURN] <= 0) words[W_LEFT_OF_TURN] = TURN;
    const before = cpu.r[ICOUNT];
    let result: StepResult | undefined;
    try {
      result = this.machine.run(c, Math.min(most, words[W_LEFT_OF_TURN]));
    } finally {
      this.taken = this.machine.boundaries + (result === undefined ? 1 : 0);
      words[W_LEFT_OF_TURN] -= (cpu.r[ICOUNT] - before) | 0;
    }
    words[W_WAITING] = result === HALTED ? words[W_WAITING] + 1 : 0;
    if (result === HALTED || words[W_LEFT_OF_TURN] <= 0) {
      words[W_LEFT_OF_TURN] = 0;
      words[W_TURN] = (c + 1) % this.machine.cpus.length;
    }
    return result;
  }
}
