# The program that a kernel under test runs as /init: a static ELF without a library, which drives the paths into and out of the
# kernel one by one, for ever. Before each it says through a port which one follows; then it fills the registers and the flags
# with distinct values, so that none can get lost or leak without being seen. Excursions are small: no page is cleared where
# that can be helped.
#
#   tasks   main      a child of reader: the excursions, in order; announces (index + 1) + 256 * round
#           reader    process 1, which sleeps in read() until main writes to a pipe
#           yielder   a thread of main (same address space), which yields for ever
#           rival     a child of main, which yields for ever on the CPU of main
#
# An excursion is a routine under the symbol `excursion.<name>` in the table of the section .excursions. It may destroy every
# register, flag and the stack, and ends with `jmp next`. What faults ends by a signal, whose handler goes to `next`, too.
# `ready` is announced as 0 when all tasks are there.

	.include "system-calls.inc"

	.set ANNOUNCE, 0x5e0
	.set ROUND, 0x100
# How process 1 ends, and the kernel with it, where nothing can be announced: exit code 0x4700 in the message of the panic.
	.set NO_PORTS, 0x47

	.section .excursions, "a"
	.globl excursions
excursions:

	.macro excursion name
	.pushsection .excursions, "a"
	.quad excursion.\name
	.popsection
	.globl excursion.\name
excursion.\name:
	.endm

	.text
	.globl _start
_start:
	# exec of this file by an excursion: the first argument is "!", and there is nothing to do.
	cmpq $2, (%rsp)
	jb 1f
	mov 16(%rsp), %rax
	cmpb $'!', (%rax)
	jne 1f
	xor %edi, %edi
	syscall3 EXIT_GROUP
1:	lea stack_top(%rip), %rsp
	mov $ANNOUNCE, %edi
	mov $4, %esi
	mov $1, %edx
	syscall3 IOPERM
	mov $NO_PORTS, %edi
	test %rax, %rax
	jz 1f
	syscall3 EXIT_GROUP
1:	call handle_signals
	lea pipe_ends(%rip), %rdi
	syscall3 PIPE
	call start_reader
	call start_yielder
	call start_rival
	mov $MEMBARRIER_REGISTER, %edi
	xor %esi, %esi
	xor %edx, %edx
	syscall3 MEMBARRIER
	xor %eax, %eax
	mov $ANNOUNCE, %edx
	out %eax, (%dx)

	.globl next
next:
	cld
	lea stack_top(%rip), %rsp
	pushq $2
	popfq
	fninit
	mov index(%rip), %ecx
	lea excursions(%rip), %rbx
	mov (%rbx,%rcx,8), %rax
	mov %rax, target(%rip)
	mov round(%rip), %esi
	lea 1(%rcx,%rsi), %eax
	inc %ecx
	cmp $EXCURSIONS, %ecx
	jb 1f
	xor %ecx, %ecx
	addl $ROUND, round(%rip)
1:	mov %ecx, index(%rip)
	mov $ANNOUNCE, %edx
	out %eax, (%dx)
	shr $8, %esi
	and $3, %esi
	lea flag_patterns(%rip), %rbx
	mov (%rbx,%rsi,8), %rdi
	push %rdi
	mov $0x1b1b1b1b1b1b1b1b, %rbx
	mov $0x2c2c2c2c2c2c2c2c, %rcx
	mov $0x3d3d3d3d3d3d3d3d, %rdx
	mov $0x4e4e4e4e4e4e4e4e, %rsi
	mov $0x5f5f5f5f5f5f5f5f, %rdi
	mov $0x6060606060606060, %rbp
	mov $0x7171717171717171, %r8
	mov $0x1818181818181818, %r9
	mov $0x2929292929292929, %r10
	mov $0x3a3a3a3a3a3a3a3a, %r11
	mov $0x4b4b4b4b4b4b4b4b, %r12
	mov $0x5c5c5c5c5c5c5c5c, %r13
	mov $0x6d6d6d6d6d6d6d6d, %r14
	mov $0x7e7e7e7e7e7e7e7e, %r15
	mov $0x0f0f0f0f0f0f0f0f, %rax
	popfq
	jmp *target(%rip)

	.include "calls.inc"
	.include "faults.inc"
	.include "signals.inc"
	.include "processes.inc"

	.section .excursions, "a"
excursions_end:
	.set EXCURSIONS, (excursions_end - excursions) / 8

	.data
	.balign 8
# What RFLAGS holds besides IF: all status flags; direction; alignment check and ID; nested task and direction.
flag_patterns:
	.quad 0x8d7, 0x402, 0x240002, 0x44c2
target:	.quad 0
index:	.long 0
round:	.long 0
pipe_ends:
	.long 0, 0

	.bss
	.balign 4096
# A page of which translations and rights change.
page:	.skip 4096
alternate_stack:
	.skip 16384
yielder_stack:
	.skip 4096
yielder_stack_top:
	.skip 8192
stack_top:
	.skip 64
