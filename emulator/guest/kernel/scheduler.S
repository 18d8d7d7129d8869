# The run queue: all tasks are always runnable, so it is a flag per task under one lock.
# Which task runs next is read from the choice port; so is nothing else here.

.section .text, "ax"

# schedule(): IF=0 on entry and on return, maybe on another CPU. Runs on the stack of the current task.
.balign 16, 0xcc
schedule:
	pushq	%rbx
.ifdef MUTANT_task_stack_reused_early
	call	reap
.endif
	movq	%gs:CPU_CURRENT, %rbx
	movl	$0, %gs:CPU_NEED_RESCHED
.Lrunqueue_spin:
	movl	$1, %eax
	xchgl	%eax, runqueue_lock(%rip)
	testl	%eax, %eax
	jz	.Lrunqueue_locked
	pause
	jmp	.Lrunqueue_spin
.Lrunqueue_locked:
	cmpq	$IDLE_INDEX, TASK_INDEX(%rbx)
	je	.Lpick
.ifdef MUTANT_task_stack_reused_early
	cmpq	$0, TASK_ENDED(%rbx)
	jne	.Lpick
.endif
	movq	$1, TASK_RUNNABLE(%rbx)
.Lpick:
	# Cyclic from the chosen slot: tasks 0..2, then the idle task, which is always available.
	in	$0xc4, %al
	movzbl	%al, %ecx
.Lpick_slot:
	cmpl	$IDLE_INDEX, %ecx
	je	.Lpick_idle
	cmpl	number_of_tasks(%rip), %ecx
	jae	.Lpick_next
	imulq	$TASK_STRIDE, %rcx, %rsi
	addq	$tasks, %rsi
.ifdef MUTANT_task_stack_reused_early
	cmpq	$0, TASK_ENDED(%rsi)
	jne	.Lpick_next
.endif
	cmpq	%rbx, %rsi
	je	.Lpicked
	cmpq	$0, TASK_RUNNABLE(%rsi)
	je	.Lpick_next
	cmpq	$0, TASK_ON_CPU(%rsi)           # still on its stack, on the CPU that put it back
	je	.Lpicked
.Lpick_next:
	incl	%ecx
	andl	$3, %ecx
	jmp	.Lpick_slot
.Lpick_idle:
	movq	%gs:CPU_IDLE, %rsi
.Lpicked:
	movq	$0, TASK_RUNNABLE(%rsi)
	movq	$1, TASK_ON_CPU(%rsi)
	movl	$0, runqueue_lock(%rip)
	cmpq	%rbx, %rsi
	je	.Lschedule_out

	# A user task cannot have changed its GS base without FSGSBASE; saved all the same, as if it could.
	cmpq	$IDLE_INDEX, TASK_INDEX(%rbx)
	je	.Lswitch_mm
	movl	$MSR_KERNEL_GS_BASE, %ecx
	rdmsr
	movl	%eax, TASK_USER_GS(%rbx)
	movl	%edx, TASK_USER_GS + 4(%rbx)
.Lswitch_mm:
	movq	%rsi, %rdi
	pushq	%rdi
	movq	TASK_MM(%rdi), %rsi
	call	load_mm
	popq	%rsi
	movq	%rbx, %rdi
	call	switch_to
.Lschedule_out:
	popq	%rbx
	ret

.ifdef MUTANT_task_stack_reused_early
# reap(): frees the stack of every task that has ended; the memory is used for something else at once. The bug: nobody
# asks whether a CPU is still on it (on_cpu). Clobbers rax, rcx, rdx, rdi.
.balign 16, 0xcc
reap:
	movq	$tasks, %rdx
.Lreap_look:
	cmpq	%gs:CPU_CURRENT, %rdx
	je	.Lreap_next
	cmpq	$1, TASK_ENDED(%rdx)
	jne	.Lreap_next
	movq	$2, TASK_ENDED(%rdx)
	movq	TASK_KERNEL_TOP(%rdx), %rdi
	subq	$64 * 8, %rdi
	xorl	%eax, %eax
	movl	$64, %ecx
	rep stosq
.Lreap_next:
	addq	$TASK_STRIDE, %rdx
	cmpq	$tasks + MAX_TASKS * TASK_STRIDE, %rdx
	jb	.Lreap_look
	ret
.endif

# load_mm(rsi = mm): CR3 := K(mm) if it is not loaded; an idle task (MM_NONE) borrows what is there. The first time
# on this CPU both PCIDs of the mm are flushed, the user one at the next return to user mode.
# loaded_mm says MM_SWITCHING around the write, so that an NMI leaves user memory alone. Clobbers rax, rcx, rdx.
.balign 16, 0xcc
load_mm:
	cmpq	$MM_NONE, %rsi
	je	.Lload_mm_out
	cmpq	%gs:CPU_LOADED_MM, %rsi
	je	.Lload_mm_out
	movq	$MM_SWITCHING, %gs:CPU_LOADED_MM
	movq	%rsi, %rax
	shlq	$13, %rax
	addq	$pgd_pairs - KERNEL_BASE, %rax
.if PCID
	leaq	1(%rsi), %rdx                   # kernel PCID
	orq	%rdx, %rax
	movq	%gs:CPU_USED_MMS, %rcx
	btsq	%rsi, %rcx
	jc	.Lmm_used
	movq	%rcx, %gs:CPU_USED_MMS
	movq	%gs:CPU_FLUSH_MASK, %rcx
	btsq	%rdx, %rcx
	movq	%rcx, %gs:CPU_FLUSH_MASK
	jmp	.Lmm_write
.Lmm_used:
	btsq	$CR3_NOFLUSH_BIT, %rax
.Lmm_write:
.endif
	movq	%rax, %cr3
	movq	%rsi, %gs:CPU_LOADED_MM
.Lload_mm_out:
	ret

# exit_to_user_work(): before a return to user mode, IF=0. With interrupts on in between if the choice port says so;
# another may have come meanwhile, so look again.
.balign 16, 0xcc
exit_to_user_work:
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lwork_done
	movl	$0, %gs:CPU_NEED_RESCHED
	in	$0xc2, %al
	testb	%al, %al
	jz	.Lwork_schedule
	sti
	nop
	cli
.Lwork_schedule:
	call	schedule
	jmp	exit_to_user_work
.Lwork_done:
	ret

# The idle task: sleeps until an interrupt, then runs what became runnable. An interrupt that arrives before HLT is
# held by the STI shadow until HLT, so no wake-up is lost.
.balign 16, 0xcc
idle_loop:
	sti
	hlt
	cli
	movq	$tasks, %rsi
	movl	number_of_tasks(%rip), %ecx
.Lidle_look:
	cmpq	$0, TASK_RUNNABLE(%rsi)
	je	.Lidle_next
	cmpq	$0, TASK_ON_CPU(%rsi)
	je	.Lidle_run
.Lidle_next:
	addq	$TASK_STRIDE, %rsi
	decl	%ecx
	jnz	.Lidle_look
	jmp	idle_loop
.Lidle_run:
	call	schedule
	jmp	idle_loop
