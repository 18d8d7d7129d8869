# What every system call does: whatever the choice port says, until it says to leave.

.section .text, "ax"

# do_syscall_64(rdi = saved registers, rsi = number): IF=0 on entry and on return. Leaving by SYSRET is what the
# registers say unless they are changed: a different saved rcx (which the ABI lets us clobber) or a selector that
# IRET refuses send the return through IRET.
.balign 16, 0xcc
do_syscall_64:
	pushq	%rbx
	movq	%rdi, %rbx
.Lsyscall_next:
.ifdef MUTANT_task_stack_reused_early
	in	$0xc8, %al
	cmpb	$7, %al
	je	.Lsyscall_exit
.else
	in	$0xc7, %al
.endif
	cmpb	$1, %al
	jb	.Lsyscall_out
	je	.Lleave_by_iret
	cmpb	$3, %al
	jb	.Lsyscall_window
	je	.Lsyscall_yield
	cmpb	$5, %al
	jb	.Lsyscall_copy
	je	.Lsyscall_bad_copy
	movq	$BAD_CS, REGS_CS(%rbx)
	jmp	.Lsyscall_out
.Lleave_by_iret:
.ifdef MUTANT_sysret_to_noncanonical
	# The first half of the bug: a tracer may set rip as it likes. The second half: nobody looks at it before SYSRET.
	movabsq	$0x800000000000, %rax
	movq	%rax, REGS_RCX(%rbx)
	movq	%rax, REGS_RIP(%rbx)
.else
	notq	REGS_RCX(%rbx)
.endif
.ifdef MUTANT_iopl_from_frame
flags_from_user_frame:
	orq	$0x3000, REGS_RFLAGS(%rbx)      # a sigreturn that believes the flags in the user's signal frame
.endif
	jmp	.Lsyscall_out
.Lsyscall_window:
.ifdef MUTANT_kernel_stack_overflow
	call	.Lsyscall_window                # recursion without an end
.endif
.ifdef MUTANT_flush_wait_with_if_off
	call	flush_other_cpu
.endif
	sti
	nop
	nop
	cli
	jmp	.Lsyscall_next
.Lsyscall_yield:
	call	schedule
	jmp	.Lsyscall_next
.Lsyscall_copy:
	# The next page that no system call of this task has touched; after the last one it is present.
	movq	%gs:CPU_CURRENT, %rax
	movq	TASK_COPY_NEXT(%rax), %rdi
	leaq	PAGE(%rdi), %rcx
	testl	$USER_HEAP_HALF - 1, %ecx
	jz	.Lcopy_last
	movq	%rcx, TASK_COPY_NEXT(%rax)
.Lcopy_last:
	sti
	call	copy_from_user
	cli
	jmp	.Lsyscall_next
.Lsyscall_bad_copy:
	movl	$BAD_USER_ADDR, %edi
	call	copy_from_user
	jmp	.Lsyscall_next
.Lsyscall_out:
	popq	%rbx
	ret
.ifdef MUTANT_task_stack_reused_early
.Lsyscall_exit:
	movq	%gs:CPU_CURRENT, %rax
	movq	$1, TASK_ENDED(%rax)            # from now on whoever looks for ended tasks may find it
	call	schedule                        # does not return
	ud2
.endif

.ifdef MUTANT_flush_wait_with_if_off
# flush_other_cpu(): asks the other CPU to flush and waits until it has. IF=0, which is the bug: a CPU that waits in here
# does not answer, and the other one may wait for it. Clobbers rax, rcx.
.balign 16, 0xcc
flush_other_cpu:
	cmpq	$2, number_of_cpus(%rip)
	jb	.Lflush_out
	movq	%gs:CPU_NUMBER, %rcx
	xorq	$1, %rcx
	imulq	$PERCPU_STRIDE, %rcx, %rax
	shll	$24, %ecx
	movq	$1, percpu_area + CPU_FLUSH_ASKED(%rax)
	movl	%ecx, LAPIC_BASE + 0x310
	movl	$0x4000 | VECTOR_RESCHEDULE, LAPIC_BASE + 0x300
.Lflush_wait:
	pause
	cmpq	$0, percpu_area + CPU_FLUSH_ASKED(%rax)
	jne	.Lflush_wait
.Lflush_out:
	ret
.endif

# run_syscall(rdi = saved registers, rsi = number): the part that must not be instrumented.
# Entry conditions: CPL 0, IF=0, kernel GS; stack and CR3 half as the design enters C code.
.section .noinstr.text, "ax"
.balign 16, 0xcc
run_syscall:
	pushq	%rbx
	movq	%rdi, %rbx
	ENTER_SYSCALL
	RUN_SYSCALL_BODY do_syscall_64
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lsyscall_no_work
	call	exit_to_user_work
.Lsyscall_no_work:
	LEAVE_SYSCALL
	popq	%rbx
	ret
