# asm-return: CR3 changes in C code, which returns to assembly before anything else runs; assembly then changes the
# stack. In on one per-CPU stack, out on another: nothing but enter() and leave() ever runs on the entry stack.

.include "memory-layout.S"
.include "percpu.S"
.include "pt-regs.S"
.include "cr3.S"

.set MAP_NOINSTR_IN_USER_HALF, 1
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

# rsp := copy, on the entry stack of this CPU, of the registers at rsp; then CR3 := user half, in C code.
# Entry conditions: CPL 0, IF=0, kernel half, kernel GS. Clobbers rax, rcx, rsi, rdi, which are saved in the frame.
.macro LEAVE_TASK_STACK
	movq	%rsp, %rsi
	movq	%gs:CPU_SP0, %rdi
	subq	$REGS_SIZE, %rdi
	movq	%rdi, %rax
	movl	$REGS_WORDS, %ecx
	rep movsq
	movq	%rax, %rsp
	call	leave
.endm

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
	call	enter
	movq	%rax, %rsp
	movq	%rsp, %rdi
	movq	REGS_ORIG_AX(%rsp), %rsi
	call	run_syscall

	# IF=0, kernel half, kernel GS, rsp = saved registers on the task's stack.
	UNLESS_SYSRET_FITS return_to_user
	LEAVE_TASK_STACK
	POP_REGS
	movq	REGS_RSP - REGS_ORIG_AX(%rsp), %rsp
	swapgs
	sysretq

# Any return to user mode. Entry conditions: CPL 0, IF=0, kernel half, kernel GS, rsp = saved registers on the
# task's stack.
.balign 16, 0xcc
return_to_user:
	LEAVE_TASK_STACK
	POP_REGS
	addq	$8, %rsp
	swapgs
user_iret:
	iretq
.set nmi_return_to_user, return_to_user

# Called by every IDT stub. Entry conditions: those of IDT_ENTRY, plus orig_ax and a return address on the stack.
# From user mode: returns with kernel GS, kernel half, and rsp on the task's stack, where the frame has moved.
# From the kernel: returns on the interrupted stack with CR3 and GS as they were, which is the kernel's, except
# when the IRET to user mode faulted.
.balign 16, 0xcc
error_entry:
	cld
	PUSH_REGS_UNDER_RETURN_ADDRESS
	testb	$3, REGS_CS + 8(%rsp)
	jz	.Lentry_from_kernel
	swapgs
	lfence
	popq	%r12                            # return address
	movq	%rsp, %rdi
	call	enter
	movq	%rax, %rsp
	pushq	%r12
	ret

.Lentry_from_kernel:
	leaq	user_iret(%rip), %rcx
	cmpq	%rcx, REGS_RIP + 8(%rsp)
	je	.Lbad_iret
	lfence
	ret

.Lbad_iret:
	swapgs
	lfence
	popq	%r12
	movq	%rsp, %rdi
	call	enter_after_bad_iret
	movq	%rax, %rsp
	pushq	%r12
	ret

.section .noinstr.text, "ax"

# enter(rdi = saved registers on the entry stack) -> rax = their copy on the current task's stack. Runs on the entry
# stack throughout, IF=0. Entry conditions: user half, kernel GS; returns with the kernel half. Clobbers rcx, rsi, rdi.
.balign 16, 0xcc
enter:
	LOAD_KERNEL_CR3 %rax
	movq	%rdi, %rsi
	movq	%gs:CPU_TOP, %rdi
	subq	$REGS_SIZE, %rdi
	movq	%rdi, %rax
	movl	$REGS_WORDS, %ecx
	rep movsq
	ret

# enter_after_bad_iret(rdi): the same after a fault at the IRET to user mode, with the frame that IRET refused.
.balign 16, 0xcc
enter_after_bad_iret:
	LOAD_KERNEL_CR3 %rax
	jmp	adopt_iret_frame

# leave(): CR3 := user half, on the entry stack. Clobbers rax, rcx.
.balign 16, 0xcc
leave:
	LOAD_USER_CR3 %rax, %rcx
	ret

.set ADOPT_TOP, CPU_TOP
.include "adopt-iret-frame.S"
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
