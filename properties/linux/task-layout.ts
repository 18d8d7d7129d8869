/** Where a task structure of a running kernel has what, and what a thread's stack looks like. */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { type KernelOffsets, PT_REGS_SIZE } from '../../emulator/linux/image/kernel-offsets';
import type { KernelMemory } from './kernel-memory';

const PAGE = 4096;
/** `__state` of a task that has made its last switch (include/linux/sched.h, TASK_DEAD). */
const TASK_DEAD = 0x80;
const NAME_BYTES = 16;

export class TaskLayout {
  /** Offset of thread.sp. */
  readonly threadSp: number;
  /** Bytes of a thread's stack, and those above its `pt_regs`. */
  readonly stackBytes: number;
  readonly padding: number;
  private readonly memory: KernelMemory;
  private readonly offsets: KernelOffsets;
  private readonly state: number | undefined;
  private readonly comm: number | undefined;

  /** `task` is one that runs, and `top` the top of its stack as the kernel has it. */
  constructor(memory: KernelMemory, image: KernelImage, offsets: KernelOffsets, task: number, top: number) {
    this.memory = memory;
    this.offsets = offsets;
    this.threadSp = offsets.task.threadSp;
    this.state = image.types?.member('task_struct', '__state')?.offset;
    this.comm = image.types?.member('task_struct', 'comm')?.offset;
    const bytes = top - this.stackOf(task);
    this.stackBytes = Math.ceil(bytes / PAGE) * PAGE;
    this.padding = this.stackBytes - bytes;
  }

  /** The lowest address of the stack of a task. */
  stackOf(task: number): number {
    return this.memory.pointerAt(this.memory.near(task) + this.offsets.task.stack);
  }

  /** Physical address of the root of the task's page tables; 0 for a task without an address space of its own. */
  rootOf(task: number): number {
    const mm = this.memory.pointerAt(this.memory.near(task) + this.offsets.task.mm);
    return mm === 0 ? 0 : this.tablesOf(mm);
  }

  /** Physical address of the root of the page tables of an mm_struct. */
  tablesOf(mm: number): number {
    return this.memory.near(this.memory.pointerAt(this.memory.near(mm) + this.offsets.mmPgd));
  }

  /** It will never run again. Undefined where the kernel's types do not say. */
  isDead(task: number): boolean | undefined {
    if (this.state === undefined) return undefined;
    return (this.memory.machine.memory.read32(this.memory.near(task) + this.state) & TASK_DEAD) !== 0;
  }

  /** What `ps` says, or nothing. */
  nameOf(task: number): string {
    if (this.comm === undefined) return '';
    const bytes = this.memory.machine.memory.readBytes(this.memory.near(task) + this.comm, NAME_BYTES);
    return Buffer.from(bytes).toString('latin1').split('\0', 1)[0];
  }

  /** Physical address of the `pt_regs` at the top of a stack. */
  registersAt(stackEnd: number): number {
    return this.memory.physical(stackEnd - this.padding - PT_REGS_SIZE) ?? -1;
  }
}
