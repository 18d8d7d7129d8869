# deferred-pertask: CR3 changes in C code, and each task has a small PTI stack that both halves of its mm map. Entries
# from user mode arrive on it, so a task may be scheduled out before it has reached its kernel-only stack. Bodies run
# on the kernel-only stack, exit work on the PTI stack.
#
# What the posted series lacked is here: per-mm user tables, 4 KiB mappings, guard pages around PTI stacks, and
# handlers that save and restore CR3 when they interrupt the kernel while it has the user half.

.include "memory-layout.S"
.set HAS_PTI_STACKS, 1
.include "percpu.S"
.include "pt-regs.S"
.include "cr3.S"

.set MAP_NOINSTR_IN_USER_HALF, 1
.set LEAVES_ENTRY_STACK_BEFORE_STI, 1     # the per-CPU entry stack is never used
.set BODY_STACKS, 2 | 4 | 8 | 16          # kernel, pti, irq, nmi

# A handler may interrupt the user, or the kernel with either half. r14 = CR3 as interrupted, if it was the kernel.
.macro ENTER_HANDLER
	testb	$3, REGS_CS(%rbx)
	jz	.Lenter_from_kernel_\@
	call	user_pagetable_exit
	jmp	.Lentered_\@
.Lenter_from_kernel_\@:
	SAVE_AND_LOAD_KERNEL_CR3 %rax, %r14
.Lentered_\@:
.endm
# A kernel half is not written back: after schedule() the task may be on a CPU that has loaded it differently.
.macro LEAVE_HANDLER
	testb	$3, REGS_CS(%rbx)
	jz	.Lleave_to_kernel_\@
	call	user_pagetable_enter
	jmp	.Lleft_\@
.Lleave_to_kernel_\@:
	btq	$12, %r14
	jnc	.Lleft_\@
	RESTORE_CR3 %rax, %r14
.Lleft_\@:
.endm
.macro ENTER_SYSCALL
	call	user_pagetable_exit
.endm
.macro LEAVE_SYSCALL
	call	user_pagetable_enter
.endm
# Calls a function on the kernel-only stack, which is empty; its top word keeps rsp meanwhile. Clobbers rax.
.macro CALL_ON_KERNEL_STACK function
	movq	%gs:CPU_CURRENT, %rax
	movq	TASK_KERNEL_TOP(%rax), %rax
	movq	%rsp, -8(%rax)
	leaq	-8(%rax), %rsp
	call	\function
	popq	%rsp
.endm
.macro RUN_BODY function
	testb	$3, REGS_CS(%rbx)
	jz	.Lbody_here_\@
	CALL_ON_KERNEL_STACK \function
	jmp	.Lbody_done_\@
.Lbody_here_\@:
	call	\function
.Lbody_done_\@:
.endm
.macro RUN_SYSCALL_BODY function
	movq	REGS_ORIG_AX(%rbx), %rsi
	movq	%rbx, %rdi
	CALL_ON_KERNEL_STACK \function
.endm

# rax = the next task's top, which is its PTI stack's: interrupts from user mode arrive there too.
.macro SWITCH_ENTRY_STACK
.ifndef MUTANT_sp0_not_switched
	movq	%rax, %gs:CPU_SP0
.endif
.ifdef MUTANT_pti_stack_unmapped
	call	swap_pti_mappings
.endif
.endm
.ifdef MUTANT_sp0_not_switched
.macro INIT_FIRST_TASK
	movq	TASK_TOP(%rsi), %rax
	movq	%rax, %gs:CPU_SP0
.endm
.set INIT_FIRST_TASK, 1
.endif

.section .entry.text, "ax"

# SYSCALL. Entry conditions: CPL 0, IF=0, DF=0 (FMASK); rsp = user's, CR3 = user half, GS = user; rcx = user rip,
# r11 = user rflags, rax = number. The user half stays until run_syscall.
.balign 16, 0xcc
entry_syscall:
	swapgs
	movq	%rsp, %gs:CPU_SP2
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

	# IF=0, user half, kernel GS, rsp = saved registers on the PTI stack.
	UNLESS_SYSRET_FITS return_to_user
	POP_REGS
	movq	REGS_RSP - REGS_ORIG_AX(%rsp), %rsp
	swapgs
	sysretq

# Any return to user mode. Entry conditions: CPL 0, IF=0, user half, kernel GS, rsp = saved registers on the PTI stack.
.balign 16, 0xcc
return_to_user:
	POP_REGS
	addq	$8, %rsp
	swapgs
user_iret:
	iretq
.set nmi_return_to_user, return_to_user

.include "deferred-error-entry.S"

# A task's first instructions. Entry conditions: as switch_to leaves; rsp = saved registers on its PTI stack, kernel
# half. Not in .text, because it goes on with the user half.
.balign 16, 0xcc
ret_from_fork:
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lfork_no_work
	call	exit_to_user_work
.Lfork_no_work:
	call	user_pagetable_enter
	jmp	return_to_user

.set ADOPT_TOP, CPU_TOP
.include "adopt-iret-frame.S"
.include "deferred-cr3.S"

# NMIs: the assembly fixes GS only, CR3 is C code's.
.macro NMI_LOAD_KERNEL_CR3 reg
.endm
.macro NMI_SAVE_AND_LOAD_KERNEL_CR3 scratch, save
.endm
.macro NMI_RESTORE_CR3 scratch, save
.endm

.section .noinstr.text, "ax"

# user_nmi(rdi = saved registers): an NMI from user mode, on the PTI stack with the user half.
.balign 16, 0xcc
user_nmi:
	call	user_pagetable_exit
	CALL_ON_KERNEL_STACK exc_nmi
	call	user_pagetable_enter
	ret

# kernel_nmi(rdi = saved registers): an NMI from the kernel, on the NMI stack with either half. Keeps rbx.
.balign 16, 0xcc
kernel_nmi:
	pushq	%r14
	SAVE_AND_LOAD_KERNEL_CR3 %rax, %r14
	call	exc_nmi
	RESTORE_CR3 %rax, %r14
	popq	%r14
	ret

.include "nmi.S"
.include "syscall-body.S"
.include "kernel.S"

.ifdef MUTANT_pti_stack_unmapped
.section .text, "ax"
# swap_pti_mappings(rdi = previous task, rsi = next): the bug takes a PTI stack that is not in use out of the user
# half, but believes that an mm has one task: it takes out all of them. Keeps rdi, rsi.
swap_pti_mappings:
	cmpq	$IDLE_INDEX, TASK_INDEX(%rdi)
	je	.Lmap_next
	movq	TASK_MM(%rdi), %r8
	call	.Lfind_pti_table
	movq	$tasks, %rcx
	movl	$pti_stacks - KERNEL_BASE, %edx
.Lunmap_pti:
	cmpq	%r8, TASK_MM(%rcx)
	jne	.Lunmap_next
	movq	%rdx, %r9
	shrq	$9, %r9
	movq	$0, (%rax,%r9)
.Lunmap_next:
	addq	$TASK_STRIDE, %rcx
	addq	$PTI_STACK_STRIDE, %rdx
	cmpl	$pti_stacks + MAX_TASKS * PTI_STACK_STRIDE - KERNEL_BASE, %edx
	jne	.Lunmap_pti
.Lmap_next:
	cmpq	$IDLE_INDEX, TASK_INDEX(%rsi)
	je	.Lswap_out
	movq	TASK_MM(%rsi), %r8
	call	.Lfind_pti_table
	movq	TASK_TOP(%rsi), %rdx
	subq	$KERNEL_BASE + PTI_STACK_SIZE, %rdx
	movq	%rdx, %r9
	shrq	$9, %r9
	movabsq	$PTE_RW, %rcx
	orq	%rcx, %rdx
	movq	%rdx, (%rax,%r9)
.Lswap_out:
	ret
# r8 = mm -> rax = the page table of its user half that maps the kernel image. Clobbers rax only.
.Lfind_pti_table:
	movq	%r8, %rax
	shlq	$13, %rax
	movq	pgd_pairs + PAGE + 511 * 8(%rax), %rax
	andl	$0xfffff000, %eax
	movq	KERNEL_BASE + 510 * 8(%rax), %rax
	andl	$0xfffff000, %eax
	movq	KERNEL_BASE + 8 * 8(%rax), %rax
	andl	$0xfffff000, %eax
	addq	$KERNEL_BASE, %rax
	ret
.endif
