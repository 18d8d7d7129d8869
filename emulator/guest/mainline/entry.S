# mainline: the order of Linux v5.10. CR3 changes in assembly, next to the instruction that entered or leaves the
# kernel; everything but the first and last instructions runs on the task's own kernel stack. Interrupts from user
# mode arrive on a per-CPU entry stack that is left before anything else happens.
#
# With PTI=0 there is one page table and no CR3 changes here: the design no-pti.

.include "memory-layout.S"
.include "percpu.S"
.include "pt-regs.S"
.include "cr3.S"

.set LEAVES_ENTRY_STACK_BEFORE_STI, 1
.set BODY_STACKS, 2 | 8 | 16              # kernel, irq, nmi

# C code is entered with the kernel half and left with it.
.macro ENTER_HANDLER
.endm
.macro LEAVE_HANDLER
.endm
.macro ENTER_SYSCALL
.endm
.macro LEAVE_SYSCALL
.endm
.macro RUN_BODY function
	call	\function
.endm
.macro RUN_SYSCALL_BODY function
	call	\function
.endm
.macro SWITCH_ENTRY_STACK
.endm

.section .entry.text, "ax"

# SYSCALL. Entry conditions: CPL 0, IF=0, DF=0 (FMASK); rsp = user's, CR3 = user half, GS = user; rcx = user rip,
# r11 = user rflags, rax = number. No stack until rsp is loaded: rsp itself is the scratch register for CR3.
.balign 16, 0xcc
entry_syscall:
	swapgs
	movq	%rsp, %gs:CPU_SP2
	LOAD_KERNEL_CR3 %rsp
	movq	%gs:CPU_TOP, %rsp
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

	# IF=0, kernel half, kernel GS, rsp = saved registers on the task's stack.
	UNLESS_SYSRET_FITS return_to_user

# SYSRET needs rsp = user's before it, with a page table that has no task stack: the last words pass over the entry
# stack, which both halves have.
return_by_sysret:
	POP_REGS_EXCEPT_RDI
	movq	%rsp, %rdi
	movq	%gs:CPU_SP0, %rsp
.ifdef MUTANT_user_rsp_in_scratch
	pushq	%gs:CPU_SP2                     # another task's, if one made a system call meanwhile
.else
	pushq	REGS_RSP - REGS_RDI(%rdi)
.endif
	pushq	(%rdi)
.ifndef MUTANT_no_cr3_switch_on_exit
	LOAD_USER_CR3_ON_STACK %rdi
.endif
	popq	%rdi
	popq	%rsp
.ifndef MUTANT_no_swapgs_on_exit
	swapgs
.endif
	sysretq

.include "return-over-entry-stack.S"
.set return_to_user, return_over_entry_stack
.set nmi_return_to_user, return_over_entry_stack

# Called by every IDT stub. Entry conditions: those of IDT_ENTRY, plus orig_ax and a return address on the stack.
# From user mode: returns with kernel GS, kernel half, and rsp on the task's stack, where the frame has moved.
# From the kernel: returns on the interrupted stack with CR3 and GS as they were, which is the kernel's, except
# when the IRET to user mode faulted.
.balign 16, 0xcc
error_entry:
.ifndef MUTANT_df_not_cleared
	cld
.endif
	PUSH_REGS_UNDER_RETURN_ADDRESS
	testb	$3, REGS_CS + 8(%rsp)
	jz	.Lentry_from_kernel
	swapgs
	lfence
.ifdef MUTANT_body_before_cr3
	call	instrumented
.endif
.ifndef MUTANT_no_cr3_switch_on_idt_entry
	LOAD_KERNEL_CR3 %rax
.endif
	popq	%r12                            # return address
	movq	%rsp, %rdi
.ifdef MUTANT_sti_on_trampoline
	sti
.endif
.ifndef MUTANT_frame_left_on_entry_stack
	call	move_to_task_stack
	movq	%rax, %rsp
.endif
.ifdef MUTANT_sti_on_trampoline
	cli
.endif
	pushq	%r12
	ret

.Lentry_from_kernel:
	leaq	user_iret(%rip), %rcx
	cmpq	%rcx, REGS_RIP + 8(%rsp)
	je	.Lbad_iret
	lfence
	ret

# The IRET to user mode faulted: on the entry stack, user half, user GS. Make it look like a fault of the user's
# instruction that the frame names.
.Lbad_iret:
.ifndef MUTANT_no_swapgs_at_bad_iret
	swapgs
.endif
	lfence
	LOAD_KERNEL_CR3 %rax
	popq	%r12
	movq	%rsp, %rdi
	call	adopt_iret_frame
	movq	%rax, %rsp
	pushq	%r12
	ret

.section .noinstr.text, "ax"

# move_to_task_stack(rdi = saved registers) -> rax = their copy on the current task's stack.
# Kernel half, kernel GS. Clobbers rcx, rsi, rdi.
.balign 16, 0xcc
move_to_task_stack:
	movq	%rdi, %rsi
	movq	%gs:CPU_TOP, %rdi
	subq	$REGS_SIZE, %rdi
	movq	%rdi, %rax
	movl	$REGS_WORDS, %ecx
	rep movsq
	ret

.set ADOPT_TOP, CPU_TOP
.include "adopt-iret-frame.S"

.ifdef MUTANT_body_before_cr3
.section .text, "ax"
instrumented:
	ret
.endif

.include "nmi-cr3.S"

.section .text, "ax"

# A task's first instructions. Entry conditions: as switch_to leaves; rsp = saved registers on its stack.
.balign 16, 0xcc
ret_from_fork:
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lfork_no_work
	call	exit_to_user_work
.Lfork_no_work:
	jmp	return_to_user

.include "nmi.S"
.include "syscall-body.S"
.include "kernel.S"
