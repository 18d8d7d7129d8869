# NMIs where CR3 changes in assembly, next to the change of GS: every design but deferred-pertask.

.macro NMI_LOAD_KERNEL_CR3 reg
	LOAD_KERNEL_CR3 \reg
.endm

.macro NMI_SAVE_AND_LOAD_KERNEL_CR3 scratch, save
.ifdef MUTANT_no_cr3_switch_on_nmi_entry
	movq	%cr3, \save
.else
	SAVE_AND_LOAD_KERNEL_CR3 \scratch, \save
.endif
.endm

.macro NMI_RESTORE_CR3 scratch, save
.ifndef MUTANT_no_cr3_restore_on_nmi_exit
	RESTORE_CR3 \scratch, \save
.endif
.endm

.set user_nmi, exc_nmi
.set kernel_nmi, exc_nmi
