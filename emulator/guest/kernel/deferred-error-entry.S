.section .entry.text, "ax"

# Called by every IDT stub where CR3 and the stack change later, in C code. Entry conditions: those of IDT_ENTRY, plus
# orig_ax and a return address on the stack. Returns with kernel GS on the same stack, CR3 as it was. When the
# IRET to user mode faulted, the stack then holds the user's registers, as after a fault from user mode.
.balign 16, 0xcc
error_entry:
	cld
	PUSH_REGS_UNDER_RETURN_ADDRESS
	testb	$3, REGS_CS + 8(%rsp)
	jz	.Lentry_from_kernel
	swapgs
	lfence
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
	popq	%r12                            # return address
	movq	%rsp, %rdi
	call	adopt_iret_frame
	movq	%rax, %rsp
	pushq	%r12
	ret
