/**
 * S18 no-double-fault: no #DF is ever raised (the only legal one, of espfix, needs a 16-bit stack segment, which no
 * guest here has), and no CPU shuts down.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Delivery, Fault } from '../../emulator/observer';
import { VEC_DF } from '../../emulator/registers';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** At a fault or before a delivery. An INT 8 of user code raises no #DF: it is refused by the gate, or is its own. */
function noDoubleFault(scene: Scene, cpu: Cpu, event: Fault | Delivery): Answer {
  if (event.vector !== VEC_DF || scene.view.doubleFaultsByDesign(cpu)) return undefined;
  if (!('source' in event && event.source === 'software')) return 'expected every fault to be delivered, found #DF';
  return undefined;
}

/** A fault while #DF was being delivered. */
function noShutdown(): Answer {
  return 'expected every fault to be delivered, the CPU shut down: a fault while #DF was being delivered';
}

export const NO_DOUBLE_FAULT: BuiltInProperty = {
  number: 18,
  slug: 'no-double-fault',
  promise: 'No fault is raised while another one is being delivered.',
  violated: 'A fault could not be delivered: #DF, and on most kernels the end.',
  definition: 'no #DF, no shutdown',
  model: '-',
  mutant: 'mainline+gp-gate-not-present',
  moments: { faulted: noDoubleFault, delivering: noDoubleFault, shutDown: noShutdown },
};
