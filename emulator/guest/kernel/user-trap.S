# Exceptions that user code raises on purpose, under HOSTILE_USER. Page faults and #GP have handlers in page-fault.S,
# which end here when there is nothing to repair.
#
# None of these gates has an IST stack. Linux gives one to #DB, because a MOV SS under a data breakpoint can delay it
# into the kernel. Here no breakpoint is ever set, and FMASK and interrupt gates clear TF, so that #DB comes from CPL 3
# only.

.set VECTOR_DE, 0
.set VECTOR_DB, 1
.set VECTOR_BP, 3
.set VECTOR_OF, 4
.set VECTOR_BR, 5
.set VECTOR_UD, 6
.set VECTOR_NP, 11
.set VECTOR_SS, 12
.set VECTOR_AC, 17
.set VECTOR_INT80, 0x80

IDT_ENTRY entry_divide, handle_user_fault, VECTOR_DE
IDT_ENTRY entry_debug, handle_user_trap, VECTOR_DB
IDT_ENTRY entry_breakpoint, handle_user_trap, VECTOR_BP
IDT_ENTRY entry_overflow, handle_user_trap, VECTOR_OF
IDT_ENTRY entry_bound_range, handle_user_fault, VECTOR_BR
IDT_ENTRY entry_invalid_opcode, handle_user_fault, VECTOR_UD
IDT_ENTRY entry_segment_not_present, handle_user_fault
IDT_ENTRY entry_stack_segment, handle_user_fault
IDT_ENTRY entry_alignment_check, handle_user_fault
IDT_ENTRY entry_int80, handle_user_trap, VECTOR_INT80

HANDLER_BEGIN handle_user_trap
	movq	%rbx, %rdi
	RUN_BODY user_trap_body
HANDLER_END

HANDLER_BEGIN handle_user_fault
	movq	%rbx, %rdi
	RUN_BODY user_fault_body
HANDLER_END

.section .text, "ax"

# user_trap_body(rdi = saved registers): the user goes on behind the instruction. A single step is the last one, if the
# choice port says so, as when a debugger continues.
.balign 16, 0xcc
user_trap_body:
	testb	$3, REGS_CS(%rdi)
	jz	panic
	testl	$FLAG_TF, REGS_RFLAGS(%rdi)
	jz	user_nap
	in	$0xc2, %al
	testb	%al, %al
	jz	user_nap
trap_clears_tf:
	andl	$~FLAG_TF, REGS_RFLAGS(%rdi)
	jmp	user_nap

# user_fault_body(rdi = saved registers): the user goes on with its next action, as if a signal handler had skipped
# the instruction.
.balign 16, 0xcc
user_fault_body:
	testb	$3, REGS_CS(%rdi)
	jz	panic
fault_moves_rip:
	movq	$hostile_next, REGS_RIP(%rdi)

# Nothing, an interrupt window, or sleep. IF=0 on entry and on return.
user_nap:
	in	$0xc3, %al
	cmpb	$1, %al
	jb	.Luser_nap_out
	je	.Luser_nap_window
	jmp	schedule
.Luser_nap_window:
	sti
	nop
	cli
.Luser_nap_out:
	ret
