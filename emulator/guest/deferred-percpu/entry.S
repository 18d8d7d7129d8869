# deferred-percpu: CR3 changes in C code, and there is no second stack. Entries from user mode build their registers
# on the per-CPU entry stack, and everything up to the exit runs there: body, exit work, schedule().
#
# This is the design that must break: a task that is scheduled out leaves its frames on a stack that the next entry
# on this CPU overwrites.

.include "memory-layout.S"
.include "percpu.S"
.include "pt-regs.S"
.include "cr3.S"

.set MAP_NOINSTR_IN_USER_HALF, 1
.set LEAVES_ENTRY_STACK_BEFORE_STI, 0
.set BODY_STACKS, 1 | 2 | 8 | 16          # entry; kernel for NMIs from user mode and first runs; irq, nmi

# A handler is entered with the user half if the interrupted context was the user's.
.macro ENTER_HANDLER
	testb	$3, REGS_CS(%rbx)
	jz	.Lenter_kernel_half_\@
	call	user_pagetable_exit
.Lenter_kernel_half_\@:
.endm
.macro LEAVE_HANDLER
	testb	$3, REGS_CS(%rbx)
	jz	.Lleave_kernel_half_\@
	call	user_pagetable_enter
.Lleave_kernel_half_\@:
.endm
.macro ENTER_SYSCALL
	call	user_pagetable_exit
.endm
.macro LEAVE_SYSCALL
	call	user_pagetable_enter
.endm
.macro RUN_BODY function
	call	\function
.endm
.macro RUN_SYSCALL_BODY function
	movq	REGS_ORIG_AX(%rbx), %rsi
	movq	%rbx, %rdi
	call	\function
.endm
.macro SWITCH_ENTRY_STACK
.endm

.section .entry.text, "ax"

# SYSCALL. Entry conditions: CPL 0, IF=0, DF=0 (FMASK); rsp = user's, CR3 = user half, GS = user; rcx = user rip,
# r11 = user rflags, rax = number.
.balign 16, 0xcc
entry_syscall:
	swapgs
	movq	%rsp, %gs:CPU_SP2
	movq	%gs:CPU_SP0, %rsp
	pushq	$USER_DS
	pushq	%gs:CPU_SP2
	pushq	%r11
	pushq	$USER_CS
	pushq	%rcx
	pushq	%rax                            # orig_ax
	PUSH_REGS rax=$-38                      # -ENOSYS
	movq	%rsp, %rdi
	movq	REGS_ORIG_AX(%rsp), %rsi
	call	run_syscall

	# IF=0, user half, kernel GS, rsp = saved registers on the stack that the task resumed on.
	UNLESS_SYSRET_FITS return_to_user
	POP_REGS
	movq	REGS_RSP - REGS_ORIG_AX(%rsp), %rsp
	swapgs
	sysretq

# Return to user mode after a handler. Entry conditions: CPL 0, IF=0, user half, kernel GS, rsp = saved registers.
.balign 16, 0xcc
return_to_user:
	POP_REGS
	addq	$8, %rsp
	jmp	leave_by_iret

# What does not run on the entry stack returns over it: NMIs from user mode, first runs.
.include "return-over-entry-stack.S"
.set nmi_return_to_user, return_over_entry_stack

.include "deferred-error-entry.S"

.set ADOPT_TOP, CPU_SP0
.include "adopt-iret-frame.S"
.include "deferred-cr3.S"
.include "nmi-cr3.S"

.section .text, "ax"

# A task's first instructions. Entry conditions: as switch_to leaves; rsp = saved registers on its kernel stack.
.balign 16, 0xcc
ret_from_fork:
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lfork_no_work
	call	exit_to_user_work
.Lfork_no_work:
	jmp	return_over_entry_stack

.include "nmi.S"
.include "syscall-body.S"
.include "kernel.S"
