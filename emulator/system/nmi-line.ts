import type { Cpu } from '../cpu/cpu';
import { NMI_BLOCKED, NMI_PENDING } from '../registers';

/** The NMI line: one more is remembered while NMIs are blocked, further ones are lost (SDM vol. 3, 6.7.1). */
export function raiseNmi(cpu: Cpu): void {
  const r = cpu.r;
  const latched = r[NMI_BLOCKED] !== 0 && r[NMI_PENDING] === 0;
  r[NMI_PENDING] = 1;
  cpu.attention = 1;
  if (latched) cpu.observer.nmiLatched(cpu);
}
