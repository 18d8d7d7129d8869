/**
 * A design as data: for each kind of event, the steps that the abstract machine sees on the way to the body and on the
 * way back. A step is one instruction, and its name is that of the rule that takes it, as it stands in traces. Between
 * two steps lies what changes neither CR3 nor GS nor the stack (LFENCE, CLD, CLAC, pushes of pt_regs).
 *
 * A path from user mode begins on the user half with the user's GS: SYSCALL on the user's rsp, an NMI on its IST stack,
 * any other event on the stack that TSS.sp0 names; #GP is the one of an IRETQ to a bad user frame, and begins where
 * that IRETQ stands. A path from the kernel begins as it finds the CPU. There a step is taken only where it changes
 * something: `load-kernel-cr3` from the user half, `swapgs-to-kernel` with the user's GS.
 */

/** Steps on the way to the body. */
export const ENTRY_STEPS = [
  /** `swapgs`. */
  'swapgs-to-kernel',
  /** `mov %cr3, %rsp`: rsp is no stack until the next load of it. */
  'read-cr3-into-rsp',
  /** CR3 := kernel half. */
  'load-kernel-cr3',
  /** rsp := the stack on which events from user mode arrive. */
  'load-entry-stack',
  /** rsp := top of the kernel stack. */
  'load-kernel-stack',
  /** rsp := the per-CPU IRQ stack; not where rsp is there already. */
  'load-irq-stack',
  /** Interrupts on before the body (no design of ours: a planted bug). */
  'sti',
  /** The first instruction of instrumentable code. */
  'enter-body',
] as const;
/** One of ENTRY_STEPS. */
export type EntryStep = (typeof ENTRY_STEPS)[number];

/** Steps from the body back to user mode. */
export const EXIT_STEPS = [
  /** rsp := the stack from which `load-irq-stack` came. */
  'leave-irq-stack',
  /** rsp := the PTI stack, where the exit work runs. */
  'return-to-pti-stack',
  /** rsp := the entry stack of this CPU, to which the return frame was copied. */
  'leave-to-entry-stack',
  'sti',
  /** CR3 := user half. */
  'load-user-cr3',
  /** `pop %rsp`: the user's rsp at CPL0, on the way to SYSRET. */
  'load-user-rsp',
  /** `swapgs`. */
  'swapgs-to-user',
  /** SYSRETQ. */
  'sysret',
  /** IRETQ. */
  'iret-to-user',
] as const;
/** One of EXIT_STEPS. */
export type ExitStep = (typeof EXIT_STEPS)[number];

/** Steps from the body back to the kernel. */
export const RETURN_STEPS = [
  'leave-irq-stack',
  /** CR3 := user half, if the NMI found it. */
  'restore-user-cr3',
  /** The same, but the code asks whether it found the user's GS (a planted bug). */
  'restore-user-cr3-if-user-gs',
  /** `swapgs`, if the NMI found the user's GS. */
  'restore-user-gs',
  /** IRETQ of an NMI to its own repeat range, where a nested NMI has rewritten the frame. */
  'repeat-nmi',
  'nmi-iret-to-kernel',
  'iret-to-kernel',
] as const;
/** One of RETURN_STEPS. */
export type ReturnStep = (typeof RETURN_STEPS)[number];

/** Steps of a context switch. */
export const SWITCH_STEPS = ['switch-mm', 'switch-to', 'release-cpu', 'set-current', 'set-top', 'set-sp0'] as const;
/** One of SWITCH_STEPS. */
export type SwitchStep = (typeof SWITCH_STEPS)[number];

/** An event from user mode: how its body is reached, and each way that leads back (SYSRET and IRET, say). */
export interface UserPath {
  /** From the event to the body. */
  readonly enter: readonly EntryStep[];
  /** From the body to user mode, one sequence a way. */
  readonly leave: readonly (readonly ExitStep[])[];
}

/** An event from the kernel. */
export interface KernelPath {
  /** From the event to the body. */
  readonly enter: readonly EntryStep[];
  /** From the body to what the event interrupted. */
  readonly leave: readonly ReturnStep[];
}

/** What an event from user mode can be. */
export const USER_EVENTS = ['syscall', 'irq', 'page-fault', 'general-protection', 'nmi'] as const;
/** One of USER_EVENTS. */
export type UserEvent = (typeof USER_EVENTS)[number];
/** What an event from the kernel can be. */
export const KERNEL_EVENTS = ['irq', 'page-fault', 'nmi'] as const;
/** One of KERNEL_EVENTS. */
export type KernelEvent = (typeof KERNEL_EVENTS)[number];

/** A design of kernel entry code. docs/your-own-design.md goes from a table to a verdict. */
export interface DesignTable {
  /** What answers call it. */
  readonly name: string;
  /** 2: a user half and a kernel half. 1: no isolation; no step changes CR3 then. */
  readonly pageTables: 1 | 2;
  /** The stack that TSS.sp0 names: the entry (trampoline) stack of the CPU, or the PTI stack of the task. */
  readonly entryStack: 'per-cpu' | 'per-task';
  /** The C code between the delivery and the body is mapped in the user half as well. */
  readonly entryCodeInUserTable: boolean;
  /** The user half maps data of the kernel that no entry needs. S12 fails at once. */
  readonly kernelDataInUserTable: boolean;
  /** What events from user mode do. */
  readonly fromUser: Readonly<Record<UserEvent, UserPath>>;
  /** What events from the kernel do. */
  readonly fromKernel: Readonly<Record<KernelEvent, KernelPath>>;
  /**
   * Where a task that has never run begins, as if it slept in a system call (fork). It goes on as a system call does
   * from that stack; `leave` has its ways to user mode where no system call stands there.
   */
  readonly firstRun: {
    /** The stack that it begins on. */
    readonly stack: 'kernel' | 'pti';
    /** Its ways to user mode, if they are not those of a system call. */
    readonly leave?: UserPath['leave'];
  };
  /** The steps from one task to another. */
  readonly contextSwitch: readonly SwitchStep[];
  /** The body of an NMI runs again where another one came meanwhile. `ignored` is a planted bug. */
  readonly nestedNmis: 'repeated' | 'ignored';
}
