# Timer interrupt and reschedule IPI: both end in need_resched.

# The body runs on this CPU's IRQ stack, never nested: IF stays 0. Nothing is ever scheduled out there; preemption
# waits until rsp is back on the interrupted stack.
HANDLER_BEGIN handle_irq
	pushq	%r15
	cmpl	$0, %gs:CPU_IRQ_BUSY
	jne	.Lon_irq_stack
	movl	$1, %gs:CPU_IRQ_BUSY
	movq	%rsp, %r15
.ifdef MUTANT_irq_stack_shared
	movq	$irq_stacks + IRQ_STACK_SIZE, %rsp
.else
	movq	%gs:CPU_IRQ_TOP, %rsp
.endif
	call	irq_body
	movq	%r15, %rsp
	movl	$0, %gs:CPU_IRQ_BUSY
	jmp	.Lirq_preempt
.Lon_irq_stack:
	call	irq_body
.Lirq_preempt:
	popq	%r15
	testb	$3, REGS_CS(%rbx)
	jnz	.Lirq_out
	cmpl	$0, %gs:CPU_NEED_RESCHED
	je	.Lirq_out
	movq	%gs:CPU_CURRENT, %rax
	cmpq	$IDLE_INDEX, TASK_INDEX(%rax)
	je	.Lirq_out                       # the idle loop looks for itself
	call	schedule
.Lirq_out:
HANDLER_END

.section .text, "ax"
.balign 16, 0xcc
irq_body:
	movl	$0, LAPIC_BASE + 0xb0           # end of interrupt
.ifdef MUTANT_flush_wait_with_if_off
	cmpq	$0, %gs:CPU_FLUSH_ASKED
	je	.Lirq_no_flush
	movq	%cr3, %rax
	movq	%rax, %cr3
	movq	$0, %gs:CPU_FLUSH_ASKED
.Lirq_no_flush:
.endif
	movl	$1, %gs:CPU_NEED_RESCHED
	ret
