/** What the native program (runner.S) and our machine have in common: linear addresses, and the order of registers. */
import { R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RIP, RSI, RSP } from '../../registers';

export const PAGE = 4096;
/** Guard, code, guard, data, read-only data, guard. */
export const BASE = 0x20000000,
  CODE = BASE + PAGE,
  DATA = BASE + 3 * PAGE,
  READ_ONLY = DATA + PAGE,
  END = BASE + 6 * PAGE;
/**
 * The stack of the signal handler. Linux takes a signal that comes while rsp is in it for a signal inside of the
 * handler, and does not begin the stack anew.
 */
export const STACK = 0x28000000,
  STACK_BYTES = 0x10000;
/** What of the writable page an instruction may change. */
export const WINDOW_BYTES = 512,
  WINDOW = READ_ONLY - WINDOW_BYTES;
/** Data that the program reads first. */
export const DATA_BYTES = 2 * PAGE;
/** Of which the rest of the code page consists: INT3. */
export const FILLER = 0xcc;

/** Registers of a record, as in `struct sigcontext`; then comes RFLAGS. */
export const RECORD_REGISTERS: readonly number[] = [
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RDI,
  RSI,
  RBP,
  RBX,
  RDX,
  RAX,
  RCX,
  RSP,
  RIP,
];
export const FLAGS_PLACE = RECORD_REGISTERS.length;
export const CODE_PLACE = FLAGS_PLACE + 1;
export const CODE_BYTES = 16;
export const RECORD_BYTES = CODE_PLACE * 8 + CODE_BYTES;
/** Of a result: the registers and RFLAGS, error code, vector, CR2, the window. */
export const ERROR_PLACE = FLAGS_PLACE + 1,
  VECTOR_PLACE = FLAGS_PLACE + 2,
  CR2_PLACE = FLAGS_PLACE + 3,
  WINDOW_PLACE = FLAGS_PLACE + 4;
export const RESULT_BYTES = WINDOW_PLACE * 8 + WINDOW_BYTES;
/** Records that are read, and results that are written, together. */
export const BATCH = 64;
