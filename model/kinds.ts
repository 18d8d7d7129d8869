/**
 * Small integers that the rules compare: where rsp points, and what kind of event opened a context.
 *
 *   USER        rsp is the user's (in user mode, and at CPL0 in the SYSCALL and SYSRET windows)
 *   CR3_WINDOW  rsp holds a CR3 value (`mov %cr3,%rsp` of entry_SYSCALL_64)
 *   ENTRY       the per-CPU entry (trampoline) stack of this CPU, in the cpu_entry_area
 *   KERNEL      the kernel-only stack of the running thread (for an idle thread: its only stack)
 *   PTI         the per-task PTI stack of the running thread, mapped in both halves
 *   IRQ, NMI    the per-CPU IRQ stack and the IST stack of NMI of this CPU
 *   FOREIGN     any other: another CPU's, another thread's, or no stack at all
 *
 * A stack is named relative to its CPU and its running thread, so no number mixes CPUs and tasks.
 */
export const USER = 0;
export const CR3_WINDOW = 1;
export const ENTRY = 2;
export const KERNEL = 3;
export const PTI = 4;
export const IRQ_STACK = 5;
export const NMI_STACK = 6;
export const FOREIGN = 7;
export const STACKS = 8;

export const STACK_NAMES = ['user', 'cr3-window', 'entry', 'kernel', 'pti', 'irq', 'nmi', 'foreign'] as const;

/** Kinds of context: what was delivered. NONE fills the unused slots of a context stack. */
export const NONE = 0;
export const SYSCALL = 1;
export const IRQ = 2;
export const PF = 3;
export const GP = 4;
export const NMI = 5;
export const KINDS = 6;

export const KIND_NAMES = ['none', 'syscall', 'irq', 'page-fault', 'general-protection', 'nmi'] as const;
