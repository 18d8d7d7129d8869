# Where everything lives: physical memory, the kernel half and the user half of every address space.
# Constants only; no bytes are emitted here.
#
#|  physical 0 .. 1 MiB                     kernel image, loaded and linked so that
#|                                          virtual = KERNEL_BASE + physical
#
#|  virtual, kernel half (root K(m))
#|  0xfffffe0000080000  CEA_BASE            cpu entry area: what hardware touches before CR3 can be changed
#|    + 0x0000                              IDT                       read-only
#|    + 0x1000 + cpu * 0x8000               one block per CPU:
#|        + 0x0000                          GDT                       read-only (guards the entry stack)
#|        + 0x1000                          entry stack  4 KiB        read-write
#|        + 0x2000                          TSS alias                 read-only
#|        + 0x3000                          guard
#|        + 0x4000                          #DF stack    4 KiB        read-write
#|        + 0x5000                          guard
#|        + 0x6000                          NMI stack    4 KiB        read-write
#|        + 0x7000                          guard
#|                                          (the low bits keep its pages out of the image's slots in a small
#|                                          direct-mapped TLB; any address would do)
#|  0xffffffff81000000  KERNEL_BASE         kernel image, one 4 KiB page at a time; guard pages are holes
#|  0xffffffffff5fe000  LAPIC_BASE          local APIC registers
#
#|  The user half U(m) = K(m) + 4 KiB holds, above KERNEL_BASE and CEA_BASE, only: .entry.text, the whole cpu
#|  entry area, one page per CPU with its TSS, and what the design adds (.noinstr.text, PTI stacks).
#
#|  virtual, user part (the same lower tables in both halves; no-execute in the kernel half)
#|  0x400000  USER_TEXT     program                        read, execute
#|  0x410000  USER_CHOICE   choice port page               read
#|  0x420000  USER_STACK    + task * 0x2000, one page      read, write
#|  0x430000  USER_DATA     + task * 0x1000: user GS base  read, write
#|  0x440000  USER_HEAP     + task * 0x80000: 64 pages that the program touches, then 64 that system calls
#|                          copy from; not present until a page fault brings them in
#|  0x5ff000  BAD_USER_ADDR                                never mapped

.set KERNEL_BASE,     0xffffffff81000000
.set CEA_BASE,        0xfffffe0000080000
.set CEA_CPU0,        CEA_BASE + 0x1000
.set CEA_STRIDE,      0x8000
.set CEA_GDT,         0x0000
.set CEA_ENTRY_STACK, 0x1000
.set CEA_TSS,         0x2000
.set CEA_DF_STACK,    0x4000
.set CEA_NMI_STACK,   0x6000
.set LAPIC_BASE,      0xffffffffff5fe000
.set LAPIC_PHYSICAL,  0xfee00000
.set CHOICE_PHYSICAL, 0xfed00000

.set USER_TEXT,       0x400000
.set USER_CHOICE,     0x410000
.set USER_STACK,      0x420000
.set USER_STACK_STRIDE, 0x2000
.set USER_DATA,       0x430000
.set USER_HEAP,       0x440000
.set USER_HEAP_STRIDE,  0x80000
.set USER_HEAP_HALF,    0x40000
.set BAD_USER_ADDR,   0x5ff000

.set PAGE,              0x1000
.set ENTRY_STACK_SIZE,  0x1000
.set IST_STACK_SIZE,    0x1000
.set KERNEL_STACK_SIZE, 0x4000
.set KERNEL_STACK_STRIDE, 0x5000          # a guard page below each stack
.set PTI_STACK_SIZE,    0x1000
.set PTI_STACK_STRIDE,  0x2000            # a guard page between neighbours, so on both sides of each
.set IRQ_STACK_SIZE,    0x2000
.set IRQ_STACK_STRIDE,  0x3000
.set IDLE_STACK_SIZE,   0x2000
.set IDLE_STACK_STRIDE, 0x3000

.set MAX_CPUS,  2
.set MAX_TASKS, 3
.set MAX_MMS,   2

# Selectors. SYSCALL and SYSRET derive theirs from STAR, which fixes the order of the descriptors.
.set KERNEL_CS, 0x10
.set KERNEL_DS, 0x18
.set USER_DS,   0x2b
.set USER_CS,   0x33
.set TSS_SELECTOR, 0x40
.set BAD_CS,    0x7b                      # beyond the GDT limit, RPL 3: IRET faults with #GP

.set FLAG_IF, 0x200
.set FLAG_DF, 0x400
.set FLAG_TF, 0x100
.set FLAG_NT, 0x4000
.set FLAG_AC, 0x40000

.set VECTOR_NMI,   2
.set VECTOR_DF,    8
.set VECTOR_GP,    13
.set VECTOR_PF,    14
.set VECTOR_TIMER, 0x20
.set VECTOR_RESCHEDULE, 0xfd

.set MSR_EFER,           0xc0000080
.set MSR_STAR,           0xc0000081
.set MSR_LSTAR,          0xc0000082
.set MSR_FMASK,          0xc0000084
.set MSR_FS_BASE,        0xc0000100
.set MSR_GS_BASE,        0xc0000101
.set MSR_KERNEL_GS_BASE, 0xc0000102
