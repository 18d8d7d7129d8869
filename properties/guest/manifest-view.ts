/** A booted guest as its manifest lets one see it. Threads and address spaces are as many as it was booted with. */

import type { Cpu } from '../../emulator/cpu/cpu';
import type { ElfImage } from '../../emulator/elf/elf-image';
import type { Machine } from '../../emulator/machine';
import { R8, R9, R10, R11, R12, R13, R14, R15, RBP, RBX, RCX, RDX, TR_BASE } from '../../emulator/registers';
import { toVa, vaHi, vaLo } from '../../emulator/words';
import { FOREIGN, KERNEL, PTI } from '../../model/kinds';
import { declaredHandlers } from './declared-handlers';
import { externalVectors } from './external-vectors';
import type { AllowedPages, EventHandlers, GuestBounds, GuestView, SpeculationControls } from './guest-view';
import { LastAnswers } from './last-answers';
import type { AllowedPageKind, Manifest, Range } from './manifest';
import { abstractStack, regionOf, type StackRegion, stackRegions } from './regions';

/** TSS.RSP0 is at byte 4 of a 64-bit TSS (SDM Vol. 3A, "Task-State Segment in 64-bit Mode"). */
const TSS_RSP0 = 4;
const PAGE_MASK = 0xfffff000 | 0;

const READ_ONLY_KINDS: readonly AllowedPageKind[] = ['idt', 'gdt'];
/** What is in rax, rsi and rdi then is nobody's promise. */
const CLEARED = [RBX, RCX, RDX, RBP, R8, R9, R10, R11, R12, R13, R14, R15];
/** Of an image that says so: VERW before user mode. The processor of the guests has no IBRS. */
const CLEARS_BUFFERS: SpeculationControls = { wantsIbrs: () => false, ibrsIsOn: () => false, clearsBuffers: true };
/** An entry that takes longer is stuck. */
const ENTRY_LIMIT = 4096;

export class ManifestView implements GuestView {
  readonly machine: Machine;
  /** Names of addresses, for messages. */
  readonly image: ElfImage;
  readonly manifest: Manifest;
  readonly bounds: GuestBounds;
  readonly threads: number;
  readonly regions: readonly StackRegion[];
  readonly kernelTable: number;
  readonly entryLimit = ENTRY_LIMIT;
  readonly nmiHandlerLatches = false;
  readonly mmsAreMade = false;
  readonly speculation: SpeculationControls | undefined;
  readonly handlers: EventHandlers | undefined;
  readonly clearedRegisters = CLEARED;
  readonly kernelSetsRegisters = false;
  readonly completedReturns: ReadonlyMap<number, number> = new Map();
  readonly state = new Int32Array(0);
  /** Physical addresses of the words that the abstraction reads. */
  readonly threadspPa: readonly number[];
  readonly threadspVa: readonly number[];
  readonly currentPa: readonly number[];
  /** Empty where the image has no top_of_stack. */
  readonly topPa: readonly number[];
  /** Words that say that a task has ended; empty where the image has none. */
  readonly endedPa: readonly number[];
  /** It is known where every stack lies: a stack pointer outside of all regions is in no stack. */
  readonly stacksKnown: boolean;
  /** Vector that the harness raises as the timer; undefined where the image takes no external interrupt. */
  readonly timerVector: number | undefined;
  readonly sp2Pa: readonly (number | undefined)[];
  readonly flushMaskPa: readonly number[];
  private readonly mms: readonly number[];
  private readonly allMms: readonly number[];
  private sp0Places: number[] = [];
  /** The two halves are one table. */
  private readonly oneTable: boolean;
  /** Page-table roots of the address spaces, and of each CPU the two words of the address of its per-CPU area. */
  private readonly kernelRoots: Int32Array;
  private readonly userRoots: Int32Array;
  private readonly percpuWords: Int32Array;
  /** What the pointers of each CPU and each thread named when they were last read; they change rarely. */
  private readonly currentAnswers: LastAnswers;
  private readonly topAnswers: LastAnswers;
  private readonly sp0Answers: LastAnswers;
  private readonly savedAnswers: LastAnswers;

  constructor(machine: Machine, manifest: Manifest, bounds: GuestBounds, image: ElfImage) {
    this.machine = machine;
    this.image = image;
    this.manifest = manifest;
    this.bounds = bounds;
    this.kernelTable = manifest.pgdBase;
    this.handlers = declaredHandlers(manifest);
    this.speculation = manifest.clearsBuffers ? CLEARS_BUFFERS : undefined;
    this.threads = bounds.tasks + bounds.cpus;
    this.regions = stackRegions(manifest, bounds.cpus, bounds.tasks);
    const perThread = Array.from({ length: this.threads }, (_, t) => t);
    const perCpu = Array.from({ length: bounds.cpus }, (_, c) => c);
    this.threadspVa = perThread.map((t) => this.taskPointer(t) + manifest.threadsp);
    this.threadspPa = this.threadspVa.map((va) => this.physical(va));
    this.percpuWords = Int32Array.from(perCpu.flatMap((c) => [vaLo(this.percpu(c)), vaHi(this.percpu(c))]));
    this.currentPa = perCpu.map((c) => this.physical(this.percpu(c) + manifest.currentOffset));
    const { sp2Offset, topOffset, endedOffset, flushMaskOffset } = manifest;
    this.topPa = topOffset === undefined ? [] : perCpu.map((c) => this.physical(this.percpu(c) + topOffset));
    this.endedPa =
      endedOffset === undefined
        ? []
        : perThread.slice(0, bounds.tasks).map((t) => this.physical(this.taskPointer(t) + endedOffset));
    const { cpus, mms } = bounds;
    this.allMms = Array.from({ length: mms }, (_, mm) => mm);
    this.oneTable = manifest.pgdUserOffset === 0;
    this.kernelRoots = Int32Array.from({ length: mms }, (_, mm) => this.kernelRoot(mm));
    this.userRoots = Int32Array.from({ length: mms }, (_, mm) => this.userRoot(mm));
    this.currentAnswers = new LastAnswers(cpus, (pointer) =>
      perThread.findIndex((t) => this.taskPointer(t) === pointer),
    );
    this.topAnswers = new LastAnswers(cpus, (top) => this.threadAtTop(top));
    this.sp0Answers = new LastAnswers(cpus, (top, c) => this.threadOfSp0(top, c));
    this.savedAnswers = new LastAnswers(this.threads, (rsp, t) => this.kindOfSaved(rsp, t));
    this.stacksKnown = manifest.unknownStacks.length === 0;
    this.mms = perThread.slice(0, bounds.tasks).map((t) => this.addressSpace(t));
    this.timerVector = manifest.timerVector ?? externalVectors(machine, this.kernelRoot(0), manifest.panic)[0];
    this.flushMaskPa =
      flushMaskOffset === undefined ? [] : perCpu.map((c) => this.physical(this.percpu(c) + flushMaskOffset));
    this.sp2Pa = perCpu.map((c) => (sp2Offset === undefined ? undefined : this.physical(this.percpu(c) + sp2Offset)));
  }

  /**
   * Physical address of a kernel address, by the kernel half of address space 0. Throws RangeError where nothing is
   * mapped.
   */
  physical(va: number): number {
    const leaf = this.machine.translate(this.kernelRoot(0), va);
    if (leaf === undefined)
      throw new RangeError(`the manifest names ${va.toString(16)}, which the kernel page table does not map`);
    return leaf.pa;
  }

  kernelRoot(mm: number): number {
    return this.manifest.pgdBase + mm * this.manifest.pgdStride;
  }

  userRoot(mm: number): number {
    return this.kernelRoot(mm) + this.manifest.pgdUserOffset;
  }

  percpu(c: number): number {
    return this.manifest.percpuBase + c * this.manifest.percpuStride;
  }

  /** Address of the task structure of a thread. */
  taskPointer(t: number): number {
    const { manifest, bounds } = this;
    return t < bounds.tasks
      ? manifest.taskBase + t * manifest.taskStride
      : manifest.idleBase + (t - bounds.tasks) * manifest.idleStride;
  }

  /** Address space of a task. */
  mmOf(t: number): number {
    return this.mms[t];
  }

  /** Every task t lives in address space t mod mms, as in the abstract machine. */
  get mmsAreRegular(): boolean {
    return this.mms.every((mm, t) => mm === t % this.bounds.mms);
  }

  private addressSpace(t: number): number {
    const { mmOffset } = this.manifest;
    if (mmOffset === undefined) return t % this.bounds.mms;
    return this.machine.memory.words[this.physical(this.taskPointer(t) + mmOffset) >>> 2];
  }

  /** The task has ended, as the image says: nobody comes back to its stack. */
  hasEnded(t: number): boolean {
    const pa = this.endedPa[t];
    if (pa === undefined) return false;
    const { words } = this.machine.memory;
    return (words[pa >>> 2] | words[(pa >>> 2) + 1]) !== 0;
  }

  isTask(t: number): boolean {
    return t < this.bounds.tasks;
  }

  nameOf(t: number): string {
    return this.isTask(t) ? `task t${t}` : `the idle thread of CPU ${t - this.bounds.tasks}`;
  }

  waitingAtFirst(): readonly number[] {
    return this.threadspPa.map((_, t) => t).slice(0, this.bounds.tasks);
  }

  threadSavedAt(va: number): number {
    return this.threadspVa.indexOf(va);
  }

  /** All threads are known from the beginning. */
  threadFound(): number {
    return -1;
  }

  /** A task that has ended keeps its number, and may begin anew. */
  threadLeft(): boolean {
    return false;
  }

  borrowsTables(): boolean {
    return false;
  }

  loadedMm(): number {
    return -1;
  }

  doubleFaultsByDesign(): boolean {
    return false;
  }

  userRegistersPa(): number {
    return -1;
  }

  rolledBack(): boolean {
    return false;
  }

  usedMms(): readonly number[] {
    return this.allMms;
  }

  isEntryText(va: number): boolean {
    const { entryText } = this.manifest;
    return va >= entryText.start && va < entryText.end;
  }

  isText(va: number): boolean {
    const { text } = this.manifest;
    return va >= text.start && va < text.end;
  }

  isPlainIret(_va: number): boolean {
    return false;
  }

  isUserAccess(va: number): boolean {
    return this.manifest.exceptionTable.has(va);
  }

  isPanic(va: number): boolean {
    return va === this.manifest.panic;
  }

  allowedInUserTables(): readonly AllowedPages[] | undefined {
    const { allowedPages, entryText, noinstrText, unknownStacks } = this.manifest;
    if (allowedPages === undefined || unknownStacks.includes('pti')) return undefined;
    const pages = (name: string, range: Range, readOnly: boolean, mm = -1) => ({ ...range, name, readOnly, mm });
    return [
      pages('entry text', entryText, true),
      pages('noinstr text', noinstrText, true),
      ...[...allowedPages].map(([name, range]) => pages(name, range, READ_ONLY_KINDS.includes(name))),
      ...this.regions
        .filter(({ kind }) => kind === PTI)
        .map((r) => pages(r.name, { start: r.start, end: r.end }, false, this.mmOf(r.thread))),
    ];
  }

  /** The 64-bit word at a physical address as an address; a non-canonical one becomes a Number that equals none. */
  pointerAt(pa: number): number {
    const { words } = this.machine.memory;
    return toVa(words[pa >>> 2], words[(pa >>> 2) + 1]);
  }

  /** Thread that `current` of CPU c names, or -1. */
  currentThread(c: number): number {
    return this.currentAnswers.of(c, this.pointerAt(this.currentPa[c]));
  }

  /** Thread on whose stack top_of_stack of CPU c lies, or -1. Only where the image has a top_of_stack. */
  topThread(c: number): number {
    return this.topAnswers.of(c, this.pointerAt(this.topPa[c]));
  }

  private threadAtTop(top: number): number {
    for (const r of this.regions) if (r.end === top && (r.kind === KERNEL || r.kind === PTI)) return r.thread;
    return -1;
  }

  /** Physical address of TSS.sp0 of CPU c; the TR base is constant after boot. */
  sp0Pa(c: number): number {
    this.sp0Places[c] ??= this.physical(
      toVa(this.machine.cpus[c].r[TR_BASE], this.machine.cpus[c].r[TR_BASE + 1]) + TSS_RSP0,
    );
    return this.sp0Places[c];
  }

  sp0(c: number): number {
    return this.pointerAt(this.sp0Pa(c));
  }

  /** Thread whose stack sp0 of CPU c tops; the idle thread for the CPU's own entry stack; -1 for anything else. */
  sp0Thread(c: number): number {
    return this.sp0Answers.of(c, this.sp0(c));
  }

  private threadOfSp0(top: number, c: number): number {
    const region = this.regionEndingAt(top);
    if (region === undefined) return -1;
    if (region.kind === PTI || region.kind === KERNEL) return region.thread;
    return region.cpu === c ? this.bounds.tasks + c : -1;
  }

  /** Kind of the stack of its own that threadsp of thread t points into; FOREIGN for any other. */
  savedStack(t: number): number {
    return this.savedAnswers.of(t, this.pointerAt(this.threadspPa[t]));
  }

  private kindOfSaved(rsp: number, t: number): number {
    const region = regionOf(this.regions, rsp);
    return region !== undefined && region.thread === t ? region.kind : FOREIGN;
  }

  regionOf(rsp: number): StackRegion | undefined {
    return regionOf(this.regions, rsp);
  }

  regionHolding(va: number, bytes: number): StackRegion | undefined {
    return this.regions.find((r) => va >= r.start && va + bytes <= r.end);
  }

  stackAt(rsp: number, cpu: number, thread: number, isCr3Value: boolean): number {
    return abstractStack(this.regions, rsp, cpu, thread, isCr3Value);
  }

  /** The region that ends at an address, or undefined. */
  regionEndingAt(top: number): StackRegion | undefined {
    return this.regions.find((r) => r.end === top);
  }

  /** Address space of a CR3 value, or -1 for a root that the manifest does not name. */
  mmOfRoot(cr3Lo: number): number {
    const root = cr3Lo & PAGE_MASK;
    for (let m = 0; m < this.userRoots.length; m++)
      if (root === this.kernelRoots[m] || root === this.userRoots[m]) return m;
    return -1;
  }

  /** CR3 is on the user half; never where the two halves are one table. */
  isUserHalf(cr3Lo: number): boolean {
    const root = cr3Lo & PAGE_MASK;
    if (this.oneTable) return false;
    for (let m = 0; m < this.userRoots.length; m++) if (root === this.userRoots[m]) return true;
    return false;
  }

  gsIsKernels(cpu: Cpu, register: number): boolean {
    const at = 2 * cpu.index;
    return cpu.r[register] === this.percpuWords[at] && cpu.r[register + 1] === this.percpuWords[at + 1];
  }
}
