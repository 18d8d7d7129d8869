/**
 * A booted guest: image, manifest, machine and monitor. Booting runs the guest's own boot code, CPU by CPU, until each
 * CPU is in user mode or, where there are fewer tasks than CPUs, idles; from that state every run starts.
 */

import type { ElfImage } from '../../emulator/elf/elf-image';
import { Machine } from '../../emulator/machine';
import { CPL } from '../../emulator/registers';
import { HALTED, SHUTDOWN } from '../../emulator/step-result';
import { faultInWords, pageFaultDetails, type RaisedFault } from '../guest/fault-in-words';
import { FaultLog } from '../guest/fault-log';
import type { GuestBounds } from '../guest/guest-view';
import { locationName } from '../guest/location';
import { type Manifest, ManifestError, readManifest } from '../guest/manifest';
import { ManifestView } from '../guest/manifest-view';
import { Monitor } from './monitor';

export interface Guest {
  readonly image: ElfImage;
  readonly manifest: Manifest;
  readonly machine: Machine;
  readonly view: ManifestView;
  readonly monitor: Monitor;
}

/** Far more than any boot here takes. */
const BOOT_LIMIT = 5_000_000;

/** The guest did not get to user mode. One sentence, and lines of what is known of the faults that led there. */
export class BootError extends Error {
  override readonly name = 'BootError';
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super(message);
    this.details = details;
  }
}

/** The bounds that an image is booted with unless one asks for others. */
export function imageBounds(manifest: Manifest): GuestBounds {
  return { cpus: manifest.cpus, tasks: manifest.tasks, mms: manifest.mms };
}

function checkBounds(image: ElfImage, manifest: Manifest, bounds: GuestBounds): void {
  const limits = [
    ['CPUs', bounds.cpus, manifest.maxCpus],
    ['tasks', bounds.tasks, manifest.maxTasks],
    ['address spaces', bounds.mms, manifest.maxMms],
  ] as const;
  for (const [what, asked, most] of limits)
    if (asked < 1 || asked > most)
      throw new ManifestError(
        `${image.name}: expected 1 to ${most} ${what}, found ${asked}; the manifest's max_* symbols say what the image can boot`,
      );
}

/**
 * Boots an image. Throws ManifestError for an image without a usable manifest and BootError for one that does not reach
 * user mode.
 */
export function bootGuest(image: ElfImage, asked?: GuestBounds): Guest {
  const manifest = readManifest(image);
  const bounds = asked ?? imageBounds(manifest);
  checkBounds(image, manifest, bounds);
  const machine = new Machine(image, { cpus: bounds.cpus });
  for (let c = 0; c < bounds.cpus; c++) bootCpu(image, machine, c, manifest, bounds);
  const view = new ManifestView(machine, manifest, bounds, image);
  const monitor = new Monitor(view);
  monitor.attach();
  return { image, manifest, machine, view, monitor };
}

/** Runs CPU c from its reset to user mode or, where it has no task, to its idle loop. */
function bootCpu(image: ElfImage, machine: Machine, c: number, manifest: Manifest, bounds: GuestBounds): void {
  const log = new FaultLog(manifest.panic);
  machine.observer = log;
  machine.boot(c, bounds);
  const cpu = machine.cpus[c];
  const fail = (how: string) => new BootError(...bootFailure(image, machine, { manifest, bounds }, c, how, log));
  for (let i = 0; i < BOOT_LIMIT; i++) {
    if (cpu.r[CPL] === 3) return;
    const result = machine.step(c);
    if (log.panicked) throw fail('panicked');
    if (result === SHUTDOWN) throw fail('shut down');
    if (result !== HALTED) continue;
    // A handler that halts does not idle.
    if (c >= bounds.tasks && log.faults.size === 0) return;
    throw fail('halted');
  }
  throw fail(`ran ${BOOT_LIMIT} instructions and is`);
}

/**
 * One sentence with the fault from which no handler has returned and from which the others follow, and lines that tell
 * what the #PFs among them are about.
 */
function bootFailure(
  image: ElfImage,
  machine: Machine,
  roots: { manifest: Manifest; bounds: GuestBounds },
  c: number,
  how: string,
  { faults, lastRip }: FaultLog,
): [sentence: string, details: string[]] {
  const [first, ...more] = faults.keys();
  const sentence = `${image.name}: CPU ${c} ${how} at ${locationName(image, lastRip)} before it reached user mode`;
  if (first === undefined) return [`${sentence}; no fault led there: step through the boot code of the image`, []];
  const linesOf = (fault: RaisedFault) => pageFaultDetails(machine, roots, fault).map((line) => `  ${line}`);
  const followed = (fault: RaisedFault) => {
    const times = faults.get(fault) ?? 1;
    const what = fault.nested ? 'whose delivery raised' : 'in whose handler was raised';
    return `  ${what} ${faultInWords(image, machine, fault)}${times > 1 ? `, ${times} times` : ''}`;
  };
  return [
    `${sentence}, after ${faultInWords(image, machine, first)}`,
    [...linesOf(first), ...more.flatMap((fault) => [followed(fault), ...linesOf(fault)])],
  ];
}
