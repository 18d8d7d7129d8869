/**
 * The monitor over a booted Linux kernel: the same properties as over a guest of ours, with what `linux-view.ts` knows
 * of threads, stacks and tables. Refinement is off: there is no abstract machine of Linux.
 *
 *   const { linux } = bootKernel(image, ...);
 *   const { monitor } = monitorKernel(linux, image);       // the machine is observed from here on
 *   const mark = linux.machine.mark();                      // machine, platform and monitor
 *   linux.machine.raiseNmi(0);
 *   linux.interleaving.run(100_000);                        // or machine.run(c, n)
 *   monitor.violation                                       // property, CPU, address and sentence, or undefined
 *   linux.machine.rollback(mark);
 *   monitor.forget();                                       // after every rollback
 *
 * A violation ends `interleaving.run` (with 'stopped') and `machine.run`, and stands until `forget`.
 */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { Machine } from '../../emulator/machine';
import { CPL, IN_HLT } from '../../emulator/registers';
import { Monitor } from '../monitor/monitor';
import { allProperties, type NumberedProperty } from '../safety/index';
import { LinuxView } from './linux-view';

/** Instructions of one CPU at a time on the way to rest, and of all of them together. */
const TURN = 20_000;
const MOST_TURNS = 1_000;

export interface MonitoredKernel {
  readonly view: LinuxView;
  readonly monitor: Monitor<LinuxView>;
}

/** No CPU state was found from which contexts can be followed. */
class RestError extends Error {
  override readonly name = 'RestError';
}

/** A CPU in user mode or halted has no context open that nobody has seen begin. */
function rests(machine: Machine, c: number): boolean {
  const { r } = machine.cpus[c];
  return r[CPL] === 3 || r[IN_HLT] === 1;
}

/**
 * Runs CPUs that are in the kernel, in turns, until all are in user mode or halted.
 * @throws {Error} if that takes too long
 */
function runToRest({ machine }: LinuxMachine): void {
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const busy = machine.cpus.filter(({ index }) => !rests(machine, index));
    if (busy.length === 0) return;
    // A CPU may wait for one that rests, such as for the answer to an IPI.
    for (const { index } of turn < MOST_TURNS / 10 ? busy : machine.cpus)
      for (let n = 0; n < TURN && (n === 0 || !rests(machine, index)); n++) machine.step(index);
  }
  throw new RestError(`expected every CPU in user mode or halted at some time, found one in the kernel all the time`);
}

/**
 * Observes a booted kernel from the next moment on at which all its CPUs rest. `properties` are all if left out.
 * @throws {KernelImageError} where the image does not tell what is needed
 */
export function monitorKernel(
  linux: LinuxMachine,
  image: KernelImage,
  properties: readonly NumberedProperty[] = allProperties(),
): MonitoredKernel {
  runToRest(linux);
  const view = new LinuxView(linux.machine, image);
  const monitor = new Monitor(view, properties);
  monitor.stopsAtChanges = false;
  monitor.violated = () => {
    linux.interleaving.stop = true;
  };
  monitor.attach();
  return { view, monitor };
}
