/**
 * Machine checks (SDM vol. 3, 6.15 and 16): nothing holds one back, neither IF nor the blocking of NMIs nor MOV SS. The
 * processor sets MCIP in IA32_MCG_STATUS, and the handler clears it when it is done: another machine check before that
 * is a shutdown, and so is any while CR4.MCE is 0. No bank tells of an error, so that a handler goes on.
 */
import type { Cpu } from '../cpu/cpu';
import { X_MCG_EXT_CTL, X_MCG_STATUS } from '../extended-state';
import { CR4, CR4_MCE, DB_PENDING, MC_PENDING, NO_ERROR_CODE, VEC_MC } from '../registers';
import { deliver, shutDown } from './delivery';

/** Bits of IA32_MCG_STATUS: execution can go on where it was; a check is in progress; only this CPU has it. */
export const RIPV = 1,
  MCIP = 4,
  LMCE_S = 8;
/** Bit of IA32_MCG_EXT_CTL: a machine check may be of one CPU alone. */
export const LMCE_EN = 1;

export function raiseMachineCheck(cpu: Cpu): void {
  cpu.r[MC_PENDING] = 1;
  cpu.attention = 1;
}

/** False: shutdown. A #DB trap that is pending has a lower priority, and is discarded (SDM vol. 3, 6.9). */
export function takeMachineCheck(cpu: Cpu): boolean {
  const { r, x, platform } = cpu;
  r[MC_PENDING] = 0;
  if (platform.machineCheckStatus === 0 || (r[CR4] & CR4_MCE) === 0 || (x[X_MCG_STATUS] & MCIP) !== 0)
    return shutDown(cpu);
  r[DB_PENDING] = 0;
  x[X_MCG_STATUS] = platform.machineCheckStatus & ((x[X_MCG_EXT_CTL] & LMCE_EN) !== 0 ? -1 : ~LMCE_S);
  return deliver(cpu, VEC_MC, 'abort', NO_ERROR_CODE);
}
