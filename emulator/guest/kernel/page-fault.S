# Page faults, exception table, and #GP, which only a bad IRET raises, or a hostile user.

HANDLER_BEGIN handle_page_fault
	movq	%cr2, %rdx                      # before anything can fault again
	movq	%rbx, %rdi
	movq	%rbp, %rsi
	RUN_BODY page_fault_body
HANDLER_END

HANDLER_BEGIN handle_general_protection
	movq	%rbx, %rdi
	RUN_BODY general_protection_body
HANDLER_END

.section .text, "ax"

# page_fault_body(rdi = saved registers, rdx = address): brings in a heap page of the current task, after a nap if
# the choice port says so; anything else needs an exception table entry, as do all faults in an NMI.
.balign 16, 0xcc
page_fault_body:
	pushq	%rbx
	pushq	%rbp
	movq	%rdi, %rbx
	movq	%rdx, %rbp
	cmpq	$NMI_NOT_RUNNING, %gs:CPU_NMI_STATE
	jne	.Lfixup
.ifdef MUTANT_recursive_fault
	movl	$BAD_USER_ADDR, %edi
	call	copy_from_user                  # faults, so that its handler faults, ...
.endif
	movq	%gs:CPU_CURRENT, %rax
	movq	%rbp, %rcx
	subq	TASK_HEAP(%rax), %rcx
	cmpq	$USER_HEAP_STRIDE, %rcx
	jae	.Lfixup
	in	$0xc3, %al
	cmpb	$1, %al
	jb	.Lbring_in
	je	.Lfault_window
	call	schedule
	jmp	.Lbring_in
.Lfault_window:
	sti
	nop
	cli
.Lbring_in:
	call	bring_in_page
	jmp	.Lfault_out
.Lfixup:
	testb	$3, REGS_CS(%rbx)
.ifdef HOSTILE_USER
	jnz	.Lfault_of_user
.else
	jnz	panic
.endif
	movq	$__start___ex_table, %rax
.Lfixup_look:
	cmpq	$__stop___ex_table, %rax
	jae	panic
	movq	(%rax), %rcx
	cmpq	REGS_RIP(%rbx), %rcx
	je	.Lfixup_found
	addq	$16, %rax
	jmp	.Lfixup_look
.Lfixup_found:
	movq	8(%rax), %rcx
	movq	%rcx, REGS_RIP(%rbx)
.Lfault_out:
	popq	%rbp
	popq	%rbx
	ret
.ifdef HOSTILE_USER
.Lfault_of_user:
	movq	%rbx, %rdi
	popq	%rbp
	popq	%rbx
	jmp	user_fault_body
.endif

# bring_in_page(rbp = address in the current task's heap): all pages of a heap are one physical page.
# Clobbers rax, rcx, rdx.
.balign 16, 0xcc
bring_in_page:
	movq	%gs:CPU_CURRENT, %rax
	imulq	$3 * PAGE, TASK_INDEX(%rax), %rcx
	addq	$user_pages + 2 * PAGE - KERNEL_BASE, %rcx
	movabsq	$PTE_USER_RW, %rdx
	orq	%rdx, %rcx
	imulq	$3 * PAGE, TASK_MM(%rax), %rdx
	movq	%rbp, %rax
	shrq	$12, %rax
	andl	$511, %eax
	leaq	(%rdx,%rax,8), %rdx
	movq	%rcx, user_tables + 2 * PAGE(%rdx)
	ret

# copy_from_user(rdi = user address) -> eax = 0, or -14 when the address is bad.
.balign 16, 0xcc
copy_from_user:
	stac
copy_from_user_load:
	movq	(%rdi), %rax
	clac
	xorl	%eax, %eax
	ret
copy_from_user_failed:
	clac
	movl	$-14, %eax
	ret

.section __ex_table, "a"
	.quad	copy_from_user_load, copy_from_user_failed

.section .text, "ax"

# general_protection_body(rdi = saved registers): the frame looks like a fault from user mode whose selector IRET
# refused; repair it. Any other #GP is a bug, of the kernel or of the user.
.balign 16, 0xcc
general_protection_body:
	cmpw	$BAD_CS, REGS_CS(%rdi)          # hardware leaves the upper bits undefined
.ifdef HOSTILE_USER
	jne	user_fault_body
.else
	jne	panic
.endif
	movq	$USER_CS, REGS_CS(%rdi)
	movq	$USER_DS, REGS_SS(%rdi)
	ret
