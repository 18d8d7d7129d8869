/** A booted kernel with NMIs and ticks of its timer at random moments, on CPUs that take turns. */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { randomStream } from '../exploration/seeded-random';
import type { MonitoredKernel } from './linux-monitor';

/** Boundaries between two events are at most twice so many. */
const BETWEEN_EVENTS = 3_000;
/** Time that a tick skips, in instructions: with HZ=250 each of them is one. */
const TICK = 400_000;
const NMI_SHARE = 0.3,
  TICK_SHARE = 0.3;

interface RandomRun {
  /** Decides on everything that is left to chance. */
  readonly seed: string;
  /** Instructions that retire on all CPUs. */
  readonly instructions: number;
}

/**
 * NMIs go through all of the entry code and the C function behind it, and do no more: nobody asks for NMIs here, and
 * what a kernel prints of unknown ones is most of a run.
 */
export function quietenNmis(linux: LinuxMachine, image: KernelImage, { view }: MonitoredKernel): void {
  const va = image.symbols.find('ignore_nmis');
  if (va !== undefined) linux.machine.memory.write32At(view.physical(va), 1);
}

/**
 * Runs on from now, until there is a violation or so many instructions have retired. Answers how many have.
 * @throws {Error} if no CPU goes on
 */
export function runAtRandom(
  linux: LinuxMachine,
  judge: { readonly violation: unknown },
  { seed, instructions }: RandomRun,
): number {
  const { machine, platform, interleaving } = linux;
  const draw = randomStream(seed);
  const before = platform.retired();
  while (judge.violation === undefined && platform.retired() - before < instructions) {
    const end = interleaving.run(1 + Math.floor(draw() * 2 * BETWEEN_EVENTS));
    if (judge.violation !== undefined) break;
    if (end === 'asleep' || end === 'shutdown') throw new Error(`expected a CPU that goes on, found all ${end}`);
    const event = draw();
    const c = Math.floor(draw() * machine.cpus.length);
    if (event < NMI_SHARE) machine.raiseNmi(c);
    else if (event < NMI_SHARE + TICK_SHARE) platform.skipTime(TICK);
  }
  return platform.retired() - before;
}
