/**
 * S18 no-double-fault: no #DF is ever raised (the only legal one, of espfix, needs a 16-bit stack segment, which no
 * guest here has), and no CPU shuts down.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { VEC_DF } from '../../emulator/registers';
import type { Monitor } from '../monitor/monitor';
import { S18 } from './property';

export function noDoubleFault(m: Monitor, cpu: Cpu, event: { readonly vector: number }): void {
  if (event.vector === VEC_DF) m.report(S18, cpu, 'expected every fault to be delivered, found #DF');
}
