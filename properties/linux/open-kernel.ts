/**
 * A booted kernel as plain data, which any thread can open, and what is needed to check it: the machine in the state
 * after the boot, driven by actions, and where in the kernel's text is what.
 */
import { readKernelCode } from '../../emulator/linux/image/kernel-code';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import type { Workload } from '../../emulator/linux/workload/workload';
import { propertySlug } from '../safety/index';
import { type BootOptions, restoredKernel } from './kernel-boot';
import { KernelSystem, type Watch } from './kernel-system';
import { type MonitoredKernel, monitorKernel } from './linux-monitor';
import { quietenNmis } from './random-run';
import { SweptCode } from './swept-code';

export interface KernelSource {
  /** The image's name. */
  readonly name: string;
  /** Its SHA-256, in hexadecimal digits: with the options it names the source. */
  readonly vmlinuxSha256: string;
  readonly options: BootOptions;
  /** Both in memory that all threads share. */
  readonly vmlinux: Uint8Array;
  readonly state: Uint8Array;
}

export interface OpenKernel {
  readonly image: KernelImage;
  readonly system: KernelSystem;
  readonly code: SweptCode;
}

/** The source of a kernel that was booted, in memory that threads can share. */
export function kernelSource(image: KernelImage, options: BootOptions, state: Uint8Array): KernelSource {
  const { name, vmlinuxSha256 } = image;
  return { name, vmlinuxSha256, options, vmlinux: shared(image.vmlinux), state: shared(state) };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

export function openKernel(source: KernelSource, workload: Workload): OpenKernel {
  const image = readKernelImage(source.vmlinux, { name: source.name });
  const linux = restoredKernel(source.state, source.options);
  const code = readKernelCode(image);
  const monitored = monitorKernel(linux, image);
  quietenNmis(linux, image, monitored);
  return {
    image,
    system: new KernelSystem(linux, workload, code.nmi.body, watchOf(monitored)),
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
