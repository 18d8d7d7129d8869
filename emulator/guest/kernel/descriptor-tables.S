# GDT, IDT and TSS: contents, and the code that loads them on one CPU.

.section .rodata, "a"
.balign 8
# The order is dictated by STAR: SYSCALL takes CS and SS from 0x10 and 0x18, SYSRET from 0x23 + 16 and 0x23 + 8.
gdt_template:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff              # 0x10 kernel code, 64-bit
	.quad	0x00cf93000000ffff              # 0x18 kernel data
	.quad	0x00cffb000000ffff              # 0x20 user code, 32-bit
	.quad	0x00cff3000000ffff              # 0x28 user data
	.quad	0x00affb000000ffff              # 0x30 user code, 64-bit
	.quad	0
	.quad	0, 0                            # 0x40 TSS, filled in per CPU
.set GDT_LIMIT, . - gdt_template - 1

# Gates that are not `panic`: handler, vector, IST slot. GATE_DPL3 is for those that INT n of user code may take.
.set GATE_DPL3, 0x6000
idt_rows:
	.quad	entry_nmi, VECTOR_NMI, 2
	.quad	entry_double_fault, VECTOR_DF, 1
	.quad	entry_general_protection, VECTOR_GP, 0
	.quad	entry_page_fault, VECTOR_PF, 0
	.quad	entry_timer, VECTOR_TIMER, 0
	.quad	entry_reschedule, VECTOR_RESCHEDULE, 0
.ifdef HOSTILE_USER
	.quad	entry_divide, VECTOR_DE, 0
	.quad	entry_debug, VECTOR_DB, 0
	.quad	entry_breakpoint, VECTOR_BP, GATE_DPL3
	.quad	entry_overflow, VECTOR_OF, GATE_DPL3
	.quad	entry_bound_range, VECTOR_BR, 0
	.quad	entry_invalid_opcode, VECTOR_UD, 0
	.quad	entry_segment_not_present, VECTOR_NP, 0
	.quad	entry_stack_segment, VECTOR_SS, 0
	.quad	entry_alignment_check, VECTOR_AC, 0
	.quad	entry_int80, VECTOR_INT80, GATE_DPL3
.endif
	.quad	0

.section .init.text, "ax"

# set_gate(rdi = vector, rsi = handler, rdx = IST slot and DPL): an interrupt gate of CPL 0 (SDM vol. 3, 6.14.1).
#   | 95:64 offset 63:32 | 63:48 offset 31:16 | 47 present | 46:45 DPL | 43:40 type 14 | 34:32 IST | 31:16 selector | 15:0 offset 15:0 |
# Clobbers rax, rcx, rdi.
set_gate:
	shlq	$4, %rdi
	movzwl	%si, %eax
	orl	$KERNEL_CS << 16, %eax
	movl	%eax, idt_page(%rdi)
	movl	%esi, %eax
	andl	$0xffff0000, %eax
	orl	$0x8e00, %eax
	orl	%edx, %eax
	movl	%eax, idt_page + 4(%rdi)
	movq	%rsi, %rax
	shrq	$32, %rax
	movq	%rax, idt_page + 8(%rdi)
	ret

# build_idt(): every vector panics, unless idt_rows knows better.
build_idt:
	xorl	%ebx, %ebx
.Lidt_default:
	movq	%rbx, %rdi
	movq	$panic, %rsi
	xorl	%edx, %edx
	call	set_gate
	incl	%ebx
	cmpl	$256, %ebx
	jne	.Lidt_default
	movq	$idt_rows, %rbx
.Lidt_row:
	movq	(%rbx), %rsi
	testq	%rsi, %rsi
	jz	.Lidt_done
	movq	8(%rbx), %rdi
	movq	16(%rbx), %rdx
	call	set_gate
	addq	$24, %rbx
	jmp	.Lidt_row
.Lidt_done:
.ifdef MUTANT_gp_gate_not_present
	andb	$0x7f, idt_page + VECTOR_GP * 16 + 5(%rip)
.endif
	ret

# load_descriptor_tables(r12 = CPU, r13 = its per-CPU area): fills its GDT and TSS, loads GDTR, TR, IDTR, CS and SS.
# LTR sets the busy bit in the descriptor, so it reads the GDT through its writable address; then GDTR moves to
# the read-only one.
load_descriptor_tables:
	imulq	$CEA_STRIDE, %r12, %rax
	movabsq	$CEA_CPU0, %rbx
	addq	%rax, %rbx                      # this CPU's cpu entry area

	leaq	CEA_ENTRY_STACK + ENTRY_STACK_SIZE(%rbx), %rax
	movq	%rax, CPU_SP0(%r13)
	leaq	CEA_DF_STACK + IST_STACK_SIZE(%rbx), %rax
	movq	%rax, CPU_IST1(%r13)
	leaq	CEA_NMI_STACK + IST_STACK_SIZE(%rbx), %rax
	movq	%rax, CPU_IST2(%r13)
	movw	$TSS_LIMIT + 1, CPU_IOMAP(%r13)

	movq	%r12, %rdi
	shlq	$12, %rdi
	addq	$gdt_pages, %rdi
	movq	%rdi, %r14
	movq	$gdt_template, %rsi
	movl	$(GDT_LIMIT + 1) / 8, %ecx
	rep movsq

	# TSS descriptor: limit, base 23:0, type 9 (available), present, base 63:24
	leaq	CEA_TSS + CPU_TSS(%rbx), %rdx
	movq	%rdx, %rax
	andl	$0x00ffffff, %eax
	shlq	$16, %rax
	orq	$TSS_LIMIT, %rax
	movl	$0x89, %ecx
	shlq	$40, %rcx
	orq	%rcx, %rax
	movq	%rdx, %rcx
	shrq	$24, %rcx
	andl	$0xff, %ecx
	shlq	$56, %rcx
	orq	%rcx, %rax
	movq	%rax, TSS_SELECTOR(%r14)
	shrq	$32, %rdx
	movq	%rdx, TSS_SELECTOR + 8(%r14)

	subq	$16, %rsp
	movw	$GDT_LIMIT, (%rsp)
	movq	%r14, 2(%rsp)
	lgdt	(%rsp)
	movl	$TSS_SELECTOR, %eax
	ltr	%ax
	leaq	CEA_GDT(%rbx), %rax
	movq	%rax, 2(%rsp)
	lgdt	(%rsp)
	movw	$256 * 16 - 1, (%rsp)
	movabsq	$CEA_BASE, %rax
	movq	%rax, 2(%rsp)
	lidt	(%rsp)
	addq	$16, %rsp

	# CS and SS: an IRET to the next instruction.
	popq	%rdi                            # return address
	movq	%rsp, %rax
	pushq	$KERNEL_DS
	pushq	%rax
	pushq	$2
	pushq	$KERNEL_CS
	pushq	%rdi
	iretq
