# CR3 macros. K(m) and U(m) are neighbours, so one bit selects the half:
#
#   bit 63      write: keep the TLB entries of this PCID (no-flush)
#   bits 51:13  page pair of mm m
#   bit 12      1 = user half
#   bit 11      1 = user PCID             (PCID images)
#   bits 10:0   kernel PCID = m + 1       (PCID images; 0 without PCID)
#
# PTI=0 assembles to nothing; PCID=0 leaves bits 63 and 11:0 alone.

.set CR3_USER_HALF, 0x1000
.set CR3_USER_PCID, 0x0800
.set CR3_NOFLUSH_BIT, 63

.if PCID
.set CR3_USER_BITS, CR3_USER_HALF | CR3_USER_PCID
.else
.set CR3_USER_BITS, CR3_USER_HALF
.endif

# CR3 := kernel half, whatever it was. No memory access, so `reg` may be rsp. Clobbers reg.
.macro LOAD_KERNEL_CR3 reg
.if PTI
	movq	%cr3, \reg
.if PCID
	btsq	$CR3_NOFLUSH_BIT, \reg
.endif
	andq	$~CR3_USER_BITS, \reg
	movq	\reg, %cr3
.endif
.endm

# CR3 := user half of the loaded mm. Needs the kernel GS base and the kernel half, because of the flush mask: a
# flush that the kernel owes to the user PCID is paid by a write without the no-flush bit. Clobbers both.
.macro LOAD_USER_CR3 reg, scratch
.if PTI
	movq	%cr3, \reg
	ADD_NOFLUSH_UNLESS_OWED \reg, \scratch
	orq	$CR3_USER_BITS, \reg
	movq	\reg, %cr3
.endif
.endm

# Sets bit 63 of `reg`, a CR3 value, unless the flush mask has the bit of its PCID; then clears that bit.
.macro ADD_NOFLUSH_UNLESS_OWED reg, scratch
.if PCID
	movq	\reg, \scratch
	andq	$0x7ff, \scratch
	btq	\scratch, %gs:CPU_FLUSH_MASK
	jnc	.Lnoflush_\@
	btrq	\scratch, %gs:CPU_FLUSH_MASK
.ifndef MUTANT_flush_not_paid
	jmp	.Lmerge_\@
.endif
.Lnoflush_\@:
	btsq	$CR3_NOFLUSH_BIT, \reg
.Lmerge_\@:
.endif
.endm

# The same with one free register: rax is kept on the current stack, which must be mapped in both halves.
.macro LOAD_USER_CR3_ON_STACK reg
.if PTI
	pushq	%rax
	LOAD_USER_CR3 \reg, %rax
	popq	%rax
.endif
.endm

# save := CR3; then the kernel half, if it is not loaded already. Clobbers scratch.
.macro SAVE_AND_LOAD_KERNEL_CR3 scratch, save
.if PTI
	movq	%cr3, \save
	btq	$12, \save
	jnc	.Lkernel_half_\@
	movq	\save, \scratch
	andq	$~CR3_USER_BITS, \scratch
.if PCID
	btsq	$CR3_NOFLUSH_BIT, \scratch
.endif
	movq	\scratch, %cr3
.Lkernel_half_\@:
.endif
.endm

# CR3 := what SAVE_AND_LOAD_KERNEL_CR3 saved. Needs the kernel GS base and the kernel half. Clobbers both.
.macro RESTORE_CR3 scratch, save
.if PTI
.if PCID
	btq	$12, \save
	jnc	.Lno_flush_\@
	ADD_NOFLUSH_UNLESS_OWED \save, \scratch
	jmp	.Lwrite_\@
.Lno_flush_\@:
	btsq	$CR3_NOFLUSH_BIT, \save
.Lwrite_\@:
.endif
	movq	\save, %cr3
.endif
.endm
