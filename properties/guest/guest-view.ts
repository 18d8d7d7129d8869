/**
 * The machine under test as the monitor and the properties see it: which thread `current`, top_of_stack, sp0 and
 * threadsp name, which address space and half a CR3 value is, whose stack an address lies in, and what code is where.
 * There are two: `manifest-view.ts` of a guest of ours, and `../linux/linux-view.ts` of a Linux kernel. Only memory and
 * registers are read; nothing is written and no TLB is consulted.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { ElfImage } from '../../emulator/elf/elf-image';
import type { Machine } from '../../emulator/machine';
import type { Manifest } from './manifest';
import type { StackRegion } from './regions';

/** What the machine was booted with. */
export interface GuestBounds {
  /** CPUs. */
  readonly cpus: number;
  /** User tasks, without the idle thread of each CPU. Of Linux: threads that are known at a time, less the CPUs. */
  readonly tasks: number;
  /** Address spaces that they share. Of Linux: places in RAM where the tables of one may lie. */
  readonly mms: number;
}

/** Names of addresses, for messages. */
export type Places = Pick<ElfImage, 'name' | 'symbolAt'>;

/** What the monitor and the properties read of a manifest. */
export type SystemFacts = Pick<
  Manifest,
  | 'stacks'
  | 'unknownStacks'
  | 'pgdBase'
  | 'pgdStride'
  | 'pgdUserOffset'
  | 'switchFrame'
  | 'topOffset'
  | 'irets'
  | 'nmiHandler'
  | 'repeatNmi'
  | 'regsChanged'
  | 'syscallResult'
  | 'exceptionTable'
  | 'leavesEntryStackBeforeSti'
>;

/** Pages that a user table may map in the kernel's addresses (S12), by where the kernel's own table has them. */
export interface AllowedPages {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly readOnly: boolean;
  /** Address space to which they are confined, or -1. */
  readonly mm: number;
}

/** What a kernel does against speculation that user mode prepares or watches, where it has decided to. */
export interface SpeculationControls {
  /** The kernel runs with IBRS on CPU c. */
  wantsIbrs(c: number): boolean;
  ibrsIsOn(cpu: Cpu): boolean;
  /** VERW clears buffers before each return to user mode. */
  readonly clearsBuffers: boolean;
}

/** Of `EventHandlers`: what no vector is the number of. */
export const SYSCALL_EVENT = -1;

/** The C functions that entry code calls with the saved registers of an event. */
export interface EventHandlers {
  /** First instructions of all of them. */
  readonly all: ReadonlySet<number>;
  /** Those of a vector, or of SYSCALL_EVENT: more than one where the way from the kernel has its own; or none known. */
  of(event: number): ReadonlySet<number>;
}

export interface GuestView {
  readonly machine: Machine;
  readonly image: Places;
  readonly manifest: SystemFacts;
  readonly bounds: GuestBounds;
  /** Root of a table that maps all of the kernel's addresses. */
  readonly kernelTable: number;
  /** Every stack that is known. */
  readonly regions: readonly StackRegion[];
  /** It is known where every stack lies: a stack pointer outside of all regions is in no stack. */
  readonly stacksKnown: boolean;
  /** By thread: where its threadsp lies, physical and virtual; -1 for a number that no thread has. */
  readonly threadspPa: readonly number[];
  readonly threadspVa: readonly number[];
  /** Physical addresses of words of each CPU: `current`, top_of_stack (empty where there is none), SYSCALL scratch. */
  readonly currentPa: readonly number[];
  readonly topPa: readonly number[];
  readonly sp2Pa: readonly (number | undefined)[];
  /** By CPU, the 16 bits that say which user PCIDs are to be flushed; empty where that is not known (S15). */
  readonly flushMaskPa: readonly number[];
  /** Words that say that a task has ended; empty where the image has none. */
  readonly endedPa: readonly number[];
  /** What the view itself remembers of threads: a mark saves it and a rollback restores it. */
  readonly state: Int32Array;
  /** Instructions at CPL0 within which an entry comes to an end (L1). */
  readonly entryLimit: number;

  physical(va: number): number;
  /** The 64-bit word at a physical address; a non-canonical one becomes a Number that equals no address. */
  pointerAt(pa: number): number;
  userRoot(mm: number): number;
  /** Address spaces that a thread uses now. */
  usedMms(): readonly number[];
  /**
   * The kernel sets registers on purpose: a fixup of the exception table those of the kernel (an error code in rax), a
   * system call those of user mode (GS base).
   */
  readonly kernelSetsRegisters: boolean;
  /**
   * Instructions of a return that the kernel may complete for what an event interrupted there, each with the bytes from
   * rsp to the address that it returns to.
   */
  readonly completedReturns: ReadonlyMap<number, number>;
  /** The NMI handler remembers an NMI that hits it while it runs for user mode, and begins anew by itself (S16). */
  readonly nmiHandlerLatches: boolean;
  /** Undefined for a processor and a kernel without them (S27). */
  readonly speculation: SpeculationControls | undefined;
  /** Undefined where it is not known (S28). */
  readonly handlers: EventHandlers | undefined;
  /** Address spaces come and go: a table is judged when it is first used in user mode, too. */
  readonly mmsAreMade: boolean;
  /** Undefined where it is not known: then a user table is not judged. */
  allowedInUserTables(): readonly AllowedPages[] | undefined;

  /** General registers that entry text clears, or gives another value, before it hands over (S26). */
  readonly clearedRegisters: readonly number[];
  /** The assembler of the entry paths, and thunks that it may go through. */
  isEntryText(va: number): boolean;
  /** Code that may be instrumented. */
  isText(va: number): boolean;
  /** An IRET at this address serialises, by a return to the instruction behind it, and ends no context. */
  serialisesAt(va: number): boolean;
  /** An instruction that reads or writes user memory, and goes to a fixup where it faults. */
  isUserAccess(va: number): boolean;
  /** Where the kernel gives up. */
  isPanic(va: number): boolean;

  /** Threads whose contexts begin with the first-run frame of a system call, at attach. */
  waitingAtFirst(): readonly number[];
  /** Thread whose threadsp is at a virtual address, or -1. */
  threadSavedAt(va: number): number;
  /** A load of rsp from `va` by the instruction at `rip` makes a thread known that was not, or is -1. */
  threadFound(va: number, rip: number): number;
  /** The CPU that ran the thread has left it: true if it will never come back, and its number is free now. */
  threadLeft(t: number): boolean;
  /** The machine has gone back: true if other threads are known now. */
  rolledBack(): boolean;
  /** Runs in user mode, too: it has an address space of its own, and not a borrowed one. */
  isTask(t: number): boolean;
  mmOf(t: number): number;
  hasEnded(t: number): boolean;
  /** May be resumed on the tables of any address space, because it has none of its own. */
  borrowsTables(t: number): boolean;
  /**
   * Physical address of the `pt_regs` of thread t: what its context from user mode gives back, which the kernel may
   * change. -1 where nobody knows of such a frame: then what was interrupted is what is given back (S6).
   */
  userRegistersPa(t: number): number;
  /** `task t0`, `the idle thread of CPU 1`. */
  nameOf(t: number): string;
  /** Thread that `current` of CPU c names, or -1. */
  currentThread(c: number): number;
  /** Thread on whose stack top_of_stack of CPU c lies, or -1. */
  topThread(c: number): number;
  sp0Pa(c: number): number;
  sp0(c: number): number;
  /** The stack that a stack pointer is in, or undefined; at its end nothing has been pushed yet. */
  regionOf(rsp: number): StackRegion | undefined;
  /** The stack that holds all of so many bytes, or undefined. */
  regionHolding(va: number, bytes: number): StackRegion | undefined;
  regionEndingAt(top: number): StackRegion | undefined;
  /** The abstract stack of CPU `cpu` whose running thread is `thread`, for a stack pointer at CPL0. */
  stackAt(rsp: number, cpu: number, thread: number, isCr3Value: boolean): number;
  /** The CPU is at an IRET that may raise #DF, and its handler is made for that (ESPFIX of Linux). */
  doubleFaultsByDesign(cpu: Cpu): boolean;
  /** Address space that CPU c has loaded as its kernel has it, which may be the one before `current`'s; or -1. */
  loadedMm(c: number): number;
  mmOfRoot(cr3Lo: number): number;
  isUserHalf(cr3Lo: number): boolean;
  gsIsKernels(cpu: Cpu, register: number): boolean;
}
