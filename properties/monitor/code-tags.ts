/** The classes of code that the monitor tells apart, by the addresses that the manifest names. Kept in MicroOp.tag. */
import type { GuestView } from '../guest/guest-view';

/** Code that nobody asks about. */
export const TAG_OTHER = 0;
/** Code that may be instrumented. */
const TAG_TEXT = 1;
/** First instruction of the NMI handler. */
export const TAG_NMI_HANDLER = 2;
/** First instruction of the panic. */
export const TAG_PANIC = 3;
/** An access to user memory: an instruction of the exception table. */
export const TAG_ACCESS = 4;
/** The saved registers of the innermost context from user mode are changed on purpose. */
export const TAG_REGS_CHANGED = 5;
/** First instruction of a C function that entry code calls for an event, other than the NMI handler. */
export const TAG_HANDLER = 6;

/** The class of the instruction at an address. */
export function codeTag(view: GuestView, va: number): number {
  const { nmiHandler, regsChanged } = view.manifest;
  if (va === nmiHandler) return TAG_NMI_HANDLER;
  if (view.isPanic(va)) return TAG_PANIC;
  if (view.isUserAccess(va)) return TAG_ACCESS;
  if (regsChanged.includes(va)) return TAG_REGS_CHANGED;
  if (view.handlers?.all.has(va)) return TAG_HANDLER;
  return view.isText(va) ? TAG_TEXT : TAG_OTHER;
}
