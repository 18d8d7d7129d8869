# Builds the final page tables: K(m) and U(m) for each mm. Runs once, on CPU 0, under boot_pgd, which maps
# the first 4 MiB at KERNEL_BASE.
#
# Leaf flags (SDM vol. 3, 4.5): bit 0 present, 1 writable, 2 user, 5 accessed, 6 dirty, 8 global, 63 no-execute.
# Accessed and dirty are set from the start, so that running changes no page table.

.set PTE_TABLE,   0x23                    # present, writable, accessed
.set PTE_USER,    0x04
.set PTE_GLOBAL,  0x100
.set PTE_NX,      1 << 63
.set PTE_RX,      0x21
.set PTE_RO,      0x21 | PTE_NX
.set PTE_RW,      0x63 | PTE_NX
.set PTE_USER_RX, 0x25
.set PTE_USER_RO, 0x25 | PTE_NX
.set PTE_USER_RW, 0x67 | PTE_NX

.ifdef MAP_NOINSTR_IN_USER_HALF
.set NOINSTR_FLAGS, PTE_RX | PTE_GLOBAL
.else
.set NOINSTR_FLAGS, PTE_RX
.endif
.ifdef MUTANT_body_before_cr3
.set TEXT_FLAGS, PTE_RX | PTE_GLOBAL      # the bug's first half: .text survives in the TLB across CR3 writes
.else
.set TEXT_FLAGS, PTE_RX
.endif
.ifdef MUTANT_pti_stack_unmapped
.set PTI_FLAGS, PTE_RW | PTE_GLOBAL       # the TLB carries the task to user mode; the page table does not have it
.else
.set PTI_FLAGS, PTE_RW
.endif

# One row of a map: virtual start and end, physical start, flags.
.macro MAP_ROW start, end, physical, flags
	.quad	\start, \end, \physical, \flags
.endm

.macro MAP_IMAGE start, end, flags
	MAP_ROW	"\start", "\end", "\start - KERNEL_BASE", "\flags"
.endm

.macro MAP_CEA
	MAP_ROW	CEA_BASE, "CEA_BASE + PAGE", "idt_page - KERNEL_BASE", "PTE_RO | PTE_GLOBAL"
.set .Lcpu, 0
.rept MAX_CPUS
	MAP_CEA_CPU "CEA_CPU0 + .Lcpu * CEA_STRIDE", .Lcpu
.set .Lcpu, .Lcpu + 1
.endr
.endm

.macro MAP_CEA_PAGE area, offset, symbol, index, flags
	MAP_ROW	"\area + \offset", "\area + \offset + PAGE", "\symbol + (\index) * PAGE - KERNEL_BASE", "\flags"
.endm

# Which stacks of the cpu entry area are mapped, and how, depends on the half only in mutants.
.macro MAP_CEA_CPU area, cpu
	MAP_CEA_PAGE "\area", CEA_GDT, gdt_pages, "\cpu", "PTE_RO | PTE_GLOBAL"
	MAP_CEA_PAGE "\area", CEA_ENTRY_STACK, entry_stacks, "\cpu", CEA_ENTRY_FLAGS
	MAP_CEA_PAGE "\area", CEA_TSS, percpu_area, "\cpu", "PTE_RO | PTE_GLOBAL"
	MAP_CEA_PAGE "\area", CEA_DF_STACK, ist_stacks, "(\cpu) * 2", "PTE_RW | PTE_GLOBAL"
.if CEA_NMI_MAPPED
	MAP_CEA_PAGE "\area", CEA_NMI_STACK, ist_stacks, "(\cpu) * 2 + 1", CEA_NMI_FLAGS
.endif
.endm

.section .rodata, "a"
.balign 8
.set CEA_ENTRY_FLAGS, PTE_RW | PTE_GLOBAL
.set CEA_NMI_FLAGS, PTE_RW | PTE_GLOBAL
.set CEA_NMI_MAPPED, 1
.ifdef MUTANT_entry_stack_read_only
.set CEA_ENTRY_FLAGS, PTE_RW              # not global, or the TLB would hide the bug
.endif
.ifdef MUTANT_nmi_stack_unmapped
.set CEA_NMI_FLAGS, PTE_RW
.endif
kernel_map:
	MAP_IMAGE __entry_text_start, __entry_text_end, "PTE_RX | PTE_GLOBAL"
	MAP_IMAGE __noinstr_text_start, __noinstr_text_end, NOINSTR_FLAGS
	MAP_IMAGE __text_start, __text_end, TEXT_FLAGS
	MAP_IMAGE __init_text_start, __init_text_end, PTE_RX
	MAP_IMAGE __rodata_start, __rodata_end, PTE_RO
	MAP_IMAGE boot_pgd, __boot_data_end, PTE_RW
	MAP_IMAGE __bss_start, percpu_area, PTE_RW
	MAP_IMAGE percpu_area, "percpu_area + MAX_CPUS * PAGE", "PTE_RW | PTE_GLOBAL"
	MAP_IMAGE "percpu_area + CPU_PRIVATE", idt_page, PTE_RW
	MAP_IMAGE idt_page, __bss_pages_end, PTE_RW
.macro MAP_STACKS stacks, stride, size, count, flags
.set .Lindex, 0
.rept \count
	MAP_IMAGE "\stacks + .Lindex * \stride", "\stacks + .Lindex * \stride + \size", "\flags"
.set .Lindex, .Lindex + 1
.endr
.endm
	MAP_STACKS kernel_stacks, KERNEL_STACK_STRIDE, KERNEL_STACK_SIZE, MAX_TASKS, PTE_RW
	MAP_STACKS idle_stacks, IDLE_STACK_STRIDE, IDLE_STACK_SIZE, MAX_CPUS, PTE_RW
	MAP_STACKS irq_stacks, IRQ_STACK_STRIDE, IRQ_STACK_SIZE, MAX_CPUS, PTE_RW
.ifdef HAS_PTI_STACKS
	MAP_STACKS pti_stacks, PTI_STACK_STRIDE, PTI_STACK_SIZE, MAX_TASKS, PTI_FLAGS
.endif
	MAP_ROW	LAPIC_BASE, "LAPIC_BASE + PAGE", LAPIC_PHYSICAL, PTE_RW
	MAP_CEA
	.quad	0

# What every user half has above the user part. PTI stacks are not here: they differ per mm.
.ifdef MUTANT_entry_stack_read_only
.set CEA_ENTRY_FLAGS, PTE_RO
.endif
.ifdef MUTANT_nmi_stack_unmapped
.set CEA_NMI_MAPPED, 0
.endif
user_map:
	MAP_IMAGE __entry_text_start, __entry_text_end, "PTE_RX | PTE_GLOBAL"
.ifdef MAP_NOINSTR_IN_USER_HALF
	MAP_IMAGE __noinstr_text_start, __noinstr_text_end, "PTE_RX | PTE_GLOBAL"
.endif
	MAP_IMAGE percpu_area, "percpu_area + MAX_CPUS * PAGE", "PTE_RW | PTE_GLOBAL"
	MAP_CEA
.ifdef MUTANT_kernel_stack_in_user_table
	MAP_STACKS kernel_stacks, KERNEL_STACK_STRIDE, KERNEL_STACK_SIZE, MAX_TASKS, PTE_RW
.endif
	.quad	0

.section .init.text, "ax"

# map_page(rdi = root, kernel address; rsi = virtual, rdx = physical, r8 = leaf flags)
# Missing tables come from the pool. Clobbers rax, rcx, r9, r10, r11.
map_page:
	movl	$39, %ecx
	movq	%rdi, %r9
.Lmap_level:
	movq	%rsi, %rax
	shrq	%cl, %rax
	andl	$511, %eax
	leaq	(%r9,%rax,8), %r10
	movq	(%r10), %rax
	testl	$1, %eax
	jnz	.Lmap_descend
	movq	page_pool_next(%rip), %rax
	addq	$PAGE, page_pool_next(%rip)
	movq	$page_pool_end, %r11
	cmpq	%r11, %rax
	jae	panic
	subq	$KERNEL_BASE, %rax
	movl	%r8d, %r11d
	andl	$PTE_USER, %r11d
	orl	$PTE_TABLE, %r11d
	orq	%r11, %rax
	movq	%rax, (%r10)
.Lmap_descend:
	andl	$0xfffff000, %eax
	leaq	KERNEL_BASE(%rax), %r9
	subl	$9, %ecx
	cmpl	$12, %ecx
	jne	.Lmap_level
	movq	%rsi, %rax
	shrq	$12, %rax
	andl	$511, %eax
	movq	%rdx, %r11
	orq	%r8, %r11
	movq	%r11, (%r9,%rax,8)
	ret

# map_rows(rdi = root, rbx = first row of a map that ends with a zero word)
map_rows:
	movq	(%rbx), %rsi
	testq	%rsi, %rsi
	jz	.Lrows_done
	movq	16(%rbx), %rdx
	movq	24(%rbx), %r8
.Lrow_page:
	cmpq	8(%rbx), %rsi
	jae	.Lrow_next
	call	map_page
	addq	$PAGE, %rsi
	addq	$PAGE, %rdx
	jmp	.Lrow_page
.Lrow_next:
	addq	$32, %rbx
	jmp	map_rows
.Lrows_done:
	ret

# build_page_tables(): all of K(m) and U(m). Clobbers everything but rsp.
build_page_tables:
	movq	$page_pool, page_pool_next(%rip)
	movq	$pgd_pairs, %rdi
	movq	$kernel_map, %rbx
	call	map_rows
	xorl	%r12d, %r12d                    # mm
.Lbuild_mm:
	call	link_user_part
	testq	%r12, %r12
	jz	.Lkernel_half_done
	# The kernel half above the user part is the same in every mm: copy the two top entries in use.
	movq	%r12, %rdi
	shlq	$13, %rdi
	movq	pgd_pairs + 508 * 8(%rip), %rax
	movq	%rax, pgd_pairs + 508 * 8(%rdi)
	movq	pgd_pairs + 511 * 8(%rip), %rax
	movq	%rax, pgd_pairs + 511 * 8(%rdi)
.Lkernel_half_done:
.if PTI
	movq	%r12, %rdi
	shlq	$13, %rdi
	addq	$pgd_pairs + PAGE, %rdi
	movq	$user_map, %rbx
	call	map_rows
.endif
	incq	%r12
	cmpq	$MAX_MMS, %r12
	jne	.Lbuild_mm
	call	map_user_part
	ret

# link_user_part(r12 = mm): the three tables of its user part, hung into both halves. The kernel half's entry is
# no-execute, so that a return to user mode with the kernel half cannot run anything (defence in depth).
link_user_part:
	movq	%r12, %rax
	imulq	$3 * PAGE, %rax
	addq	$user_tables, %rax
	leaq	2 * PAGE + 7 + 0x20 - KERNEL_BASE(%rax), %rcx
	movq	%rcx, PAGE + 2 * 8(%rax)        # PD[2] -> PT    0x400000
	leaq	PAGE + 7 + 0x20 - KERNEL_BASE(%rax), %rcx
	movq	%rcx, (%rax)                    # PDPT[0] -> PD
	leaq	7 + 0x20 - KERNEL_BASE(%rax), %rcx
	movq	%r12, %rdi
	shlq	$13, %rdi
.if PTI
	movq	%rcx, pgd_pairs + PAGE(%rdi)
	btsq	$63, %rcx
.endif
	movq	%rcx, pgd_pairs(%rdi)
	ret

# map_user_part(): program and choice page in every mm; stack and data page of task t in mm t mod mms.
map_user_part:
	xorl	%r12d, %r12d
.Luser_mm:
	movq	%r12, %rdi
	shlq	$13, %rdi
	addq	$pgd_pairs, %rdi
	movl	$USER_TEXT, %esi
	movq	$__user_text_physical, %rdx
	movl	$PTE_USER_RX, %r8d
	movq	$__user_text_size, %rbx
.Luser_text:
	call	map_page
	addq	$PAGE, %rsi
	addq	$PAGE, %rdx
	subq	$PAGE, %rbx
	ja	.Luser_text
	movl	$USER_CHOICE, %esi
	movl	$CHOICE_PHYSICAL, %edx
	movabsq	$PTE_USER_RO, %r8
	call	map_page
	incq	%r12
	cmpq	$MAX_MMS, %r12
	jne	.Luser_mm

	xorl	%r12d, %r12d                    # task
.Luser_task:
	movq	%r12, %rax
	xorl	%edx, %edx
	divq	number_of_mms(%rip)
	movq	%rdx, %r13                      # its mm
	movq	%rdx, %rdi
	shlq	$13, %rdi
	addq	$pgd_pairs, %rdi
	movabsq	$PTE_USER_RW, %r8
	imulq	$3 * PAGE, %r12, %rdx
	addq	$user_pages - KERNEL_BASE, %rdx
	imulq	$USER_STACK_STRIDE, %r12, %rsi
	addq	$USER_STACK, %rsi
	call	map_page
	addq	$PAGE, %rdx
	movq	%r12, %rsi
	shlq	$12, %rsi
	addq	$USER_DATA, %rsi
	call	map_page
.ifdef HAS_PTI_STACKS
	# The PTI stack of a task is mapped in its own mm's user half only, hence not global.
	addq	$PAGE, %rdi
	imulq	$PTI_STACK_STRIDE, %r12, %rsi
	addq	$pti_stacks, %rsi
	leaq	-KERNEL_BASE(%rsi), %rdx
	movabsq	$PTE_RW, %r8
	call	map_page
.endif
	incq	%r12
	cmpq	number_of_tasks(%rip), %r12
	jne	.Luser_task
	ret

# What hardware starts every CPU with: the first 4 MiB at KERNEL_BASE, writable and executable.
.section .boot.data, "aw"
.balign PAGE
boot_pgd:
	.skip	511 * 8
	.quad	boot_pdpt - KERNEL_BASE + 3
boot_pdpt:
	.skip	510 * 8
	.quad	boot_pd - KERNEL_BASE + 3
	.quad	0
boot_pd:
	.skip	8 * 8
	.quad	0x000083, 0x200083
	.skip	502 * 8
