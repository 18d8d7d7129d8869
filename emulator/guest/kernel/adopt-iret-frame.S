# adopt_iret_frame(rdi = saved registers of a fault at the IRET to user mode) -> rax = registers that look like a
# fault from user mode: the general registers of the fault with the frame that IRET refused. They are built where
# an entry from user mode of the design has them, below the word of per-CPU data that ADOPT_TOP names. Words move from the top down: where the stack is the same one, the
# result overlaps the fault's registers, a few words higher.
# Kernel GS. Clobbers rcx, rdx, rsi.
.section .noinstr.text, "ax"
.balign 16, 0xcc
adopt_iret_frame:
	movq	%gs:ADOPT_TOP, %rax
	subq	$REGS_SIZE, %rax
	movq	REGS_RSP(%rdi), %rsi            # the refused frame
	movl	$5, %ecx
.Ladopt_frame:
	movq	-8(%rsi,%rcx,8), %rdx
	movq	%rdx, REGS_RIP - 8(%rax,%rcx,8)
	decl	%ecx
	jnz	.Ladopt_frame
	movl	$REGS_RIP / 8, %ecx
.Ladopt_register:
	movq	-8(%rdi,%rcx,8), %rdx
	movq	%rdx, -8(%rax,%rcx,8)
	decl	%ecx
	jnz	.Ladopt_register
	ret
