/**
 * A booted Linux kernel as the monitor sees it: from its symbols, the offsets of its structures, and registers. Threads
 * become known when a CPU first loads their stack pointer in `__switch_to_asm`, and are forgotten when the CPU leaves
 * them dead (`thread-table.ts`). The name of an address space is where its tables lie: a kernel root at a multiple of
 * 8 KiB, and its user root behind it (arch/x86/include/asm/pgtable.h, PTI_PGTABLE_SWITCH_BIT).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { readKernelCode } from '../../emulator/linux/image/kernel-code';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { type KernelOffsets, readOffsets, TSS_WORDS } from '../../emulator/linux/image/kernel-offsets';
import type { Machine } from '../../emulator/machine';
import {
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RBP,
  RBX,
  RCX,
  RDX,
  RIP,
  RSI,
  RSP,
  TR_BASE,
} from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { CR3_WINDOW, FOREIGN, USER } from '../../model/kinds';
import type {
  AllowedPages,
  EventHandlers,
  GuestBounds,
  GuestView,
  Places,
  SpeculationControls,
  SystemFacts,
} from '../guest/guest-view';
import type { StackRegion } from '../guest/regions';
import { allowedInUserTables } from './allowed-pages';
import { EspfixStacks } from './espfix-stacks';
import { eventHandlers } from './event-handlers';
import { KernelMemory } from './kernel-memory';
import { perCpuStacks } from './per-cpu-stacks';
import { safeReturns } from './safe-returns';
import { speculationControls } from './speculation';
import { TaskLayout } from './task-layout';
import { MOST_THREADS, ThreadTable } from './thread-table';

const USER_ROOT = 4096;
const ROOTS_STRIDE = 8192;
/** A #PF clears a page, and an interrupt runs what was put off: far more than a path through entry code. */
const ENTRY_LIMIT = 5_000_000;
/** Six registers and the return address (struct inactive_task_frame). */
const SWITCH_FRAME_BYTES = 56;
/** CLEAR_REGS of arch/x86/entry/calling.h. rsi may have the number of a system call or an error code by then. */
const CLEARED = [RBX, RCX, RDX, RSI, RBP, R8, R9, R10, R11, R12, R13, R14, R15];
/** No `__switch_to_asm` is longer. */
const SWITCH_BYTES = 128;

export class LinuxView implements GuestView {
  readonly machine: Machine;
  readonly image: Places;
  readonly manifest: SystemFacts;
  readonly bounds: GuestBounds;
  readonly kernelTable: number;
  readonly stacksKnown = true;
  readonly entryLimit = ENTRY_LIMIT;
  readonly nmiHandlerLatches = true;
  readonly mmsAreMade = true;
  readonly speculation: SpeculationControls;
  readonly handlers: EventHandlers;
  readonly clearedRegisters = CLEARED;
  readonly kernelSetsRegisters = true;
  readonly completedReturns: ReadonlyMap<number, number>;
  readonly currentPa: readonly number[];
  readonly topPa: readonly number[];
  readonly sp2Pa: readonly number[];
  readonly flushMaskPa: readonly number[];
  readonly endedPa: readonly number[] = [];
  readonly threadspPa: readonly number[];
  readonly threadspVa: readonly number[];
  readonly state: Int32Array;
  private readonly memory: KernelMemory;
  private readonly offsets: KernelOffsets;
  private readonly kernel: KernelImage;
  private readonly code: ReturnType<typeof readKernelCode>;
  private readonly layout: TaskLayout;
  private readonly threads: ThreadTable;
  private readonly perCpu: readonly number[];
  private readonly cpuStacks: readonly StackRegion[];
  private readonly espfix: EspfixStacks;
  private readonly sp0s: readonly number[];
  /** The stack that was last asked for. */
  private last: StackRegion | undefined;

  /**
   * Of a kernel whose CPUs have all begun to run.
   * @throws KernelImageError where the image does not tell what is needed
   */
  constructor(machine: Machine, image: KernelImage) {
    this.machine = machine;
    this.kernel = image;
    this.image = { name: image.name, symbolAt: (va) => image.symbols.symbolAt(va) };
    this.offsets = readOffsets(image);
    this.code = readKernelCode(image);
    const memory = new KernelMemory(machine, image);
    this.memory = memory;
    this.kernelTable = memory.kernelTable;
    const cpus = machine.cpus.map(({ index }) => index);
    this.perCpu = cpus.map((c) => memory.perCpu(c));
    const { currentTask, topOfStack, tss } = this.offsets.perCpu;
    this.currentPa = this.perCpu.map((base) => memory.near(base + currentTask));
    this.topPa = this.perCpu.map((base) => memory.near(base + topOfStack));
    this.sp2Pa = this.perCpu.map((base) => memory.near(base + tss + TSS_WORDS.sp2));
    const { userPcidFlushMask } = this.offsets.perCpu;
    this.flushMaskPa =
      userPcidFlushMask === undefined ? [] : this.perCpu.map((base) => memory.near(base + userPcidFlushMask));
    this.sp0s = machine.cpus.map(({ r }) => this.physical(toVa(r[TR_BASE], r[TR_BASE + 1]) + TSS_WORDS.sp0));
    const running = memory.pointerAt(this.currentPa[0]);
    this.layout = new TaskLayout(memory, image, this.offsets, running, memory.pointerAt(this.topPa[0]));
    this.threads = new ThreadTable(memory, this.layout);
    this.state = this.threads.state;
    this.threadspPa = this.threads.threadspPa;
    this.threadspVa = this.threads.threadspVa;
    this.cpuStacks = perCpuStacks(this, this.offsets, this.perCpu);
    this.espfix = new EspfixStacks(memory, image, this.perCpu);
    this.completedReturns = safeReturns(image.symbols);
    this.speculation = speculationControls(memory, image, this.perCpu);
    this.handlers = eventHandlers(memory, this.code);
    this.manifest = this.facts();
    this.bounds = {
      cpus: cpus.length,
      tasks: MOST_THREADS - cpus.length,
      mms: Math.ceil(machine.memory.size / ROOTS_STRIDE),
    };
    for (const c of cpus) this.found(memory.pointerAt(this.currentPa[c]));
  }

  get regions(): readonly StackRegion[] {
    return [...this.cpuStacks, ...this.threads.regions];
  }

  private facts(): SystemFacts {
    const { code } = this;
    return {
      stacks: new Map(),
      unknownStacks: [],
      pgdBase: 0,
      pgdStride: ROOTS_STRIDE,
      pgdUserOffset: USER_ROOT,
      switchFrame: SWITCH_FRAME_BYTES,
      topOffset: this.offsets.perCpu.topOfStack,
      irets: [code.iret],
      nmiHandler: code.nmi.body,
      repeatNmi: code.nmi.repeat,
      regsChanged: [],
      syscallResult: undefined,
      exceptionTable: code.fixups,
      leavesEntryStackBeforeSti: false,
    };
  }

  physical(va: number): number {
    const pa = this.memory.physical(va);
    if (pa === undefined)
      throw new RangeError(`expected the kernel's page table to map ${va.toString(16)}, found nothing there`);
    return pa;
  }

  pointerAt(pa: number): number {
    return this.memory.pointerAt(pa);
  }

  userRoot(mm: number): number {
    return mm * ROOTS_STRIDE + USER_ROOT;
  }

  usedMms(): readonly number[] {
    const used = new Set<number>();
    for (const task of this.threads.task) {
      const root = task === -1 ? 0 : this.layout.rootOf(task);
      if (root !== 0) used.add(Math.floor(root / ROOTS_STRIDE));
    }
    return [...used];
  }

  allowedInUserTables(): readonly AllowedPages[] {
    return allowedInUserTables(this.machine, this.kernel, this.offsets, this.perCpu);
  }

  isEntryText(va: number): boolean {
    const kind = this.code.kindAt(va);
    return kind === 'entry' || kind === 'thunk';
  }

  isText(va: number): boolean {
    return this.code.kindAt(va) === 'other';
  }

  /** `sync_core` of ordinary code, on a processor without SERIALIZE. */
  serialisesAt(va: number): boolean {
    return this.isText(va);
  }

  isUserAccess(va: number): boolean {
    return this.code.fixups.has(va) && this.isText(va);
  }

  isPanic(va: number): boolean {
    return this.code.failures.includes(va);
  }

  /** What a thread that is not running is in the middle of, nobody knows. */
  waitingAtFirst(): readonly number[] {
    return [];
  }

  threadSavedAt(va: number): number {
    return this.threadspVa.indexOf(va);
  }

  threadFound(va: number, rip: number): number {
    const { switchTo } = this.code;
    return rip >= switchTo && rip < switchTo + SWITCH_BYTES ? this.found(va - this.layout.threadSp) : -1;
  }

  private found(task: number): number {
    const known = this.threads.find(task);
    if (known >= 0) return known;
    this.last = undefined;
    return this.threads.add(task, (t) => this.currentPa.some((pa) => this.pointerAt(pa) === this.threads.task[t]));
  }

  threadLeft(t: number): boolean {
    this.threads.left(t);
    if (this.layout.isDead(this.threads.task[t]) === false) return false;
    this.last = undefined;
    this.threads.remove(t);
    return true;
  }

  rolledBack(): boolean {
    if (!this.threads.rolledBack()) return false;
    this.last = undefined;
    return true;
  }

  isTask(t: number): boolean {
    return this.layout.rootOf(this.threads.task[t]) !== 0;
  }

  mmOf(t: number): number {
    return Math.floor(this.layout.rootOf(this.threads.task[t]) / ROOTS_STRIDE);
  }

  hasEnded(t: number): boolean {
    return this.layout.isDead(this.threads.task[t]) === true;
  }

  loadedMm(c: number): number {
    const { loadedMm } = this.offsets.perCpu;
    if (loadedMm === undefined) return -1;
    const mm = this.pointerAt(this.memory.near(this.perCpu[c] + loadedMm));
    // A small number while the kernel is in the middle of it.
    return mm >= 0 ? -1 : Math.floor(this.layout.tablesOf(mm) / ROOTS_STRIDE);
  }

  borrowsTables(t: number): boolean {
    return !this.isTask(t);
  }

  userRegistersPa(t: number): number {
    const stack = this.threads.stackOf(t);
    return stack === undefined ? -1 : this.layout.registersAt(stack.end);
  }

  nameOf(t: number): string {
    const name = this.layout.nameOf(this.threads.task[t]);
    return name === '' ? `task t${t}` : `task t${t} (${name})`;
  }

  currentThread(c: number): number {
    return this.threads.find(this.pointerAt(this.currentPa[c]));
  }

  topThread(c: number): number {
    const top = this.pointerAt(this.topPa[c]);
    const region = this.threads.regionOf(top);
    return region !== undefined && region.end - this.layout.padding === top ? region.thread : -1;
  }

  sp0Pa(c: number): number {
    return this.sp0s[c];
  }

  sp0(c: number): number {
    return this.pointerAt(this.sp0s[c]);
  }

  regionOf(rsp: number): StackRegion | undefined {
    const { last } = this;
    if (last !== undefined && rsp > last.start && rsp <= last.end) return last;
    for (const r of this.cpuStacks) if (rsp > r.start && rsp <= r.end) return this.remember(r);
    const found = this.threads.regionOf(rsp);
    return found === undefined ? this.espfix.regionOf(rsp) : this.remember(found);
  }

  private remember(region: StackRegion): StackRegion {
    this.last = region;
    return region;
  }

  regionHolding(va: number, bytes: number): StackRegion | undefined {
    const region = this.regionOf(va + bytes);
    return region !== undefined && va >= region.start ? region : undefined;
  }

  regionEndingAt(top: number): StackRegion | undefined {
    const region = this.regionOf(top);
    return region?.end === top ? region : undefined;
  }

  stackAt(rsp: number, cpu: number, thread: number, isCr3Value: boolean): number {
    const found = this.regionOf(rsp);
    if (found !== undefined) return found.cpu === cpu || found.thread === thread ? found.kind : FOREIGN;
    if (isCr3Value) return CR3_WINDOW;
    return rsp >= 0 ? USER : FOREIGN;
  }

  doubleFaultsByDesign(cpu: Cpu): boolean {
    const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
    return rip === this.code.iret && this.espfix.regionOf(toVa(cpu.r[RSP], cpu.r[RSP + 1])) !== undefined;
  }

  mmOfRoot(cr3Lo: number): number {
    return cr3Lo >>> 13;
  }

  isUserHalf(cr3Lo: number): boolean {
    return (cr3Lo & USER_ROOT) !== 0;
  }

  gsIsKernels(cpu: Cpu, register: number): boolean {
    return toVa(cpu.r[register], cpu.r[register + 1]) === this.perCpu[cpu.index];
  }
}
