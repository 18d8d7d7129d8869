# The manifest: everything that the harness knows about this image. README.md in the folder above explains each name.

.macro MANIFEST name, value
.globl manifest.\name
.set manifest.\name, \value
.endm

.macro MANIFEST_STACK kind, base, size, stride
	MANIFEST "stack.\kind\().base", "\base"
	MANIFEST "stack.\kind\().size", "\size"
	MANIFEST "stack.\kind\().stride", "\stride"
.endm

.macro MANIFEST_PAGES kind, start, end
	MANIFEST "pages.\kind\().start", "\start"
	MANIFEST "pages.\kind\().end", "\end"
.endm

.globl boot_pgd

MANIFEST version, 1

MANIFEST cpus, 2
MANIFEST tasks, 2
MANIFEST mms, 1
MANIFEST max_cpus, MAX_CPUS
MANIFEST max_tasks, MAX_TASKS
MANIFEST max_mms, MAX_MMS

MANIFEST_STACK entry, "CEA_CPU0 + CEA_ENTRY_STACK", ENTRY_STACK_SIZE, CEA_STRIDE
MANIFEST_STACK nmi, "CEA_CPU0 + CEA_NMI_STACK", IST_STACK_SIZE, CEA_STRIDE
MANIFEST_STACK df, "CEA_CPU0 + CEA_DF_STACK", IST_STACK_SIZE, CEA_STRIDE
MANIFEST_STACK idle, idle_stacks, IDLE_STACK_SIZE, IDLE_STACK_STRIDE
MANIFEST_STACK irq, irq_stacks, IRQ_STACK_SIZE, IRQ_STACK_STRIDE
MANIFEST_STACK kernel, kernel_stacks, KERNEL_STACK_SIZE, KERNEL_STACK_STRIDE
.ifdef HAS_PTI_STACKS
MANIFEST_STACK pti, pti_stacks, PTI_STACK_SIZE, PTI_STACK_STRIDE
.else
MANIFEST_STACK pti, 0, 0, 0               # there are none
.endif

MANIFEST pgd.base, "pgd_pairs - KERNEL_BASE"
MANIFEST pgd.stride, "2 * PAGE"
.if PTI
MANIFEST pgd.user_offset, PAGE
.else
MANIFEST pgd.user_offset, 0
.endif

MANIFEST task.base, tasks
MANIFEST task.stride, TASK_STRIDE
MANIFEST task.threadsp, TASK_THREADSP
MANIFEST idle.base, idle_tasks
MANIFEST idle.stride, TASK_STRIDE

MANIFEST percpu.base, percpu_area
MANIFEST percpu.stride, PERCPU_STRIDE
MANIFEST percpu.current, CPU_CURRENT
MANIFEST percpu.top_of_stack, CPU_TOP
MANIFEST percpu.sp2, CPU_SP2
.ifdef HOSTILE_USER
MANIFEST percpu.flush_mask, CPU_FLUSH_MASK
.endif

MANIFEST iret.return_to_user, user_iret
.ifdef MUTANT_iopl_from_frame
MANIFEST regs_changed.sigreturn, flags_from_user_frame
.endif
.ifdef MUTANT_task_stack_reused_early
MANIFEST task.ended, TASK_ENDED
.endif
.ifdef HOSTILE_USER
MANIFEST regs_changed.fault, fault_moves_rip
MANIFEST regs_changed.single_step, trap_clears_tf
.endif
MANIFEST syscall_result, -38             # -ENOSYS, whatever the number
MANIFEST nmi_handler, default_do_nmi
MANIFEST repeat_nmi, repeat_nmi
MANIFEST end_repeat_nmi, end_repeat_nmi
MANIFEST panic, panic

.ifdef MUTANT_flush_not_paid            # a flush is only owed where a CPU loads another address space
MANIFEST mms, 2
.endif

MANIFEST leaves_entry_stack_before_sti, LEAVES_ENTRY_STACK_BEFORE_STI
MANIFEST body_stacks, BODY_STACKS

MANIFEST_PAGES idt, idt_page, "idt_page + PAGE"
MANIFEST_PAGES gdt, gdt_pages, "gdt_pages + MAX_CPUS * PAGE"
MANIFEST_PAGES entry_stack, entry_stacks, "entry_stacks + MAX_CPUS * ENTRY_STACK_SIZE"
MANIFEST_PAGES ist_stacks, ist_stacks, "ist_stacks + MAX_CPUS * 2 * IST_STACK_SIZE"
MANIFEST_PAGES tss, percpu_area, "percpu_area + MAX_CPUS * PAGE"
MANIFEST_PAGES percpu_offset, percpu_area, percpu_area

.ifdef MUTANT_no_verw_before_sysret
MANIFEST clears_buffers, 1
.endif

.ifdef MUTANT_orig_ax_not_set
MANIFEST handler.syscall, run_syscall
MANIFEST handler.14, handle_page_fault
.endif
