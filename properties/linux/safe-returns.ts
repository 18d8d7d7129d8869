/**
 * The returns that a kernel completes for code that an event interrupted in them. `srso_safe_ret` skips the return
 * address of the call that led to it, and then returns; on a processor with Speculative Return Stack Overflow an event
 * there could train the return, so `error_entry` makes the frame that of the code behind the return
 * (`__handle_intr_saferet` in the kernels of Debian; Linux, Documentation/admin-guide/hw-vuln/srso.rst).
 */
import type { KernelImage } from '../../emulator/linux/image/kernel-image';

/** `lea 8(%rsp),%rsp`, 5 bytes, and RET behind it. */
const SKIP_BYTES = 5;
const WORD = 8;

/** By address of an instruction: how far above rsp the address lies to which the return goes. */
export function safeReturns(symbols: Pick<KernelImage['symbols'], 'find'>): ReadonlyMap<number, number> {
  const returns = new Map<number, number>();
  for (const name of ['srso_safe_ret', 'srso_alias_safe_ret']) {
    const start = symbols.find(name);
    if (start === undefined) continue;
    returns.set(start, WORD);
    returns.set(start + SKIP_BYTES, 0);
  }
  return returns;
}
