# The CR3 switch as functions, for designs that enter C code with the user half. They are in .noinstr.text, which
# those designs map in both halves, and their stack is mapped in both too: the return address is read on the other
# side.
.section .noinstr.text, "ax"

# user_pagetable_exit(): leave the user's page table. Entry conditions: user half, kernel GS, IF=0. Clobbers rax.
.balign 16, 0xcc
user_pagetable_exit:
	LOAD_KERNEL_CR3 %rax
	ret

# user_pagetable_enter(): back to it. Entry conditions: kernel half, kernel GS, IF=0. Clobbers rax, rcx.
.balign 16, 0xcc
user_pagetable_enter:
	LOAD_USER_CR3 %rax, %rcx
	ret
