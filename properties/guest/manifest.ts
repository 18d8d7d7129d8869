/**
 * The guest manifest: what the harness must know about an image, read from its ELF symbols and sections and from
 * nothing else (emulator/guest/README.md documents it symbol by symbol). A missing required symbol is bad input; a
 * missing optional one is noted (`missing`): what needs it is not asked.
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
  /** Offset of the saved stack pointer in a task, and the bytes that a context switch leaves on the stack above it. */
  readonly threadsp: number;
  readonly switchFrame: number;
  /** Offset of a 64-bit word in a task that is not 0 while the task has ended. */
  readonly endedOffset: number | undefined;
  /** Offset of the number of the task's address space; without it task t lives in t mod mms. */
  readonly mmOffset: number | undefined;
  /** Kinds of stack that the image neither places nor says to have none of: a stack pointer may lie in one of them. */
  readonly unknownStacks: readonly StackKind[];
  /** Kernel GS base of CPU 0, and the offsets in a per-CPU area. */
  readonly percpuBase: number;
  readonly percpuStride: number;
  readonly currentOffset: number;
  readonly topOffset: number | undefined;
  readonly sp2Offset: number | undefined;
  /** Of a word with a bit for each kernel PCID: its user half is to be flushed when it is next loaded. */
  readonly flushMaskOffset: number | undefined;
  readonly text: Range;
  readonly entryText: Range;
  readonly noinstrText: Range;
  /** Addresses of the IRETQs to user mode. */
  readonly irets: readonly number[];
  readonly nmiHandler: number | undefined;
  readonly repeatNmi: Range | undefined;
  readonly panic: number | undefined;
  /** Instructions that change the saved registers of the innermost context from user mode on purpose. */
  readonly regsChanged: readonly number[];
  /** Vector of the timer, where the image does not leave it to its IDT. */
  readonly timerVector: number | undefined;
  /** What every system call leaves in rax, for an image whose body never changes it. */
  readonly syscallResult: number | undefined;
  /** Faulting instruction -> fixup. */
  readonly exceptionTable: ReadonlyMap<number, number>;
  readonly leavesEntryStackBeforeSti: boolean;
  /** VERW comes before each return to user mode (S27). */
  readonly clearsBuffers: boolean;
  /** The function that entry code calls with the saved registers of an event, by `syscall` or the vector (S28). */
  readonly handlers: ReadonlyMap<string, number>;
  /** Undefined where a kind is not declared: then the user table cannot be judged by kinds of page (S12). */
  readonly allowedPages: ReadonlyMap<AllowedPageKind, Range> | undefined;
  /**
   * Optional symbols that are missed: what needs one is not asked. A family of symbols has one name, as in
   * `manifest.stack.pti` or `manifest.iret.NAME`; of a range the first bound that is missing.
   */
  readonly missing: readonly string[];
}

/** The image has no manifest, or one that lacks something required. One sentence. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

const MANIFEST_VERSION = 1;

/** Six callee-saved registers and the return address, as Linux' __switch_to_asm leaves them. */
const SWITCH_FRAME_BYTES = 56;

class SymbolReader {
  private readonly image: ElfImage;
  readonly missing: string[] = [];
  constructor(image: ElfImage) {
    this.image = image;
  }

  get imageName(): string {
    return this.image.name;
  }

  required(name: string): number {
    const value = this.image.symbol(name);
    if (value === undefined)
      throw new ManifestError(
        `${this.image.name}: expected the symbol ${name} of the guest manifest, found none; emulator/guest/README.md lists what an image must define`,
      );
    return value;
  }

  optional(name: string): number | undefined {
    const value = this.image.symbol(name);
    if (value === undefined) this.missing.push(name);
    return value;
  }

  /** A value that is not missed: everything is asked without it. */
  value(name: string): number | undefined {
    return this.image.symbol(name);
  }

  /** Both bounds of a range, or nothing. */
  range(first: string, end: string): Range | undefined {
    const [start, stop] = [this.image.symbol(first), this.image.symbol(end)];
    if (start !== undefined && stop !== undefined) return { start, end: stop };
    this.missing.push(start === undefined ? first : end);
    return undefined;
  }

  /** Values of the symbols whose names begin so. */
  family(prefix: string): number[] {
    return [...this.named(prefix).values()];
  }

  /** The same by what follows in their names. */
  named(prefix: string): Map<string, number> {
    const symbols = [...this.image.symbols].filter(([name]) => name.startsWith(prefix));
    return new Map(symbols.map(([name, value]) => [name.slice(prefix.length), value]));
  }

  section(name: string): Range {
    const section = this.image.sections.find((s) => s.name === name);
    return section === undefined ? { start: 0, end: 0 } : { start: section.addr, end: section.addr + section.size };
  }

  /** Where the stacks of a kind lie; size 0 for none of them; undefined where the image does not say. */
  stack(kind: StackKind, required: boolean): StackArray | undefined {
    const parts = ['base', 'size', 'stride'].map((part) => {
      const name = `manifest.stack.${kind}.${part}`;
      return required ? this.required(name) : this.image.symbol(name);
    });
    const [base, size, stride] = parts;
    return base === undefined || size === undefined || stride === undefined ? undefined : { base, size, stride };
  }
}

const REQUIRED_STACKS: readonly StackKind[] = ['entry', 'nmi', 'idle', 'kernel'];

function readStacks(read: SymbolReader): { stacks: Map<StackKind, StackArray>; unknown: StackKind[] } {
  const stacks = new Map<StackKind, StackArray>();
  const unknown: StackKind[] = [];
  for (const kind of [...PER_CPU_STACKS, ...PER_TASK_STACKS]) {
    const stack = read.stack(kind, REQUIRED_STACKS.includes(kind));
    if (stack === undefined) unknown.push(kind);
    else if (stack.size > 0) stacks.set(kind, stack);
  }
  read.missing.push(...unknown.map((kind) => `manifest.stack.${kind}`));
  return { stacks, unknown };
}

/** The allow-list of S12 is worth something only if it is complete. */
function readAllowedPages(read: SymbolReader): Map<AllowedPageKind, Range> | undefined {
  const pages = new Map<AllowedPageKind, Range>();
  for (const kind of ALLOWED_PAGE_KINDS) {
    const name = `manifest.pages.${kind}`;
    const range = read.range(`${name}.start`, `${name}.end`);
    if (range !== undefined) pages.set(kind, range);
  }
  return pages.size === ALLOWED_PAGE_KINDS.length ? pages : undefined;
}

function isVector(text: string): boolean {
  return /^(0|[1-9]\d*)$/.test(text) && Number(text) < 256;
}

/** Of a vector in decimal, or of `syscall`. */
function readHandlers(read: SymbolReader): Map<string, number> {
  const prefix = 'manifest.handler.';
  const handlers = read.named(prefix);
  const wrong = [...handlers.keys()].find((event) => event !== 'syscall' && !isVector(event));
  if (wrong !== undefined)
    throw new ManifestError(
      `${read.imageName}: expected ${prefix}syscall, or ${prefix}N with a vector N, found ${prefix}${wrong}`,
    );
  return handlers;
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
  const { stacks, unknown } = readStacks(read);
  const irets = read.family('manifest.iret.');
  if (irets.length === 0) read.missing.push('manifest.iret.NAME');
  read.optional('manifest.body_stacks');
  return {
    cpus: read.required('manifest.cpus'),
    tasks: read.required('manifest.tasks'),
    mms: read.required('manifest.mms'),
    maxCpus: read.required('manifest.max_cpus'),
    maxTasks: read.required('manifest.max_tasks'),
    maxMms: read.required('manifest.max_mms'),
    stacks,
    unknownStacks: unknown,
    pgdBase: read.required('manifest.pgd.base'),
    pgdStride: read.required('manifest.pgd.stride'),
    pgdUserOffset: read.required('manifest.pgd.user_offset'),
    taskBase: read.required('manifest.task.base'),
    taskStride: read.required('manifest.task.stride'),
    idleBase: read.required('manifest.idle.base'),
    idleStride: read.required('manifest.idle.stride'),
    threadsp: read.required('manifest.task.threadsp'),
    switchFrame: read.value('manifest.task.switch_frame') ?? SWITCH_FRAME_BYTES,
    endedOffset: read.value('manifest.task.ended'),
    mmOffset: read.value('manifest.task.mm'),
    percpuBase: read.required('manifest.percpu.base'),
    percpuStride: read.required('manifest.percpu.stride'),
    currentOffset: read.required('manifest.percpu.current'),
    topOffset: read.optional('manifest.percpu.top_of_stack'),
    sp2Offset: read.optional('manifest.percpu.sp2'),
    flushMaskOffset: read.value('manifest.percpu.flush_mask'),
    text: read.section('.text'),
    entryText: read.section('.entry.text'),
    noinstrText: read.section('.noinstr.text'),
    irets,
    nmiHandler: read.optional('manifest.nmi_handler'),
    repeatNmi: read.range('manifest.repeat_nmi', 'manifest.end_repeat_nmi'),
    panic: read.optional('manifest.panic'),
    regsChanged: read.family('manifest.regs_changed.'),
    timerVector: read.value('manifest.vector.timer'),
    syscallResult: read.optional('manifest.syscall_result'),
    exceptionTable: readExceptionTable(image, read.section('__ex_table')),
    leavesEntryStackBeforeSti: read.optional('manifest.leaves_entry_stack_before_sti') === 1,
    clearsBuffers: read.value('manifest.clears_buffers') === 1,
    handlers: readHandlers(read),
    allowedPages: readAllowedPages(read),
    missing: read.missing,
  };
}
