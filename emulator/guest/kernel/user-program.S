# The user program, the same for every task. It acts as the choice port says and remembers nothing but rbx, the next
# heap page to touch. All other registers keep their first values, which tell task and register, except rax and
# what SYSCALL takes (rcx, r11).

.section .user.text, "ax"
user_program:
	movzbl	USER_CHOICE + 4, %eax
	cmpl	$1, %eax
	jb	.Luser_syscall
	je	.Luser_touch
	cmpl	$3, %eax
	je	.Luser_syscall_with_number
	pushq	%rdi
	movq	%gs:8, %rax                     # this task's own data page
	addq	%rsi, %rax
	popq	%rax
	call	.Luser_leaf
	jmp	user_program
.Luser_leaf:
	ret
.Luser_syscall:
	syscall
	jmp	user_program
.Luser_syscall_with_number:
	movl	$39, %eax
	syscall
	jmp	user_program
.Luser_touch:
	movb	%al, (%rbx)
	leaq	PAGE(%rbx), %rax
	testl	$USER_HEAP_HALF - 1, %eax       # stay on the last page
	cmovnzq	%rax, %rbx
	jmp	user_program
