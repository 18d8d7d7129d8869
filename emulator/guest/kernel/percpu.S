# Per-CPU data and task structures: offsets, and the storage for them.
#
# The kernel GS base of CPU c is percpu_area + c * PERCPU_STRIDE: a page that is mapped in both halves of every page
# table. What stays in the kernel half follows behind the shared pages of all CPUs, at CPU_PRIVATE from the GS base.
#
#   shared   +4    TSS, as hardware lays it out. It starts 4 bytes into the page, which makes the three stack
#                  pointers and the IST slots 8-byte aligned.
#            +8    rsp0   stack of an interrupt from CPL 3
#            +16   rsp1   not used by hardware: top of the stack that an entry path moves to
#            +24   rsp2   not used by hardware: scratch word for the user's rsp
#            +40   IST 1 (#DF)      +48  IST 2 (NMI)      +106 I/O map base
#   private        the rest, below

.set PERCPU_STRIDE, 0x1000
.set CPU_PRIVATE,   MAX_CPUS * PAGE
.set CPU_TSS,       4
.set CPU_SP0,       8
.set CPU_TOP,       16
.set CPU_SP2,       24
.set CPU_IST1,      40
.set CPU_IST2,      48
.set CPU_IOMAP,     106
.set TSS_LIMIT,     103

.set CPU_CURRENT,      CPU_PRIVATE + 0x00             # task that this CPU runs
.set CPU_NUMBER,       CPU_PRIVATE + 0x08
.set CPU_FLUSH_MASK,   CPU_PRIVATE + 0x10             # bit p: user PCID of kernel PCID p must be flushed when next loaded
.set CPU_LOADED_MM,    CPU_PRIVATE + 0x18             # number of the mm in CR3, or MM_SWITCHING
.set CPU_USED_MMS,     CPU_PRIVATE + 0x20             # bit m: mm m has been loaded on this CPU before
.set CPU_NEED_RESCHED, CPU_PRIVATE + 0x28
.set CPU_IRQ_TOP,      CPU_PRIVATE + 0x30
.set CPU_IRQ_BUSY,     CPU_PRIVATE + 0x38             # the IRQ stack is in use
.set CPU_NMI_STATE,    CPU_PRIVATE + 0x40
.set CPU_NMI_CR2,      CPU_PRIVATE + 0x48
.set CPU_IDLE,         CPU_PRIVATE + 0x50             # this CPU's idle task
.set CPU_FLUSH_ASKED,  CPU_PRIVATE + 0x58             # MUTANT_flush_wait_with_if_off: the other CPU waits for a flush

.set NMI_NOT_RUNNING, 0
.set NMI_EXECUTING,   1
.set NMI_LATCHED,     2

# A task. Idle tasks have the same layout, in an array of their own.
.set TASK_STRIDE,   0x80
.set TASK_THREADSP, 0x00                  # rsp while the task does not run
.set TASK_ON_CPU,   0x08                  # some CPU may still be on its stack
.set TASK_RUNNABLE, 0x10
.set TASK_MM,       0x18                  # number, or MM_NONE for an idle task, which borrows
.set TASK_USER_GS,  0x20
.set TASK_TOP,      0x28                  # what rsp1 holds while the task runs
.set TASK_KERNEL_TOP, 0x30                # top of its kernel-only stack
.set TASK_INDEX,    0x38
.set TASK_HEAP,     0x40
.set TASK_COPY_NEXT, 0x48                 # next page that a system call copies from
.set TASK_FS_BASE,  0x50                  # with HOSTILE_USER, whose selectors are switched
.set TASK_DS,       0x58
.set TASK_ES,       0x5a
.set TASK_FS,       0x5c
.set TASK_ENDED,    0x60                  # MUTANT_task_stack_reused_early: 1: has ended, 2: its stack has been freed

.set IDLE_INDEX,   MAX_TASKS
.set MM_NONE,      -1
.set MM_SWITCHING, -2

.section .bss.percpu, "aw", @nobits
percpu_area:      .skip MAX_CPUS * 2 * PAGE
.size percpu_area, . - percpu_area

.section .bss, "aw", @nobits
.balign 64
tasks:            .skip MAX_TASKS * TASK_STRIDE
idle_tasks:       .skip MAX_CPUS * TASK_STRIDE
runqueue_lock:    .skip 8
number_of_cpus:   .skip 8
number_of_tasks:  .skip 8
number_of_mms:    .skip 8
page_pool_next:   .skip 8

# Pages that hardware reads through the cpu entry area; each kind has pages of its own.
.section .bss.pages, "aw", @nobits
idt_page:         .skip PAGE
gdt_pages:        .skip MAX_CPUS * PAGE
entry_stacks:     .skip MAX_CPUS * ENTRY_STACK_SIZE
ist_stacks:       .skip MAX_CPUS * 2 * IST_STACK_SIZE      # per CPU: #DF, NMI
user_pages:       .skip MAX_TASKS * 3 * PAGE               # per task: stack, data, heap
page_pool:        .skip 24 * PAGE
page_pool_end:

.section .bss.pgd, "aw", @nobits
pgd_pairs:        .skip MAX_MMS * 2 * PAGE                 # K(m) at 8 KiB boundaries, U(m) right behind
user_tables:      .skip MAX_MMS * 3 * PAGE                 # per mm: PDPT, PD, PT of the user part

# Stacks. Every `guard` page stays unmapped.
.section .bss.stacks, "aw", @nobits
kernel_stacks_area: .skip MAX_TASKS * KERNEL_STACK_STRIDE
idle_stacks_area:   .skip MAX_CPUS * IDLE_STACK_STRIDE
irq_stacks_area:    .skip MAX_CPUS * IRQ_STACK_STRIDE
.ifdef HAS_PTI_STACKS
pti_stacks_area:    .skip MAX_TASKS * PTI_STACK_STRIDE + PAGE
.set pti_stacks,    pti_stacks_area + PAGE
.endif
.set kernel_stacks, kernel_stacks_area + PAGE
.set idle_stacks,   idle_stacks_area + PAGE
.set irq_stacks,    irq_stacks_area + PAGE
