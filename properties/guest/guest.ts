/**
 * A booted guest: image, manifest, machine and monitor. Booting runs the guest's own boot code, CPU by CPU, until each
 * CPU is in user mode or, where there are fewer tasks than CPUs, idles; from that state every run starts.
 */

import type { ElfImage } from '../../emulator/elf/elf-image';
import { Machine } from '../../emulator/machine';
import { CPL, RIP } from '../../emulator/registers';
import { HALTED, SHUTDOWN } from '../../emulator/step-result';
import { toVa } from '../../emulator/words';
import { Monitor } from '../monitor/monitor';
import { faultInWords, pageFaultDetails } from './fault-in-words';
import { FaultLog } from './fault-log';
import { type GuestBounds, GuestView } from './guest-view';
import { locationName } from './location';
import { type Manifest, ManifestError, readManifest } from './manifest';

export interface Guest {
  readonly image: ElfImage;
  readonly manifest: Manifest;
  readonly machine: Machine;
  readonly view: GuestView;
  readonly monitor: Monitor;
}

/** Far more than any boot here takes. */
const BOOT_LIMIT = 5_000_000;

/** The guest did not get to user mode. One sentence with the fault that led there; for a #PF CR2 and the walk on further lines. */
export class BootError extends Error {
  override readonly name = 'BootError';
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
  for (let c = 0; c < bounds.cpus; c++) bootCpu(image, machine, c, bounds);
  const view = new GuestView(machine, manifest, bounds, image);
  const monitor = new Monitor(view);
  monitor.attach();
  return { image, manifest, machine, view, monitor };
}

function bootCpu(image: ElfImage, machine: Machine, c: number, bounds: GuestBounds): void {
  const faults = new FaultLog();
  machine.observer = faults;
  machine.boot(c, bounds);
  const cpu = machine.cpus[c];
  for (let i = 0; i < BOOT_LIMIT; i++) {
    if (cpu.r[CPL] === 3) return;
    const result = machine.step(c);
    if (result === HALTED && c >= bounds.tasks) return;
    if (result === HALTED || result === SHUTDOWN) {
      const how = `${result === HALTED ? 'halted' : 'shut down'} at ${locationName(image, toVa(cpu.r[RIP], cpu.r[RIP + 1]))}`;
      throw new BootError(
        `${image.name}: CPU ${c} ${how} before it reached user mode${ledThere(image, machine, faults)}`,
      );
    }
  }
  const where = locationName(image, toVa(cpu.r[RIP], cpu.r[RIP + 1]));
  throw new BootError(
    `${image.name}: CPU ${c} did not reach user mode within ${BOOT_LIMIT} instructions and is at ${where}; expected _start to end in user mode${ledThere(image, machine, faults)}`,
  );
}

/** The fault from which no handler has returned, and what a #PF is about. */
function ledThere(image: ElfImage, machine: Machine, { open }: FaultLog): string {
  const [first] = open;
  if (first === undefined) return '; no fault was raised: step through the boot code of the image';
  const more = open.length > 1 ? `, and ${open.length - 1} more inside its handler` : '';
  const sentence = `, after ${faultInWords(image, machine, first)}${more}`;
  return [sentence, ...pageFaultDetails(machine, first).map((line) => `  ${line}`)].join('\n');
}
