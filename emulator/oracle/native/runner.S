# Executes instructions at CPL 3 on the processor that this program runs on, one at a time, from registers that are read from standard
# input, and writes what they leave to standard output. No library: Linux, x86-64.
#
#   input    8 KiB of data, then records of 160 bytes: r8 .. r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags (the order of
#            struct sigcontext), 16 bytes of code
#   output   records of 680 bytes: the same registers, error code, vector, CR2, and the last 512 bytes of the writable data page
#   pages    0x20001000 code, which cannot be written there; 0x20003000 data; 0x20004000 the same, read-only; around them nothing;
#            0x28000000 the stack of the handler: an instruction must not leave rsp there
#
# Everything happens in one signal handler. It is entered by whatever ends an instruction: its own fault, or the INT3 of which the rest of
# the code page consists. It saves the registers of the signal frame, puts those of the next record there, and returns: the kernel loads
# them all. Records come and go by the 64, so that there is one read and one write for as many.

.set CODE, 0x20001000
.set DATA, 0x20003000
.set WINDOW, DATA + 0xe00
.set ALIAS, 0x30000000
.set STACK, 0x28000000
.set STACK_BYTES, 65536
.set PAGE, 4096
.set BATCH, 64
.set REGISTERS, 18
.set RECORD, REGISTERS * 8 + 16
.set RESULT, (REGISTERS + 3) * 8 + 512

.set SYS_read, 0
.set SYS_write, 1
.set SYS_mmap, 9
.set SYS_mprotect, 10
.set SYS_rt_sigaction, 13
.set SYS_rt_sigreturn, 15
.set SYS_exit, 60
.set SYS_ftruncate, 77
.set SYS_sigaltstack, 131
.set SYS_memfd_create, 319

.macro system_call number
	mov $\number, %eax
	syscall
.endm

.macro map address bytes protection flags file
	mov $\address, %edi
	mov $\bytes, %esi
	mov $\protection, %edx
	mov $\flags, %r10d
	mov $\file, %r8
	xor %r9d, %r9d
	system_call SYS_mmap
	test %rax, %rax
	js failed
.endm

.bss
.balign 16
input:		.skip BATCH * RECORD
output:		.skip BATCH * RESULT
window:		.skip 512
left:		.skip 8
next_input:	.skip 8
next_output:	.skip 8
last_code:	.skip 8
last_bytes:	.skip 8
started:	.skip 8

.data
name:		.asciz "code"
.balign 8
stack:		.quad STACK, 0, STACK_BYTES
# SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER
action:		.quad handler, 0x4c000004, restorer, 0

.text
.globl _start
_start:
	mov $name, %edi
	xor %esi, %esi
	system_call SYS_memfd_create
	mov %rax, %rbx
	mov %eax, %edi
	mov $PAGE, %esi
	system_call SYS_ftruncate
	map ALIAS, PAGE, 3, 0x11, 3
	mov $ALIAS, %edi
	mov $0xcc, %al
	mov $PAGE, %ecx
	rep stosb
	map CODE, PAGE, 5, 0x11, 3
	map DATA, (2 * PAGE), 3, 0x32, -1
	map STACK, STACK_BYTES, 3, 0x32, -1
	mov $DATA, %esi
	mov $(2 * PAGE), %edx
	call read_all
	test %rax, %rax
	jz done
	mov $WINDOW, %esi
	mov $window, %edi
	mov $64, %ecx
	rep movsq
	mov $(DATA + PAGE), %edi
	mov $PAGE, %esi
	mov $1, %edx
	system_call SYS_mprotect
	mov $stack, %edi
	xor %esi, %esi
	system_call SYS_sigaltstack
	# SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV
	.irp signal, 4, 5, 7, 8, 11
	mov $\signal, %edi
	mov $action, %esi
	xor %edx, %edx
	mov $8, %r10d
	system_call SYS_rt_sigaction
	.endr
	movq $output, next_output
	int3

handler:
	# The flags of the instruction: a set AC would make accesses of this program fault.
	pushq $2
	popfq
	lea 40(%rdx), %rbx
	cmpq $0, started
	je .Lnext
	mov next_output, %rdi
	mov %rbx, %rsi
	mov $REGISTERS, %ecx
	rep movsq
	mov 152(%rbx), %rax
	stosq
	mov 160(%rbx), %rax
	stosq
	mov 176(%rbx), %rax
	stosq
	mov $WINDOW, %esi
	mov $64, %ecx
	rep movsq
	mov %rdi, next_output
	mov $window, %esi
	mov $WINDOW, %edi
	mov $64, %ecx
	rep movsq
	mov last_code, %rdi
	mov last_bytes, %rcx
	mov $0xcc, %al
	rep stosb
.Lnext:
	movq $1, started
	cmpq $0, left
	jne .Ltake
	mov $output, %esi
	mov next_output, %rdx
	sub %rsi, %rdx
	call write_all
	movq $output, next_output
	mov $input, %esi
	mov $(BATCH * RECORD), %edx
	call read_all
	test %rax, %rax
	jz done
	movq $BATCH, left
	movq $input, next_input
.Ltake:
	mov next_input, %rsi
	mov %rbx, %rdi
	mov $REGISTERS, %ecx
	rep movsq
	mov 128(%rbx), %rax
	and $(PAGE - 1), %eax
	mov $PAGE, %ecx
	sub %eax, %ecx
	mov $16, %edx
	cmp %edx, %ecx
	cmova %edx, %ecx
	lea ALIAS(%rax), %rdi
	mov %rdi, last_code
	mov %rcx, last_bytes
	lea 16(%rsi), %rax
	rep movsb
	mov %rax, next_input
	decq left
	ret

restorer:
	system_call SYS_rt_sigreturn

# Reads exactly edx bytes to rsi; answers 0 if the input ends before.
read_all:
	mov %rdx, %r12
	xor %r13d, %r13d
.Lread:
	xor %edi, %edi
	mov %r12, %rdx
	sub %r13, %rdx
	system_call SYS_read
	test %rax, %rax
	jle .Lended
	add %rax, %rsi
	add %rax, %r13
	cmp %r12, %r13
	jb .Lread
	mov $1, %eax
	ret
.Lended:
	xor %eax, %eax
	ret

# Writes rdx bytes from rsi.
write_all:
	mov %rdx, %r12
.Lwrite:
	test %r12, %r12
	jz .Lwritten
	mov $1, %edi
	mov %r12, %rdx
	system_call SYS_write
	test %rax, %rax
	jle failed
	add %rax, %rsi
	sub %rax, %r12
	jmp .Lwrite
.Lwritten:
	ret

done:
	xor %edi, %edi
	system_call SYS_exit
failed:
	mov $1, %edi
	system_call SYS_exit
