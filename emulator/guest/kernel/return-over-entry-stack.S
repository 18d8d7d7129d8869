.section .entry.text, "ax"

# return_over_entry_stack: a return to user mode from a stack that the user half does not map.
# Entry conditions: CPL 0, IF=0, kernel half, kernel GS, rsp = saved registers on the task's stack. The frame moves
# to the entry stack of this CPU, which both halves have.
.balign 16, 0xcc
return_over_entry_stack:
	POP_REGS_EXCEPT_RDI
	movq	%rsp, %rdi
	movq	%gs:CPU_SP0, %rsp
	pushq	REGS_SS - REGS_RDI(%rdi)
	pushq	REGS_RSP - REGS_RDI(%rdi)
	pushq	REGS_RFLAGS - REGS_RDI(%rdi)
	pushq	REGS_CS - REGS_RDI(%rdi)
	pushq	REGS_RIP - REGS_RDI(%rdi)
	pushq	(%rdi)
.ifdef MUTANT_no_verw_before_sysret
	verw	REGS_SS - REGS_RDI(%rdi)        # and nothing like it where the return is by SYSRET
.endif
	LOAD_USER_CR3_ON_STACK %rdi
	popq	%rdi
# The last step of every return by IRET: user half, user registers, rsp = frame.
leave_by_iret:
	swapgs
user_iret:
	iretq
