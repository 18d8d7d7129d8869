/**
 * S18 no-double-fault: no #DF is ever raised (the only legal one, of espfix, needs a 16-bit stack segment, which no
 * guest here has), and no CPU shuts down.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Delivery, Fault } from '../../emulator/observer';
import { VEC_DF } from '../../emulator/registers';
import type { Monitor } from '../monitor/monitor';
import { S18 } from './property';

/** At a fault or before a delivery. An INT 8 of user code raises no #DF: it is refused by the gate, or is its own. */
export function noDoubleFault(m: Monitor, cpu: Cpu, event: Fault | Delivery): void {
  if (event.vector === VEC_DF && !('source' in event && event.source === 'software'))
    m.report(S18, cpu, 'expected every fault to be delivered, found #DF');
}
