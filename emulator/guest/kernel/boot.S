# Boot of one CPU, from the boot protocol to the first user instruction.
#
# Entry conditions: CPL 0, long mode, CR3 = boot_pgd, IF=0, no IDT, no TR, rsp = 0, GS base 0,
# edi = CPU number, esi = number of CPUs, edx = number of tasks, ecx = number of mms.
# CPU 0 comes first and builds what is shared. CPU c then runs task c, or its idle task when there is none.

.section .init.text, "ax"
.balign 16, 0xcc
.globl _start
_start:
	cld
	movl	%edi, %r12d
	imulq	$IDLE_STACK_STRIDE, %r12, %rsp
	addq	$idle_stacks + IDLE_STACK_SIZE, %rsp
	imulq	$PERCPU_STRIDE, %r12, %r13
	addq	$percpu_area, %r13
	testl	%r12d, %r12d
	jnz	.Lshared_done
	movl	%esi, %eax
	movq	%rax, number_of_cpus(%rip)
	movl	%edx, %eax
	movq	%rax, number_of_tasks(%rip)
	movl	%ecx, %eax
	movq	%rax, number_of_mms(%rip)
	pushq	%r12
	pushq	%r13
	call	build_page_tables
	call	build_idt
	call	build_tasks
	popq	%r13
	popq	%r12
.Lshared_done:
	call	enable_features
	call	init_percpu
	jmp	start_first_task

# enable_features(r12 = CPU): EFER first (NX in the tables needs NXE), then the final kernel half, CR4, SYSCALL
# registers. PCID can only be turned on while CR3[11:0] is 0. Leaves CR3 = K(mm 0).
enable_features:
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$0x801, %eax                    # NXE, SCE
	wrmsr
	movq	$pgd_pairs - KERNEL_BASE, %rax
	movq	%rax, %cr3
	movq	%cr4, %rax
.if PCID
	orl	$0x3200a0, %eax                 # SMAP, SMEP, PCIDE, PGE, PAE
.else
	orl	$0x3000a0, %eax                 # SMAP, SMEP, PGE, PAE
.endif
	movq	%rax, %cr4
	movq	%cr0, %rax
.ifdef HOSTILE_USER
	orl	$0x50000, %eax                  # AM, WP
.else
	orl	$0x10000, %eax                  # WP
.endif
	movq	%rax, %cr0
	movl	$MSR_STAR, %ecx
	xorl	%eax, %eax
	movl	$0x00230010, %edx               # user base 0x23, kernel base 0x10
	wrmsr
	movl	$MSR_LSTAR, %ecx
	movq	$entry_syscall, %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	wrmsr
	movl	$MSR_FMASK, %ecx
	movl	$0x47700, %eax                  # AC NT IOPL DF IF TF
	xorl	%edx, %edx
	wrmsr
	ret

# init_percpu(r12 = CPU, r13 = its area)
init_percpu:
	call	load_descriptor_tables
	movl	$MSR_GS_BASE, %ecx
	movq	%r13, %rax
	movq	%r13, %rdx
	shrq	$32, %rdx
	wrmsr
	movl	$MSR_KERNEL_GS_BASE, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	movq	%r12, %gs:CPU_NUMBER
	imulq	$IRQ_STACK_STRIDE, %r12, %rax
	addq	$irq_stacks + IRQ_STACK_SIZE, %rax
	movq	%rax, %gs:CPU_IRQ_TOP
	imulq	$TASK_STRIDE, %r12, %rbx
	addq	$idle_tasks, %rbx               # this CPU's idle task, running on the boot stack
	movq	%rbx, %gs:CPU_IDLE
	movq	%rbx, %gs:CPU_CURRENT
	movq	$MM_NONE, TASK_MM(%rbx)
	movq	$IDLE_INDEX, TASK_INDEX(%rbx)
	imulq	$IDLE_STACK_STRIDE, %r12, %rax
	addq	$idle_stacks + IDLE_STACK_SIZE, %rax
	movq	%rax, TASK_TOP(%rbx)
	movq	%rax, TASK_KERNEL_TOP(%rbx)
	movq	%rax, %gs:CPU_TOP
	movq	$MM_SWITCHING, %gs:CPU_LOADED_MM
	movl	$0x1ff, LAPIC_BASE + 0xf0       # software enable, spurious vector 0xff
	xorl	%esi, %esi
	call	load_mm
	ret

# start_first_task(r12 = CPU): from here on the boot stack is the idle task's.
start_first_task:
	cmpq	number_of_tasks(%rip), %r12
	jae	idle_loop
	imulq	$TASK_STRIDE, %r12, %rsi
	addq	$tasks, %rsi
	movq	$0, TASK_RUNNABLE(%rsi)
	movq	$1, TASK_ON_CPU(%rsi)
.ifdef INIT_FIRST_TASK
	INIT_FIRST_TASK
.endif
.ifdef MUTANT_top_not_switched
	movq	TASK_TOP(%rsi), %rax
	movq	%rax, %gs:CPU_TOP
.endif
	pushq	%rsi
	movq	TASK_MM(%rsi), %rsi
	call	load_mm
	popq	%rsi
	movq	%gs:CPU_CURRENT, %rdi
	call	switch_to
	jmp	idle_loop

# build_tasks(): every task runnable, with a first-run frame:
#   top - 168  registers for user mode        below it  the frame that switch_to pops, returning to ret_from_fork
build_tasks:
	xorl	%ebx, %ebx
.Lbuild_task:
	imulq	$TASK_STRIDE, %rbx, %rdi
	addq	$tasks, %rdi
	movq	%rbx, TASK_INDEX(%rdi)
	movq	$1, TASK_RUNNABLE(%rdi)
	movq	%rbx, %rax
	xorl	%edx, %edx
	divq	number_of_mms(%rip)
	movq	%rdx, TASK_MM(%rdi)
	movq	%rbx, %rax
	shlq	$12, %rax
	addq	$USER_DATA, %rax
	movq	%rax, TASK_USER_GS(%rdi)
	imulq	$USER_HEAP_STRIDE, %rbx, %rax
	addq	$USER_HEAP, %rax
	movq	%rax, TASK_HEAP(%rdi)
	leaq	USER_HEAP_HALF(%rax), %rcx
	movq	%rcx, TASK_COPY_NEXT(%rdi)
	imulq	$KERNEL_STACK_STRIDE, %rbx, %rdx
	addq	$kernel_stacks + KERNEL_STACK_SIZE, %rdx
	movq	%rdx, TASK_KERNEL_TOP(%rdi)
.ifdef HAS_PTI_STACKS
	imulq	$PTI_STACK_STRIDE, %rbx, %rdx
	addq	$pti_stacks + PTI_STACK_SIZE, %rdx
.endif
	movq	%rdx, TASK_TOP(%rdi)
.ifdef HOSTILE_USER
	movq	TASK_USER_GS(%rdi), %rcx        # FS starts with the same page
	movq	%rcx, TASK_FS_BASE(%rdi)
.endif

	# General registers that tell which task and which register they belong to; rbx walks the heap.
	leaq	-REGS_SIZE(%rdx), %rdx
	leaq	1(%rbx), %rcx
	shlq	$32, %rcx
	xorl	%esi, %esi
.Lfill_register:
	imulq	$0x1111, %rsi, %r8
	addq	%rcx, %r8
	movq	%r8, (%rdx,%rsi,8)
	incq	%rsi
	cmpq	$REGS_ORIG_AX / 8, %rsi
	jne	.Lfill_register
	movq	%rax, REGS_RBX(%rdx)
	movq	$-1, REGS_ORIG_AX(%rdx)
	movq	$user_program, REGS_RIP(%rdx)
	movq	$USER_CS, REGS_CS(%rdx)
	movq	$FLAG_IF | 2, REGS_RFLAGS(%rdx)
	imulq	$USER_STACK_STRIDE, %rbx, %rax
	addq	$USER_STACK + PAGE, %rax
	movq	%rax, REGS_RSP(%rdx)
	movq	$USER_DS, REGS_SS(%rdx)

	movq	$ret_from_fork, -8(%rdx)
	leaq	-SWITCH_FRAME_SIZE(%rdx), %rdx  # six callee-saved registers, all 0, and the return address
	movq	%rdx, TASK_THREADSP(%rdi)
	incl	%ebx
	cmpq	number_of_tasks(%rip), %rbx
	jne	.Lbuild_task
	ret
