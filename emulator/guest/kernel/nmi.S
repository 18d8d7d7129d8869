# Non-maskable interrupts.
#
# Hardware blocks NMIs from delivery until any IRET, and a page fault inside the handler executes one. A second NMI
# then lands on top of the same IST stack, over the frame of the first. So the first NMI copies its frame away, and
# a nested one only changes the copy that the first returns through, so that it runs once more. The stack, by words
# from its top:
#
#   -8 ss  -16 rsp  -24 rflags  -32 cs  -40 rip      written by hardware, on each delivery
#   -48 rdx                                          scratch of each delivery
#   -56 executing                                    1 while an NMI is being handled
#   -64 .. -96    ss .. rip                          return frame: what the first NMI's IRET pops
#   -104 .. -136  ss .. rip                          outermost frame: the context that the first NMI interrupted
#   -144 ...                                         saved registers

.set NMI_RETURN_FRAME,    -96
.set NMI_OUTERMOST_FRAME, -136
.set NMI_SCRATCH,         -48
.set NMI_SCRATCH_TO_EXECUTING, -8

.section .entry.text, "ax"

# Entry conditions: CPL 0, IF=0, NMIs blocked, rsp = hardware frame on the NMI stack; CR3 half, GS and the
# interrupted rsp may be anything that the kernel ever has at any instruction.
.balign 16, 0xcc
entry_nmi:
	clac
	pushq	%rdx
	testb	$3, 16(%rsp)                    # cs
	jz	.Lnmi_from_kernel

	# From user mode: nothing of ours is live. Leave the IST stack, so that the IRET of a fault inside the
	# handler can do no harm.
	swapgs
	cld
	lfence
	NMI_LOAD_KERNEL_CR3 %rdx
	movq	%rsp, %rdx
	movq	%gs:CPU_TOP, %rsp
	pushq	5 * 8(%rdx)                     # ss
	pushq	4 * 8(%rdx)                     # rsp
	pushq	3 * 8(%rdx)                     # rflags
	pushq	2 * 8(%rdx)                     # cs
	pushq	1 * 8(%rdx)                     # rip
	pushq	$-1
	PUSH_REGS rdx=(%rdx)
	movq	%rsp, %rdi
	call	user_nmi
.ifdef MUTANT_nmi_never_unblocked
	UNLESS_SYSRET_FITS nmi_return_to_user
	jmp	return_by_sysret                # the fast way out is not an IRET
.else
	jmp	nmi_return_to_user
.endif

.Lnmi_from_kernel:
	# An interrupted copy loop below just starts over: return to it.
	leaq	repeat_nmi(%rip), %rdx
	cmpq	%rdx, 8(%rsp)                   # rip
	jb	.Lnot_repeating
	leaq	end_repeat_nmi(%rip), %rdx
	cmpq	%rdx, 8(%rsp)
	jb	.Lnested_out
.Lnot_repeating:
	cmpq	$1, NMI_SCRATCH_TO_EXECUTING(%rsp)
	je	.Lnested
	# The executing word is cleared one instruction before the last IRET: in between, the interrupted rsp is on
	# this stack and DF is set. A user can point rsp here too, but SYSCALL clears DF.
	leaq	-NMI_SCRATCH(%rsp), %rdx        # top of the stack
	cmpq	%rdx, 32(%rsp)                  # rsp
	ja	first_nmi
	subq	$IST_STACK_SIZE, %rdx
	cmpq	%rdx, 32(%rsp)
	jb	first_nmi
	testb	$FLAG_DF >> 8, 25(%rsp)         # rflags, second byte
	jz	first_nmi

.Lnested:
.ifndef MUTANT_nested_nmi_ignored
	# Let the return frame of the first NMI lead to repeat_nmi, with rsp at the outermost frame.
	leaq	NMI_OUTERMOST_FRAME - NMI_SCRATCH(%rsp), %rdx
	movq	$KERNEL_DS, NMI_RETURN_FRAME - NMI_SCRATCH + 32(%rsp)
	movq	%rdx, NMI_RETURN_FRAME - NMI_SCRATCH + 24(%rsp)
	movq	$2, NMI_RETURN_FRAME - NMI_SCRATCH + 16(%rsp)
	movq	$KERNEL_CS, NMI_RETURN_FRAME - NMI_SCRATCH + 8(%rsp)
	leaq	repeat_nmi(%rip), %rdx
	movq	%rdx, NMI_RETURN_FRAME - NMI_SCRATCH(%rsp)
.endif
.Lnested_out:
	popq	%rdx
	iretq

# The first NMI. rsp = scratch word.
first_nmi:
	movq	(%rsp), %rdx
	pushq	$0                              # executing
	subq	$5 * 8, %rsp                    # room for the return frame
.rept 5
	pushq	11 * 8(%rsp)                    # hardware frame -> outermost frame
.endr

# Also the target of a nested NMI. rsp = outermost frame. Interrupted in here, the copy starts over.
repeat_nmi:
.ifndef MUTANT_no_nmi_executing_flag
	movq	$1, 10 * 8(%rsp)                # executing
.endif
	addq	$10 * 8, %rsp
.rept 5
	pushq	-6 * 8(%rsp)                    # outermost frame -> return frame
.endr
	subq	$5 * 8, %rsp
end_repeat_nmi:

	pushq	$-1                             # orig_ax
	call	paranoid_entry
	movq	%rsp, %rdi
	call	kernel_nmi
.ifdef MUTANT_nmi_exit_decides_cr3_by_gs
	testl	%ebx, %ebx
	jnz	.Lnmi_keep_gs
.endif
	NMI_RESTORE_CR3 %r15, %r14
	testl	%ebx, %ebx
	jnz	.Lnmi_keep_gs
	swapgs
.Lnmi_keep_gs:
	POP_REGS
	addq	$6 * 8, %rsp                    # orig_ax, outermost frame
	std                                     # marks the next two instructions for a nested NMI
	movq	$0, 5 * 8(%rsp)                 # executing
	iretq                                   # through the return frame: home, or to repeat_nmi

# Saves registers under its return address. r14 = CR3 as interrupted, now the kernel half; ebx = 1 if GS was the
# kernel's already. CR3 and GS are judged separately: each changes alone on the ways in and out. The kernel GS base
# is negative, a user's is not (no FSGSBASE).
.balign 16, 0xcc
paranoid_entry:
	cld
	PUSH_REGS_UNDER_RETURN_ADDRESS
	NMI_SAVE_AND_LOAD_KERNEL_CR3 %rax, %r14
	movl	$1, %ebx
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	testl	%edx, %edx
	js	.Lparanoid_out
	swapgs
	lfence
	xorl	%ebx, %ebx
.Lparanoid_out:
	ret

.section .noinstr.text, "ax"

# exc_nmi(rdi = saved registers): runs the body, once more for each NMI that came meanwhile, and gives CR2 back to
# the page fault that it may have interrupted. Entry conditions: kernel half, kernel GS, NMI stack or a task's.
.balign 16, 0xcc
exc_nmi:
	cmpq	$NMI_NOT_RUNNING, %gs:CPU_NMI_STATE
	je	.Lnmi_run
	movq	$NMI_LATCHED, %gs:CPU_NMI_STATE
	ret
.Lnmi_run:
	pushq	%rbx
	movq	%rdi, %rbx
	movq	$NMI_EXECUTING, %gs:CPU_NMI_STATE
	movq	%cr2, %rax
	movq	%rax, %gs:CPU_NMI_CR2
.Lnmi_restart:
	movq	%rbx, %rdi
	call	default_do_nmi
	movq	%gs:CPU_NMI_CR2, %rax
	movq	%cr2, %rcx
	cmpq	%rax, %rcx
	je	.Lnmi_cr2_kept
	movq	%rax, %cr2
.Lnmi_cr2_kept:
	decq	%gs:CPU_NMI_STATE
	jnz	.Lnmi_restart
	popq	%rbx
	ret

.section .text, "ax"

# default_do_nmi(rdi = saved registers): may touch user memory, as a profiler does, if it is the current task's that
# is loaded. The address is bad: the page fault's IRET unblocks NMIs in here.
.balign 16, 0xcc
default_do_nmi:
.ifdef MUTANT_nmi_handler_loops
	nop
.Lnmi_forever:
	pause
	jmp	.Lnmi_forever
.endif
.ifdef MUTANT_nmi_clobbers_frame
	movq	%gs:CPU_SP0, %rax
	movl	$0x57ac, -28(%rax)              # unused half of cs in a frame at the top of the entry stack
.endif
	movq	%gs:CPU_CURRENT, %rax
	movq	TASK_MM(%rax), %rcx
	cmpq	%rcx, %gs:CPU_LOADED_MM
	jne	.Lnmi_no_access
	in	$0xc2, %al
	testb	%al, %al
	jz	.Lnmi_no_access
	movl	$BAD_USER_ADDR, %edi
	call	copy_from_user
.Lnmi_no_access:
	ret
