/**
 * A kernel in RAM, ready for its first instruction: loaded at its physical addresses, with boot parameters, memory map,
 * command line, initial RAM disk and ACPI tables, and CPU 0 at `startup_64` in 64-bit mode on identity-mapped pages
 * (Linux, Documentation/arch/x86/boot.rst, 64-bit boot protocol). Other CPUs wait for a start-up IPI.
 *
 *   physical   0x1000 page tables · 0x8000 stack of the trampoline · 0x90000 boot parameters · 0x91000 command line
 *              0x9fc00 end of low RAM · 0xe0000 ACPI tables · kernel at p_paddr · RAM disk at the end
 */
import { Machine } from '../../machine';
import { CR4_PAE, CR4_PGE, ONLINE } from '../../registers';
import { LinuxPlatform } from '../platform/linux-platform';
import { acpiTables } from './acpi-tables';
import { bootParams } from './boot-params';
import { Interleaving } from './interleaving';
import { startInLongMode } from './long-mode';
import { startSecondary } from './trampoline';

const PAGE = 4096;
const PML4 = 0x1000;
const PDPT = 0x2000;
const BOOT_PARAMS = 0x90000,
  COMMAND_LINE = 0x91000,
  LOW_MEMORY_END = 0x9fc00,
  ACPI = 0xe0000;
const MOST_COMMAND_LINE_BYTES = 2048;
/** Present and writable; the same with PS, which makes a page of 1 GiB. */
const TABLE_ENTRY = 3,
  LARGE_ENTRY = 0x83;

/** The kernel as linked. */
interface BootableKernel {
  /** `e_entry`, the physical address of `startup_64`. */
  readonly entry: number;
  readonly segments: readonly {
    readonly vaddr: number;
    readonly paddr: number;
    readonly memsz: number;
    readonly data: Uint8Array;
  }[];
}

export interface LinuxBoot {
  readonly image: BootableKernel;
  readonly commandLine: string;
  /** Names of `CPU_FEATURES`. */
  readonly features: ReadonlySet<string>;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Instructions that make up a second of the kernel's time. */
  readonly tscHz: number;
  readonly initrd: Uint8Array;
}

export interface LinuxMachine {
  readonly machine: Machine;
  readonly platform: LinuxPlatform;
  readonly interleaving: Interleaving;
}

/** What was asked for does not fit: the message says what and by how much. */
export class LinuxBootError extends Error {
  override readonly name = 'LinuxBootError';
}

export function linuxMachine(boot: LinuxBoot): LinuxMachine {
  const made = emptyLinuxMachine(boot);
  const { memory, cpus } = made.machine;
  const commandLine = Buffer.from(`${boot.commandLine}\0`, 'latin1');
  if (commandLine.length > MOST_COMMAND_LINE_BYTES)
    throw new LinuxBootError(
      `expected a command line of fewer than ${MOST_COMMAND_LINE_BYTES} bytes, found ${commandLine.length - 1}`,
    );
  const initrdAt = (memory.size - boot.initrd.length) & -PAGE;
  const kernelEnd = Math.max(...boot.image.segments.map(({ paddr, memsz }) => paddr + memsz));
  if (initrdAt < kernelEnd)
    throw new LinuxBootError(
      `expected room for the kernel and an initial RAM disk of ${boot.initrd.length} bytes, found ${boot.memoryMiB} MiB of RAM; the kernel ends at ${Math.ceil(kernelEnd / 2 ** 20)} MiB`,
    );
  memory.writeBytes(initrdAt, boot.initrd);
  memory.writeBytes(COMMAND_LINE, commandLine);
  memory.writeBytes(ACPI, acpiTables(ACPI, boot.cpus));
  memory.writeBytes(
    BOOT_PARAMS,
    bootParams({
      memoryBytes: memory.size,
      lowMemoryEnd: LOW_MEMORY_END,
      commandLineAt: COMMAND_LINE,
      commandLineBytes: commandLine.length,
      rsdpAt: ACPI,
      initrdAt: boot.initrd.length === 0 ? 0 : initrdAt,
      initrdBytes: boot.initrd.length,
    }),
  );
  memory.write32At(PML4, PDPT | TABLE_ENTRY);
  // The local APIC is in the fourth GiB.
  for (let gib = 0; gib < 4; gib++) memory.write32At(PDPT + 8 * gib, (gib << 30) | LARGE_ENTRY);
  startInLongMode(cpus[0], {
    rip: boot.image.entry,
    rsp: 0,
    rsi: BOOT_PARAMS,
    cr3: PML4,
    cr4: CR4_PAE | CR4_PGE,
    efer: 0,
  });
  return made;
}

/** The machine with the segments of an image loaded, and no CPU started: without segments, for a saved state. */
export function emptyLinuxMachine(boot: Omit<LinuxBoot, 'commandLine' | 'initrd'>): LinuxMachine {
  const platform = new LinuxPlatform({ features: boot.features, tscHz: boot.tscHz, startUp: startSecondary });
  const image = { ...boot.image, symbol: () => undefined };
  const machine = new Machine(image, { cpus: boot.cpus, ramBytes: boot.memoryMiB << 20, platform });
  for (const cpu of machine.cpus) cpu.r[ONLINE] = 0;
  return { machine, platform, interleaving: new Interleaving(machine, platform) };
}
