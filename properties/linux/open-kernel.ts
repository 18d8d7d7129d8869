/**
 * A booted kernel as plain data, which any thread can open, and what is needed to check it: the machine in the state
 * after the boot, driven by actions, and where in the kernel's text is what.
 */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { readKernelCode } from '../../emulator/linux/image/kernel-code';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import type { Workload } from '../../emulator/linux/workload/workload';
import { propertySlug } from '../safety/index';
import type { MutatedExtent } from './entry-coverage';
import { mutatedExtents } from './entry-mutants';
import { type BootOptions, restoredKernel } from './kernel-boot';
import { KernelSystem, type Watch } from './kernel-system';
import { KernelText } from './kernel-text';
import { type MonitoredKernel, monitorKernel } from './linux-monitor';
import { knownPlant, plantInto } from './plants';
import { quietenNmis } from './random-run';
import { SweptCode } from './swept-code';

export interface KernelSource {
  /** The image's name. */
  readonly name: string;
  /** Its SHA-256, in hexadecimal digits: with the options it names the source. */
  readonly vmlinuxSha256: string;
  readonly options: BootOptions;
  /** Mistakes that are planted into the entry code after the boot, by their names. */
  readonly plants: readonly string[];
  /** Of a kernel that other threads open both are in memory that all threads share. */
  readonly vmlinux: Uint8Array;
  readonly state: Uint8Array;
}

export interface OpenKernel {
  readonly image: KernelImage;
  readonly text: KernelText;
  /** Where mutants are made. */
  readonly mutated: readonly MutatedExtent[];
  readonly system: KernelSystem;
  readonly code: SweptCode;
}

/** The source of a kernel that was booted. */
export function kernelSource(
  image: KernelImage,
  options: BootOptions,
  plants: readonly string[],
  state: Uint8Array,
): KernelSource {
  const { name, vmlinuxSha256, vmlinux } = image;
  return { name, vmlinuxSha256, options, plants, vmlinux, state };
}

/** The same in memory that threads can share. */
export function sharedSource(source: KernelSource): KernelSource {
  return { ...source, vmlinux: shared(source.vmlinux), state: shared(source.state) };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** `image` and `linux`: of the same kernel, if they are there already; the machine in the state after the boot. */
export function openKernel(
  source: KernelSource,
  workload: Workload,
  image: KernelImage = readKernelImage(source.vmlinux, { name: source.name }),
  linux: LinuxMachine = restoredKernel(source.state, source.options),
): OpenKernel {
  const code = readKernelCode(image);
  const monitored = monitorKernel(linux, image);
  quietenNmis(linux, image, monitored);
  const system = new KernelSystem(linux, workload, code.nmi.body, watchOf(monitored));
  const text = new KernelText(linux.machine.memory, image);
  for (const name of source.plants) plantInto(text, knownPlant(name));
  let mutated: readonly MutatedExtent[] | undefined;
  return {
    image,
    text,
    // Few ask for them, and they take as long as half an excursion.
    get mutated() {
      mutated ??= mutatedExtents(code, text);
      return mutated;
    },
    system,
    code: new SweptCode({ code, symbols: image.symbols, preparation: preparationOf(workload) }),
  };
}

function watchOf({ monitor }: MonitoredKernel): Watch {
  return {
    get violation() {
      const { violation } = monitor;
      return violation && { ...violation, property: propertySlug(violation.property) };
    },
    forget: () => monitor.forget(),
  };
}

/** From the routine that announces an excursion up to the first of them. */
function preparationOf({ elf, excursions }: Workload): { start: number; end: number } {
  const start = elf.symbol('next') ?? 0;
  const after = excursions.map((name) => elf.symbol(`excursion.${name}`) ?? 0).filter((va) => va > start);
  return { start, end: Math.min(...after) };
}
