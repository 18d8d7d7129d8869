# The saved registers of an interrupted context, and the macros that build and take down such a frame.
#
#   +160 ss        \
#   +152 rsp        |
#   +144 rflags     |  hardware frame (SDM vol. 3, 6.14.2)
#   +136 cs         |
#   +128 rip       /
#   +120 orig_ax      error code, vector, system call number, or -1
#   +112 rdi  +104 rsi  +96 rdx  +88 rcx  +80 rax  +72 r8  +64 r9  +56 r10  +48 r11
#   + 40 rbx  + 32 rbp  +24 r12  +16 r13  + 8 r14  + 0 r15

.set REGS_R15, 0
.set REGS_R14, 8
.set REGS_R13, 16
.set REGS_R12, 24
.set REGS_RBP, 32
.set REGS_RBX, 40
.set REGS_R11, 48
.set REGS_R10, 56
.set REGS_R9,  64
.set REGS_R8,  72
.set REGS_RAX, 80
.set REGS_RCX, 88
.set REGS_RDX, 96
.set REGS_RSI, 104
.set REGS_RDI, 112
.set REGS_ORIG_AX, 120
.set REGS_RIP, 128
.set REGS_CS,  136
.set REGS_RFLAGS, 144
.set REGS_RSP, 152
.set REGS_SS,  160
.set REGS_SIZE, 168
.set REGS_WORDS, 21

# Registers after rsi: the part that every variant shares. Nothing of the interrupted context stays in a register
# that the kernel has not loaded itself.
.macro PUSH_REGS_FROM_RDX rdx=%rdx, rax=%rax
	pushq	\rdx
	pushq	%rcx
	pushq	\rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro CLEAR_REGS
.ifndef MUTANT_registers_not_cleared
	xorl	%edx, %edx
	xorl	%ecx, %ecx
	xorl	%eax, %eax
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
.endif
.endm

# All general registers on top of orig_ax. `rdx` and `rax` name what goes into these two slots.
.macro PUSH_REGS rdx=%rdx, rax=%rax
	pushq	%rdi
	pushq	%rsi
	PUSH_REGS_FROM_RDX rdx=\rdx, rax=\rax
	CLEAR_REGS
.endm

# The same inside a function that was called after orig_ax had been pushed: the return address sits in the slot
# of rdi, and ends up on top of the finished frame.
.macro PUSH_REGS_UNDER_RETURN_ADDRESS
	xchgq	%rdi, (%rsp)
	pushq	%rsi
	PUSH_REGS_FROM_RDX
	CLEAR_REGS
	pushq	%rdi
.endm

# Everything but rdi; rsp is left at the slot of rdi.
.macro POP_REGS_EXCEPT_RDI
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
.endm

.macro POP_REGS
	POP_REGS_EXCEPT_RDI
	popq	%rdi
.endm

# Jumps to \target unless the saved registers at rsp can be restored by SYSRET, which takes rip from rcx and rflags
# from r11, loads fixed selectors, and faults in the kernel on a non-canonical address. Clobbers rcx, r11.
.macro UNLESS_SYSRET_FITS target
	movq	REGS_RCX(%rsp), %rcx
	cmpq	%rcx, REGS_RIP(%rsp)
	jne	\target
.ifndef MUTANT_sysret_to_noncanonical
	movq	%rcx, %r11
	shlq	$16, %r11
	sarq	$16, %r11
	cmpq	%rcx, %r11
	jne	\target
.endif
	cmpq	$USER_CS, REGS_CS(%rsp)
	jne	\target
	movq	REGS_R11(%rsp), %r11
	cmpq	%r11, REGS_RFLAGS(%rsp)
	jne	\target
	testq	$0x10100, %r11                  # RF, TF
	jnz	\target
	cmpq	$USER_DS, REGS_SS(%rsp)
	jne	\target
.endm
