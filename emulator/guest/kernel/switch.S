# The context switch proper.
#
#   threadsp ->  +0 r15  +8 r14  +16 r13  +24 r12  +32 rbx  +40 rbp  +48 return address

.set SWITCH_FRAME_SIZE, 56

.section .text, "ax"

.ifdef HOSTILE_USER
# What a user may load itself goes with the task. A selector load changes the base of FS, so the base comes after it.
.macro SAVE_SELECTORS task
	movl	%ds, %eax
	movw	%ax, TASK_DS(\task)
	movl	%es, %eax
	movw	%ax, TASK_ES(\task)
	movl	%fs, %eax
	movw	%ax, TASK_FS(\task)
.ifndef MUTANT_fs_base_not_saved
	movl	$MSR_FS_BASE, %ecx
	rdmsr
	movl	%eax, TASK_FS_BASE(\task)
	movl	%edx, TASK_FS_BASE + 4(\task)
.endif
.endm
.macro LOAD_SELECTORS task
.ifndef MUTANT_selectors_not_switched
	movzwl	TASK_DS(\task), %eax
	movl	%eax, %ds
	movzwl	TASK_ES(\task), %eax
	movl	%eax, %es
	movzwl	TASK_FS(\task), %eax
	movl	%eax, %fs
.endif
	movl	TASK_FS_BASE(\task), %eax
	movl	TASK_FS_BASE + 4(\task), %edx
	movl	$MSR_FS_BASE, %ecx
	wrmsr
.endm
.endif

# switch_to(rdi = previous task, rsi = next task) -> rax = the task that ran here before, in the next task's context.
# Entry conditions: CPL 0, IF=0, CR3 = K(next's mm), rsp on a stack of the previous task, GS = this CPU.
# The previous task is released (on_cpu) only after rsp has left its stack.
.balign 16, 0xcc
switch_to:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.ifdef HOSTILE_USER
	cmpq	$IDLE_INDEX, TASK_INDEX(%rdi)
	je	.Lselectors_saved
	SAVE_SELECTORS %rdi
.Lselectors_saved:
.endif
	movq	%rsp, TASK_THREADSP(%rdi)
.ifdef MUTANT_on_cpu_released_early
	movq	$0, TASK_ON_CPU(%rdi)
.rept 32
	pause                                   # stands for whatever else a kernel does before it changes rsp
.endr
.endif
	movq	TASK_THREADSP(%rsi), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
.ifndef MUTANT_on_cpu_released_early
	movq	$0, TASK_ON_CPU(%rdi)
.endif
	movq	%rsi, %gs:CPU_CURRENT
.ifndef MUTANT_top_not_switched
	movq	TASK_TOP(%rsi), %rax
	movq	%rax, %gs:CPU_TOP
.endif
	SWITCH_ENTRY_STACK                      # of the design: nothing, or rsp0 := the next task's
	cmpq	$IDLE_INDEX, TASK_INDEX(%rsi)
	je	.Lswitch_wake
.ifdef HOSTILE_USER
	LOAD_SELECTORS %rsi
.endif
	movl	TASK_USER_GS(%rsi), %eax
	movl	TASK_USER_GS + 4(%rsi), %edx
	movl	$MSR_KERNEL_GS_BASE, %ecx
	wrmsr
.Lswitch_wake:
	call	wake_idle_cpu
	movq	%rdi, %rax
	ret

# wake_idle_cpu(rdi = a task that was put back): if the other CPU idles, it gets a reschedule IPI.
# Clobbers rax, rcx, rdx.
.balign 16, 0xcc
wake_idle_cpu:
	cmpq	$IDLE_INDEX, TASK_INDEX(%rdi)
	je	.Lwake_out
	cmpq	$2, number_of_cpus(%rip)
	jb	.Lwake_out
	movq	%gs:CPU_NUMBER, %rdx
	xorq	$1, %rdx
	imulq	$PERCPU_STRIDE, %rdx, %rax
	movq	percpu_area + CPU_CURRENT(%rax), %rcx
	imulq	$TASK_STRIDE, %rdx, %rax
	addq	$idle_tasks, %rax
	cmpq	%rcx, %rax
	jne	.Lwake_out
	shll	$24, %edx
	movl	%edx, LAPIC_BASE + 0x310
	movl	$0x4000 | VECTOR_RESCHEDULE, LAPIC_BASE + 0x300
.Lwake_out:
	ret
