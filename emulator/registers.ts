/**
 * Every word of a CPU's state, as indices into `cpu.r: Int32Array`. A 64-bit register is a pair: the constant names
 * the low word, +1 is the high word. One flat array makes a snapshot one copy and a hash one loop.
 *
 *   [0 .. HASHED_WORDS)        architectural state, part of the fingerprint
 *   [HASHED_WORDS .. end)      status flags in lazy form (fingerprinted as RFLAGS), counters, scratch
 */

/** General registers in the encoding order of the instruction set, so that decode is `2 * number`. */
export const RAX = 0,
  RCX = 2,
  RDX = 4,
  RBX = 6,
  RSP = 8,
  RBP = 10,
  RSI = 12,
  RDI = 14;
/** General registers that REX adds. */
export const R8 = 16,
  R9 = 18,
  R10 = 20,
  R11 = 22,
  R12 = 24,
  R13 = 26,
  R14 = 28,
  R15 = 30;
/** The address of the instruction that executes next. */
export const RIP = 32;

/** Control registers and MSRs. CR0, CR4, EFER and FMASK have no defined bit above 31 here: single words. */
export const CR0 = 34,
  CR4 = 35,
  CR2 = 36,
  CR3 = 38,
  EFER = 40,
  FMASK = 41;
/** MSRs of 64 bits. */
export const FS_BASE = 42,
  GS_BASE = 44,
  KERNEL_GS_BASE = 46,
  STAR = 48,
  LSTAR = 50,
  CSTAR = 52;

/** RFLAGS without the six status flags, which live in F_*; read the whole through `cpu.rflags()`. */
export const EFLAGS = 54;
/** The current privilege level: bits 0 and 1 of CS. */
export const CPL = 55;

/** Selectors. Data segments have no base or limit in 64-bit mode, so a selector is all that is kept. */
export const ES = 56,
  CS = 57,
  SS = 58,
  DS = 59,
  FS = 60,
  GS = 61,
  LDTR = 62;
/** The task register: selector, base, limit. */
export const TR = 63,
  TR_BASE = 64,
  TR_LIMIT = 66;
/** The registers of the descriptor tables. */
export const GDTR_LIMIT = 67,
  GDTR_BASE = 68,
  IDTR_BASE = 70,
  IDTR_LIMIT = 72;

/** Interruptibility (SDM vol. 3, 6.7 and 6.8): 1 where it is so. */
export const NMI_BLOCKED = 73,
  NMI_PENDING = 74,
  STI_SHADOW = 75,
  SS_SHADOW = 76,
  IN_HLT = 77;
/** A #DB trap (single step) waits for the next boundary; MOV SS can delay it (SDM vol. 3, 6.8.3). */
export const DB_PENDING = 78;
/** 1 after a shutdown. */
export const IN_SHUTDOWN = 79;
/** 0 until `machine.boot`: a CPU that nobody started executes nothing. */
export const ONLINE = 80;
/** A machine check waits for the next boundary, which always takes it. */
export const MC_PENDING = 83;
/** Debug status and debug control. */
export const DR6 = 81,
  DR7 = 82;
/** DR0..DR3 as pairs: stored, never matched. */
export const DR0 = 84;

/** Local APIC (SDM vol. 3, 11.4): task priority, spurious vector, interrupt command. */
export const APIC_TPR = 92,
  APIC_SVR = 93,
  APIC_ICR = 94;
/** Local APIC: bit maps of the vectors that are requested and in service. */
export const APIC_IRR = 96,
  APIC_ISR = 104;
/** Words that are architectural state. */
export const HASHED_WORDS = 112;

/**
 * Status flags in lazy form: the last result and its carries, from which each flag is one or two operations away.
 *   F_LO, F_HI  result; a narrow one is repeated in F_HI shifted to the top, so that SF is always a sign
 *   F_CHI       bit 31 carry out of the top bit = CF, bit 30 carry into it: OF = bit 31 xor bit 30
 *   F_CLO       bit 3 carry out of bit 3 = AF; bit 31 inverts SF and bit 0 inverts PF (for flags that POPF, IRET or
 *               another load of RFLAGS sets, which no result has)
 */
export const F_LO = 112,
  F_HI = 113,
  F_CHI = 114,
  F_CLO = 115;

/** Retired instructions, a pair. */
export const ICOUNT = 116;
/** Always zero: the base register of an operand without one. */
export const ZERO = 118;
/** Scratch of one instruction: operands A and B, value V that was loaded or computed, effective address. */
export const A = 120,
  B = 122,
  V = 124,
  EA = 126,
  W = 128;
/** All words of a CPU. */
export const REGISTER_WORDS = 132;

/** RFLAGS bits (SDM vol. 1, 3.4.3). */
export const FLAG_CF = 1,
  FLAG_PF = 4,
  FLAG_AF = 0x10,
  FLAG_ZF = 0x40,
  FLAG_SF = 0x80,
  FLAG_TF = 0x100;
/** RFLAGS bits; IOPL has two. */
export const FLAG_IF = 0x200,
  FLAG_DF = 0x400,
  FLAG_OF = 0x800,
  FLAG_IOPL = 0x3000,
  FLAG_NT = 0x4000;
/** RFLAGS bits above 15. */
export const FLAG_RF = 0x10000,
  FLAG_VM = 0x20000,
  FLAG_AC = 0x40000,
  FLAG_VIF = 0x80000,
  FLAG_VIP = 0x100000,
  FLAG_ID = 0x200000;
/** Bit 1 is always 1; it is not kept in EFLAGS. */
export const FLAG_ALWAYS_1 = 2;
/** The flags that arithmetic sets. */
export const STATUS_FLAGS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
/** What any instruction may load that replaces RFLAGS, where the privilege level allows it. */
export const LOADABLE_FLAGS = STATUS_FLAGS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID;

/** CR0 bits (SDM vol. 3, 2.5). */
export const CR0_PE = 1,
  CR0_MP = 2,
  CR0_EM = 4,
  CR0_TS = 8,
  CR0_ET = 0x10,
  CR0_NE = 0x20,
  CR0_WP = 0x10000;
/** CR0 bits above 16. */
export const CR0_AM = 0x40000,
  CR0_NW = 0x20000000,
  CR0_CD = 0x40000000,
  CR0_PG = 0x80000000 | 0;

/** CR4 bits (SDM vol. 3, 2.5). */
export const CR4_DE = 8,
  CR4_PAE = 0x20,
  CR4_MCE = 0x40,
  CR4_PGE = 0x80,
  CR4_UMIP = 0x800,
  CR4_LA57 = 0x1000,
  CR4_FSGSBASE = 0x10000;
/** CR4 bits above 16. */
export const CR4_PCIDE = 0x20000,
  CR4_SMEP = 0x100000,
  CR4_SMAP = 0x200000;

/** EFER bits (SDM vol. 3, 2.2.1). */
export const EFER_SCE = 1,
  EFER_LME = 0x100,
  EFER_LMA = 0x400,
  EFER_NXE = 0x800;

/** Exception vectors that the hardware raises here. */
export const VEC_DE = 0,
  VEC_DB = 1,
  VEC_NMI = 2,
  VEC_BP = 3,
  VEC_UD = 6,
  VEC_DF = 8,
  VEC_TS = 10,
  VEC_NP = 11,
  VEC_SS = 12;
/** Exception vectors from 13 on. */
export const VEC_GP = 13,
  VEC_PF = 14,
  VEC_AC = 17,
  VEC_MC = 18;

/** In the place of an error code: the vector pushes none. */
export const NO_ERROR_CODE = -1;

/** Names for messages and for walking a CPU by hand. */
export const GPR_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
