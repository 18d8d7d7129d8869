# A user program that does whatever CPL 3 may do to the processor state that entry code inherits: RFLAGS, rsp, data
# selectors, and exceptions. It replaces user-program.S under HOSTILE_USER. The same for every task; what it does next
# is read from the choice page. Nothing is put right again unless a choice says so, so that states combine.
#
# rbx is the next heap page to touch, r15 the task's own stack. All other registers keep their first values, which
# tell task and register, except rax and what SYSCALL takes (rcx, r11). rsp may be anything: code that needs a stack
# takes it from r15, and nothing is kept on it meanwhile.
#
# There are no tables: each alternative is code in a row of HOSTILE_ROW bytes.

.set HOSTILE_ROW, 16

# The flags that POPF is offered: also those that it may not change at CPL 3 (IF, IOPL, VM).
.set SANE_FLAGS, FLAG_IF | 2

# Goes to one of the rows at \rows, \count of them.
.macro CHOOSE_ROW rows, count
	movzbl	USER_CHOICE + \count, %eax
	shll	$4, %eax
	addl	$\rows, %eax
	jmp	*%rax
.endm

.macro ROW
.balign HOSTILE_ROW, 0xcc
.endm

# The number of rows from \rows to here.
.macro COUNT_ROWS name, rows
.balign HOSTILE_ROW, 0xcc
.set \name, (. - \rows) / HOSTILE_ROW
.endm

.section .user.text, "ax"
user_program:
	movq	%rsp, %r15
# The next action; also where the kernel goes on after a fault.
hostile_next:
	CHOOSE_ROW hostile_actions, HOSTILE_ACTIONS

.balign HOSTILE_ROW, 0xcc
hostile_actions:
	syscall
	jmp	hostile_next
ROW
	movb	$1, (%rbx)                      # a page fault, if the page is new
	jmp	hostile_touched
ROW
	jmp	hostile_stack_pointer
ROW
	jmp	hostile_flags
ROW
	jmp	hostile_selector
ROW
	jmp	hostile_trap
ROW
	jmp	hostile_fault
ROW
	movl	$39, %eax
	syscall
	jmp	hostile_next
COUNT_ROWS HOSTILE_ACTIONS, hostile_actions

hostile_touched:
	leaq	PAGE(%rbx), %rax
	testl	$USER_HEAP_HALF - 1, %eax       # stay on the last page
	cmovnzq	%rax, %rbx
	jmp	hostile_next

hostile_flags:
	movq	%r15, %rsp
	CHOOSE_ROW hostile_flag_rows, HOSTILE_FLAG_ROWS
.macro FLAGS_ROW flags
ROW
	pushq	$\flags
	jmp	hostile_popf
.endm
.balign HOSTILE_ROW, 0xcc
hostile_flag_rows:
FLAGS_ROW SANE_FLAGS
FLAGS_ROW "SANE_FLAGS | FLAG_DF"
FLAGS_ROW "SANE_FLAGS | FLAG_AC"
FLAGS_ROW "SANE_FLAGS | FLAG_NT"
FLAGS_ROW "SANE_FLAGS | FLAG_TF"
FLAGS_ROW 2                               # IF=0
FLAGS_ROW "SANE_FLAGS | 0x3000"           # IOPL 3
FLAGS_ROW "FLAG_DF | FLAG_NT | FLAG_AC | 0x3000 | 2"
FLAGS_ROW 0x3f7fd7                        # every flag that exists
COUNT_ROWS HOSTILE_FLAG_ROWS, hostile_flag_rows
hostile_popf:
	popfq
	jmp	hostile_next

# rsp := an address that means something to the kernel.
hostile_stack_pointer:
	CHOOSE_ROW hostile_rsp_rows, HOSTILE_RSP_ROWS
.macro RSP_ROW address
ROW
	movabsq	$\address, %rsp
	jmp	hostile_next
.endm
# Just above the stack (where the first push goes), at the words that entry code keeps near the top, and deep in it.
.macro RSP_ROWS_OF_STACK base, size
	RSP_ROW	"\base + \size"
	RSP_ROW	"\base + \size - 56"
	RSP_ROW	"\base + \size - REGS_SIZE"
	RSP_ROW	"\base + \size / 2"
	RSP_ROW	"\base"
.endm
.balign HOSTILE_ROW, 0xcc
hostile_rsp_rows:
ROW
	movq	%r15, %rsp
	jmp	hostile_next
.set .Lcpu, 0
.rept MAX_CPUS
	RSP_ROWS_OF_STACK "CEA_CPU0 + .Lcpu * CEA_STRIDE + CEA_ENTRY_STACK", ENTRY_STACK_SIZE
	RSP_ROWS_OF_STACK "CEA_CPU0 + .Lcpu * CEA_STRIDE + CEA_NMI_STACK", IST_STACK_SIZE
	RSP_ROWS_OF_STACK "CEA_CPU0 + .Lcpu * CEA_STRIDE + CEA_DF_STACK", IST_STACK_SIZE
	RSP_ROWS_OF_STACK "idle_stacks + .Lcpu * IDLE_STACK_STRIDE", IDLE_STACK_SIZE
	RSP_ROWS_OF_STACK "irq_stacks + .Lcpu * IRQ_STACK_STRIDE", IRQ_STACK_SIZE
	RSP_ROW "percpu_area + .Lcpu * PERCPU_STRIDE + CPU_SP2 + 8"
	RSP_ROW "percpu_area + .Lcpu * PERCPU_STRIDE + CPU_CURRENT + 8"
	RSP_ROW "CEA_CPU0 + .Lcpu * CEA_STRIDE + CEA_TSS + CPU_TSS"
.set .Lcpu, .Lcpu + 1
.endr
.set .Ltask, 0
.rept MAX_TASKS
	RSP_ROWS_OF_STACK "kernel_stacks + .Ltask * KERNEL_STACK_STRIDE", KERNEL_STACK_SIZE
.ifdef HAS_PTI_STACKS
	RSP_ROWS_OF_STACK "pti_stacks + .Ltask * PTI_STACK_STRIDE", PTI_STACK_SIZE
.endif
	RSP_ROW "tasks + .Ltask * TASK_STRIDE + TASK_THREADSP + 8"
.set .Ltask, .Ltask + 1
.endr
	RSP_ROW	entry_syscall
	RSP_ROW	do_syscall_64
	RSP_ROW	pgd_pairs
	RSP_ROW	"pgd_pairs - KERNEL_BASE"       # what CR3 holds
	RSP_ROW	user_program
	RSP_ROW	0
	RSP_ROW	8
	RSP_ROW	-8
	RSP_ROW	0x800000000000                  # not canonical
	RSP_ROW	0xffff7ffffffffff8
COUNT_ROWS HOSTILE_RSP_ROWS, hostile_rsp_rows

# Data selectors that CPL 3 may load, and some that it may not (#GP). Not GS, because that changes its base, which the
# kernel gave the task to find its data page.
hostile_selector:
	CHOOSE_ROW hostile_selector_rows, HOSTILE_SELECTOR_ROWS
.macro SELECTOR_ROW register, selector
ROW
	movl	$\selector, %eax
	movl	%eax, %\register
	jmp	hostile_next
.endm
.balign HOSTILE_ROW, 0xcc
hostile_selector_rows:
.irp register, ds, es, fs
	SELECTOR_ROW \register, 0
	SELECTOR_ROW \register, 3
	SELECTOR_ROW \register, USER_DS
	SELECTOR_ROW \register, USER_CS
	SELECTOR_ROW \register, KERNEL_DS
	SELECTOR_ROW \register, BAD_CS
.endr
ROW
	movl	$USER_DS, %eax
	movl	%eax, %ss                       # holds back what is pending for one instruction
	syscall
	jmp	hostile_next
ROW
	movl	$USER_DS, %eax
	movl	%eax, %ss
	int3
	jmp	hostile_next
COUNT_ROWS HOSTILE_SELECTOR_ROWS, hostile_selector_rows

# What goes on behind the instruction.
hostile_trap:
	CHOOSE_ROW hostile_trap_rows, HOSTILE_TRAP_ROWS
.balign HOSTILE_ROW, 0xcc
hostile_trap_rows:
	int3
	jmp	hostile_next
ROW
	int	$4
	jmp	hostile_next
ROW
	int	$0x80
	jmp	hostile_next
COUNT_ROWS HOSTILE_TRAP_ROWS, hostile_trap_rows

# What does not: each row ends in a fault, whose handler sends the program to hostile_next.
hostile_fault:
	CHOOSE_ROW hostile_fault_rows, HOSTILE_FAULT_ROWS
.balign HOSTILE_ROW, 0xcc
hostile_fault_rows:
	ud2
ROW
	xorl	%eax, %eax
	divl	%eax                            # #DE
ROW
	int	$VECTOR_TIMER                   # a gate of DPL 0: #GP
	jmp	hostile_next
ROW
	int	$VECTOR_NMI
	jmp	hostile_next
ROW
	int	$VECTOR_DF
	jmp	hostile_next
ROW
	int	$VECTOR_PF
	jmp	hostile_next
ROW
	hlt
	jmp	hostile_next
ROW
	cli
	jmp	hostile_next
ROW
	swapgs
	jmp	hostile_next
ROW
	iretq                                   # may return, where rsp leads to a frame; never does here
	jmp	hostile_next
ROW
	movabsq	$0x800000000000, %rax
	jmp	hostile_load                    # #GP
ROW
	movabsq	$0x800000000000, %rsp
	jmp	hostile_pop                     # #SS
ROW
	movq	$percpu_area, %rax
	jmp	hostile_load                    # #PF: the page is present, and the kernel's
ROW
	movl	$BAD_USER_ADDR, %eax
	jmp	hostile_load                    # #PF: nothing is there
ROW
	movq	$do_syscall_64, %rax
	jmp	*%rax                           # #PF at a fetch
ROW
	leaq	-7(%r15), %rax
	jmp	hostile_load                    # #AC, if AC is set
COUNT_ROWS HOSTILE_FAULT_ROWS, hostile_fault_rows
hostile_load:
	movl	(%rax), %eax
	jmp	hostile_next
hostile_pop:
	popq	%rax
	jmp	hostile_next
