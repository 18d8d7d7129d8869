# The shared kernel behind a design's entry code, in the order in which it depends on itself.
.set STACK_ENTRY,  1
.set STACK_KERNEL, 2
.set STACK_PTI,    4
.set STACK_IRQ,    8
.set STACK_NMI,    16

.include "idt-entry.S"
.include "irq.S"
.include "page-fault.S"
.ifdef HOSTILE_USER
.include "user-trap.S"
.endif
.include "switch.S"
.include "scheduler.S"
.include "page-tables.S"
.include "descriptor-tables.S"
.include "boot.S"
.ifdef HOSTILE_USER
.include "hostile-user.S"
.else
.include "user-program.S"
.endif
.include "manifest.S"
