# Executes vectors: single instructions at CPL 3, each with registers of its own. It runs on the emulator and on QEMU, whose
# results are then compared. See vector-layout.ts for the memory around it.
#
#   in:   for each vector its registers, RFLAGS (with TF, so that the instruction is followed by #DB), bases of FS and GS, code
#   out:  the registers after the instruction, the exception and its frame, CR2, bases, selectors

        .set IN_FLAGS, 128
        .set IN_FS_BASE, 136
        .set IN_GS_BASE, 144
        .set IN_CODE, 160
        .set IN_SIZE, 192
        .set OUT_VECTOR, 128
        .set OUT_CR2, 184
        .set OUT_SIZE, 256
        .set SLOT, 0x410f00
        .set SLOT_ALIAS, 0xffffffff81014f00
        .set USER_CS, 0x33
        .set USER_SS, 0x2b

        .text
        .globl start, done, stubs, next_in, next_out, remaining

start:
        decq    remaining(%rip)
        js      done
        mov     next_in(%rip), %rsi
        mov     IN_CODE(%rsi), %rax
        mov     %rax, SLOT_ALIAS
        mov     IN_CODE+8(%rsi), %rax
        mov     %rax, SLOT_ALIAS+8
        xor     %eax, %eax
        mov     %rax, %cr2
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $USER_SS, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     IN_FS_BASE(%rsi), %rax
        wrfsbase %rax
        mov     IN_GS_BASE(%rsi), %rax
        wrgsbase %rax
        pushq   $USER_SS
        pushq   4*8(%rsi)
        pushq   IN_FLAGS(%rsi)
        pushq   $USER_CS
        pushq   $SLOT
        mov     0*8(%rsi), %rax
        mov     1*8(%rsi), %rcx
        mov     2*8(%rsi), %rdx
        mov     3*8(%rsi), %rbx
        mov     5*8(%rsi), %rbp
        mov     7*8(%rsi), %rdi
        mov     8*8(%rsi), %r8
        mov     9*8(%rsi), %r9
        mov     10*8(%rsi), %r10
        mov     11*8(%rsi), %r11
        mov     12*8(%rsi), %r12
        mov     13*8(%rsi), %r13
        mov     14*8(%rsi), %r14
        mov     15*8(%rsi), %r15
        mov     6*8(%rsi), %rsi
        iretq
done:
        hlt

# One for each exception: vectors with an error code have pushed it.
        .balign 16
stubs:
        .set vector, 0
        .rept 32
        .balign 16
        .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
        .else
        pushq   $0
        .endif
        pushq   $vector
        jmp     common
        .set vector, vector + 1
        .endr

common:
        push    %rax
        mov     next_out(%rip), %rax
        mov     %rcx, 1*8(%rax)
        mov     %rdx, 2*8(%rax)
        mov     %rbx, 3*8(%rax)
        mov     %rbp, 5*8(%rax)
        mov     %rsi, 6*8(%rax)
        mov     %rdi, 7*8(%rax)
        mov     %r8, 8*8(%rax)
        mov     %r9, 9*8(%rax)
        mov     %r10, 10*8(%rax)
        mov     %r11, 11*8(%rax)
        mov     %r12, 12*8(%rax)
        mov     %r13, 13*8(%rax)
        mov     %r14, 14*8(%rax)
        mov     %r15, 15*8(%rax)
        pop     %rcx
        mov     %rcx, 0*8(%rax)
        # Vector, error code, RIP, CS, RFLAGS, RSP, SS
        .set word, OUT_VECTOR
        .rept 7
        pop     %rcx
        mov     %rcx, word(%rax)
        .set word, word + 8
        .endr
        mov     %cr2, %rcx
        mov     %rcx, OUT_CR2(%rax)
        rdfsbase %rcx
        mov     %rcx, OUT_CR2+8(%rax)
        rdgsbase %rcx
        mov     %rcx, OUT_CR2+16(%rax)
        mov     %ds, OUT_CR2+24(%rax)
        mov     %es, OUT_CR2+26(%rax)
        mov     %fs, OUT_CR2+28(%rax)
        mov     %gs, OUT_CR2+30(%rax)
        cld
        addq    $OUT_SIZE, next_out(%rip)
        addq    $IN_SIZE, next_in(%rip)
        jmp     start

        # On a page without code, because every store to one with code is slow.
        .balign 4096
next_in:        .quad 0
next_out:       .quad 0
remaining:      .quad 0
