/**
 * The guest manifest: what the harness must know about an image, read from its ELF symbols and sections and from
 * nothing else (emulator/guest/README.md documents it symbol by symbol). A missing required symbol is bad input; a
 * missing optional one switches off the property that needs it, and `unchecked` says which.
 */
import type { ElfImage } from '../../emulator/elf/elf-image';

/** Stacks i = 0, 1, ... of one kind: [base + i*stride, base + i*stride + size), virtual addresses, bytes. */
export interface StackArray {
  readonly base: number;
  readonly size: number;
  readonly stride: number;
}

/** Address range [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export const PER_CPU_STACKS = ['entry', 'irq', 'nmi', 'df', 'idle'] as const;
export const PER_TASK_STACKS = ['kernel', 'pti'] as const;
export type StackKind = (typeof PER_CPU_STACKS)[number] | (typeof PER_TASK_STACKS)[number];

/**
 * Kinds of physical page that a user table may map in its kernel half (S12), beside entry text, noinstr text and PTI
 * stacks.
 */
export const ALLOWED_PAGE_KINDS = ['idt', 'gdt', 'entry_stack', 'ist_stacks', 'tss', 'percpu_offset'] as const;
export type AllowedPageKind = (typeof ALLOWED_PAGE_KINDS)[number];

export interface Manifest {
  /** Bounds that the image is booted with, and the largest that it can be booted with. */
  readonly cpus: number;
  readonly tasks: number;
  readonly mms: number;
  readonly maxCpus: number;
  readonly maxTasks: number;
  readonly maxMms: number;
  readonly stacks: ReadonlyMap<StackKind, StackArray>;
  /**
   * Physical address of the kernel root of address space 0, distance to the next one, and from a kernel root to its
   * user root (0: one table).
   */
  readonly pgdBase: number;
  readonly pgdStride: number;
  readonly pgdUserOffset: number;
  readonly taskBase: number;
  readonly taskStride: number;
  readonly idleBase: number;
  readonly idleStride: number;
  /** Offset of the saved stack pointer in a task. */
  readonly threadsp: number;
  /** Kernel GS base of CPU 0, and the offsets in a per-CPU area. */
  readonly percpuBase: number;
  readonly percpuStride: number;
  readonly currentOffset: number;
  readonly topOffset: number;
  readonly sp2Offset: number | undefined;
  readonly text: Range;
  readonly entryText: Range;
  readonly noinstrText: Range;
  /** Addresses of the IRETQs to user mode. */
  readonly irets: readonly number[];
  readonly nmiHandler: number | undefined;
  readonly repeatNmi: Range | undefined;
  readonly panic: number | undefined;
  /** Faulting instruction -> fixup. */
  readonly exceptionTable: ReadonlyMap<number, number>;
  readonly leavesEntryStackBeforeSti: boolean;
  readonly allowedPages: ReadonlyMap<AllowedPageKind, Range>;
  /** Properties that cannot be checked for want of an optional symbol: slug and symbol. */
  readonly unchecked: readonly { property: string; symbol: string }[];
}

/** The image has no manifest, or one that lacks something required. One sentence. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

const MANIFEST_VERSION = 1;

class SymbolReader {
  readonly #image: ElfImage;
  readonly unchecked: { property: string; symbol: string }[] = [];
  constructor(image: ElfImage) {
    this.#image = image;
  }

  required(name: string): number {
    const value = this.#image.symbol(name);
    if (value === undefined)
      throw new ManifestError(
        `${this.#image.name}: expected the symbol ${name} of the guest manifest, found none; emulator/guest/README.md lists what an image must define`,
      );
    return value;
  }

  optional(name: string, property: string): number | undefined {
    const value = this.#image.symbol(name);
    if (value === undefined) this.unchecked.push({ property, symbol: name });
    return value;
  }

  range(name: string, property: string): Range | undefined {
    const start = this.optional(name, property);
    const end = this.#image.symbol(name.replace(/([a-z_]+)$/, 'end_$1'));
    return start === undefined || end === undefined ? undefined : { start, end };
  }

  section(name: string): Range {
    const section = this.#image.sections.find((s) => s.name === name);
    return section === undefined ? { start: 0, end: 0 } : { start: section.addr, end: section.addr + section.size };
  }

  stack(kind: StackKind, required: boolean): StackArray | undefined {
    const name = `manifest.stack.${kind}`;
    if (!required && this.#image.symbol(`${name}.base`) === undefined) return undefined;
    return {
      base: this.required(`${name}.base`),
      size: this.required(`${name}.size`),
      stride: this.required(`${name}.stride`),
    };
  }
}

const REQUIRED_STACKS: readonly StackKind[] = ['entry', 'nmi', 'idle', 'kernel'];

function readStacks(read: SymbolReader): Map<StackKind, StackArray> {
  const stacks = new Map<StackKind, StackArray>();
  for (const kind of [...PER_CPU_STACKS, ...PER_TASK_STACKS]) {
    const stack = read.stack(kind, REQUIRED_STACKS.includes(kind));
    // Size 0 says that there are none.
    if (stack !== undefined && stack.size > 0) stacks.set(kind, stack);
  }
  return stacks;
}

function readAllowedPages(read: SymbolReader, image: ElfImage): Map<AllowedPageKind, Range> {
  const pages = new Map<AllowedPageKind, Range>();
  for (const kind of ALLOWED_PAGE_KINDS) {
    const start = image.symbol(`manifest.pages.${kind}.start`);
    if (start !== undefined) pages.set(kind, { start, end: read.required(`manifest.pages.${kind}.end`) });
  }
  return pages;
}

/** Pairs of 64-bit addresses, wherever the segments put them. */
function readExceptionTable(image: ElfImage, table: Range): Map<number, number> {
  const entries = new Map<number, number>();
  const segment = image.segments.find((s) => table.start >= s.vaddr && table.end <= s.vaddr + s.filesz);
  if (segment === undefined) return entries;
  const view = new DataView(segment.data.buffer, segment.data.byteOffset, segment.data.byteLength);
  const va = (offset: number) => view.getInt32(offset + 4, true) * 4294967296 + view.getUint32(offset, true);
  for (let at = table.start - segment.vaddr; at + 16 <= table.end - segment.vaddr; at += 16)
    entries.set(va(at), va(at + 8));
  return entries;
}

/**
 * Reads the manifest of an image. Throws ManifestError for an image without a manifest, of another manifest version, or
 * without a required symbol.
 */
export function readManifest(image: ElfImage): Manifest {
  const version = image.symbol('manifest.version');
  if (version === undefined)
    throw new ManifestError(
      `${image.name}: expected a guest image with a manifest (symbol manifest.version), found none; start from emulator/guest/mainline as the template`,
    );
  if (version !== MANIFEST_VERSION)
    throw new ManifestError(
      `${image.name}: expected manifest version ${MANIFEST_VERSION}, found ${version}; rebuild the image for this pti-check or update pti-check`,
    );
  const read = new SymbolReader(image);
  read.required('boot_pgd');
  return {
    cpus: read.required('manifest.cpus'),
    tasks: read.required('manifest.tasks'),
    mms: read.required('manifest.mms'),
    maxCpus: read.required('manifest.max_cpus'),
    maxTasks: read.required('manifest.max_tasks'),
    maxMms: read.required('manifest.max_mms'),
    stacks: readStacks(read),
    pgdBase: read.required('manifest.pgd.base'),
    pgdStride: read.required('manifest.pgd.stride'),
    pgdUserOffset: read.required('manifest.pgd.user_offset'),
    taskBase: read.required('manifest.task.base'),
    taskStride: read.required('manifest.task.stride'),
    idleBase: read.required('manifest.idle.base'),
    idleStride: read.required('manifest.idle.stride'),
    threadsp: read.required('manifest.task.threadsp'),
    percpuBase: read.required('manifest.percpu.base'),
    percpuStride: read.required('manifest.percpu.stride'),
    currentOffset: read.required('manifest.percpu.current'),
    topOffset: read.required('manifest.percpu.top_of_stack'),
    sp2Offset: read.optional('manifest.percpu.sp2', 'resume-is-exact (the SYSCALL scratch word)'),
    text: read.section('.text'),
    entryText: read.section('.entry.text'),
    noinstrText: read.section('.noinstr.text'),
    irets: [...image.symbols].filter(([name]) => name.startsWith('manifest.iret.')).map(([, va]) => va),
    nmiHandler: read.optional('manifest.nmi_handler', 'nmi-is-kept'),
    repeatNmi: read.range('manifest.repeat_nmi', 'nmi-is-kept'),
    panic: image.symbol('manifest.panic'),
    exceptionTable: readExceptionTable(image, read.section('__ex_table')),
    leavesEntryStackBeforeSti: image.symbol('manifest.leaves_entry_stack_before_sti') === 1,
    allowedPages: readAllowedPages(read, image),
    unchecked: read.unchecked,
  };
}
