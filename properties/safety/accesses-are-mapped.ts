/**
 * S1 accesses-are-mapped: every fetch, data access and implicit access (gate, descriptor, TSS, frame) made at CPL0, or
 * at the CPL0 that a delivery is about to reach, translates with permission under the current CR3, unless the
 * instruction has an exception-table entry or is an IRETQ to user mode.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Fault } from '../../emulator/observer';
import { CPL, RIP, VEC_PF } from '../../emulator/registers';
import { hexVa, toVa } from '../../emulator/words';
import type { Monitor } from '../monitor/monitor';
import { fetchIsViolation } from './kernel-code-uses-kernel-cr3';
import { S1 } from './property';

export function accessIsMapped(m: Monitor, cpu: Cpu, fault: Fault): void {
  if (fault.vector !== VEC_PF) return;
  if (cpu.r[CPL] === 3 && !fault.implicit && !m.delivering_) return;
  const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  if (!m.delivering_ && !fault.implicit && (m.view.manifest.exceptionTable.has(rip) || m.mayFaultAtIret(cpu))) return;
  const fetch = fault.access === 'execute' && !fault.implicit;
  if (fetch && fetchIsViolation(m, cpu, toVa(fault.addressLo, fault.addressHi))) return;
  const what =
    fault.implicit || m.delivering_ ? 'implicit access' : fault.access === 'execute' ? 'fetch' : `data ${fault.access}`;
  const address = hexVa(toVa(fault.addressLo, fault.addressHi));
  m.report(
    S1,
    cpu,
    `expected every access at CPL0 to be mapped, the ${what} of ${address} raised #PF with error code ${fault.error}`,
  );
}
