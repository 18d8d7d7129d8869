# Entry points from the IDT, and the ways back that every design shares. A design supplies `error_entry` and
# `return_to_user`.

# IDT_ENTRY name, handler, word: a stub in .entry.text. `word` is pushed where hardware pushes no error code; it is
# left out for vectors that have one. The handler gets rdi = saved registers, rsi = error code or vector.
# Entry conditions: CPL 0, IF=0; from user mode rsp = hardware frame on TSS.rsp0, CR3 = user half, GS = user;
# from the kernel rsp = hardware frame on the interrupted stack, CR3 and GS as interrupted.
.macro IDT_ENTRY name, handler, word
.section .entry.text, "ax"
.balign 16, 0xcc
\name:
	clac
.ifnb \word
	pushq	$\word
.endif
	call	error_entry
	movq	%rsp, %rdi
	movq	REGS_ORIG_AX(%rsp), %rsi
.ifndef MUTANT_orig_ax_not_set          # a signal would restart a system call that there was not
	movq	$-1, REGS_ORIG_AX(%rsp)
.endif
	call	\handler
	jmp	error_return
.endm

# HANDLER_BEGIN / HANDLER_END frame a handler in .noinstr.text: rbx = saved registers, rbp = error code or vector.
# In between the body runs; at the end pending work is done before a return to user mode. ENTER_HANDLER and
# LEAVE_HANDLER are the design's: where it changes CR3 in here, it does so before anything else is touched.
.macro HANDLER_BEGIN name
.section .noinstr.text, "ax"
.balign 16, 0xcc
\name:
	pushq	%rbx
	pushq	%rbp
	pushq	%r14
	movq	%rdi, %rbx
	movq	%rsi, %rbp
	ENTER_HANDLER
.endm

.macro HANDLER_END
	testb	$3, REGS_CS(%rbx)
	jz	.Lno_work_\@
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lno_work_\@
	call	exit_to_user_work
.Lno_work_\@:
	LEAVE_HANDLER
	popq	%r14
	popq	%rbp
	popq	%rbx
	ret
.endm

IDT_ENTRY entry_general_protection, handle_general_protection
IDT_ENTRY entry_page_fault, handle_page_fault
IDT_ENTRY entry_timer, handle_irq, VECTOR_TIMER
IDT_ENTRY entry_reschedule, handle_irq, VECTOR_RESCHEDULE

.section .entry.text, "ax"

# Entry conditions: IST stack, anything else unknown. A double fault is the end.
.balign 16, 0xcc
entry_double_fault:
	jmp	panic

# After a handler. Entry conditions: CPL 0, IF=0, kernel GS, rsp = saved registers on the stack that the handler
# was called on; CR3 = kernel half, or the half that the design returns with.
.balign 16, 0xcc
error_return:
	testb	$3, REGS_CS(%rsp)
	jnz	return_to_user
return_to_kernel:
	POP_REGS
	addq	$8, %rsp
	iretq

.balign 16, 0xcc
panic:
	cli
	hlt
	jmp	panic
