/**
 * S17 fast-return-is-canonical: SYSRET returns to a canonical address only (Intel raises #GP at CPL0 otherwise, on the
 * user's stack), and no event without an IST stack is delivered while rsp is the user's at CPL0.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Delivery } from '../../emulator/observer';
import { CPL, RCX } from '../../emulator/registers';
import { isCanonical } from '../../emulator/words';
import { USER } from '../../model/kinds';
import { STACK } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S17 } from './property';

const VEC_NMI = 2;
const VEC_DF = 8;

/** Before SYSRET. */
export function fastReturnIsCanonical(m: Monitor, cpu: Cpu): void {
  if (!isCanonical(cpu.r[RCX], cpu.r[RCX + 1]))
    m.report(S17, cpu, 'expected SYSRET to a canonical address, found a non-canonical RCX');
}

/** Before a delivery. NMI and #DF have an IST stack in every design here. */
export function noDeliveryOnUserStack(m: Monitor, cpu: Cpu, g: number, event: Delivery): void {
  if (cpu.r[CPL] !== 0 || m.ghost.words[g + STACK] !== USER) return;
  if (event.vector === VEC_NMI || event.vector === VEC_DF) return;
  m.report(S17, cpu, `expected no event without IST while rsp is the user's at CPL0, found vector ${event.vector}`);
}
