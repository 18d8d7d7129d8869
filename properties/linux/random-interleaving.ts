/**
 * A random interleaving of a booted kernel, as a trace: the program begins at one of its excursions and goes on through
 * the others; the CPUs run in turns or one of them alone, for random numbers of boundaries; in between NMIs come, and
 * time goes on to the next deadline of a timer, which is what makes a kernel preempt. All of it is drawn from a seed.
 */
import type { KernelAction } from '../../counterexamples/kernel-case';
import { randomStream } from '../exploration/seeded-random';
import { finished, type InSteps } from './in-steps';
import { joined } from './kernel-action';
import type { KernelFailure, KernelSystem } from './kernel-system';

/** Instructions of a run: some twenty excursions. */
const RUN_INSTRUCTIONS = 400_000;
/** Boundaries between two events are at most twice so many. */
const BETWEEN_EVENTS = 2_000;
/** Shares of what happens between two stretches: an NMI, time, or nothing but that another CPU goes on. */
const NMI_SHARE = 0.3,
  TIME_SHARE = 0.3;
/** Share of the stretches in which one CPU runs alone: a CPU that waits for another does not get far. */
const ALONE_SHARE = 0.4;
const ROUNDS = 4;

export interface RandomRun {
  readonly instructions: number;
  readonly nmis: number;
  /** How often time went on to a deadline. */
  readonly ticks: number;
  /** Not shrunk. */
  readonly failure: KernelFailure | undefined;
}

/** `runInSteps` at once. */
export function randomRun(...how: Parameters<typeof runInSteps>): RandomRun {
  return finished(runInSteps(...how));
}

/** Runs from the state after the boot, to which the system is taken back. */
export function* runInSteps(
  system: KernelSystem,
  seed: string,
  shouldStop: () => boolean = () => false,
  instructions = RUN_INSTRUCTIONS,
): InSteps<RandomRun> {
  const { machine, platform } = system.linux;
  const draw = randomStream(seed);
  const below = (n: number) => Math.floor(draw() * n);
  const { excursions } = system.image;
  const trace: KernelAction[] = [];
  const start = system.mark();
  const before = platform.retired();
  const perform = (action: KernelAction) => {
    // A trace names where it begins, also where the state after the boot violates something already.
    if (system.violation !== undefined && trace.length > 0) return;
    trace.push(action);
    system.perform(action);
  };
  let nmis = 0;
  let ticks = 0;
  perform({ action: 'excursion', name: excursions[below(excursions.length)], round: below(ROUNDS) });
  while (system.violation === undefined && platform.retired() - before < instructions && !shouldStop()) {
    const count = 1 + below(2 * BETWEEN_EVENTS);
    const cpu = below(machine.cpus.length);
    perform(draw() < ALONE_SHARE ? { action: 'run', cpu, count } : { action: 'turns', count });
    yield;
    const event = draw();
    if (event < NMI_SHARE) {
      perform({ action: 'nmi', cpu: below(machine.cpus.length) });
      nmis++;
    } else if (event < NMI_SHARE + TIME_SHARE) {
      perform({ action: 'time' });
      ticks++;
    }
  }
  system.readConsole();
  const { violation } = system;
  const done = platform.retired() - before;
  system.rollback(start);
  system.release(start);
  return { instructions: done, nmis, ticks, failure: violation && { ...violation, trace: joined(trace) } };
}
