/**
 * The local APIC's timer in TSC-deadline mode (SDM vol. 3, 11.5.4.1): an interrupt when the time-stamp counter has
 * reached the deadline, which is disarmed then. Nothing looks at it between two instructions: whoever runs the CPUs
 * asks for the next deadline, runs no further, and lets what is due expire. So time costs nothing per instruction, and
 * is as exact as if it did.
 */
import type { Cpu } from '../cpu/cpu';
import { X_TSC_DEADLINE } from '../extended-state';
import { timerVector } from './apic-registers';
import { requestInterrupt } from './local-apic';

function deadlineOf(cpu: Cpu): number {
  const deadline = (cpu.x[X_TSC_DEADLINE + 1] >>> 0) * 4294967296 + (cpu.x[X_TSC_DEADLINE] >>> 0);
  return deadline === 0 ? Number.POSITIVE_INFINITY : deadline;
}

/** Of the CPUs' deadlines the first, in counts of the time-stamp counter; Infinity if none is armed. */
export function nextDeadline(cpus: readonly Cpu[]): number {
  let first = Number.POSITIVE_INFINITY;
  for (const cpu of cpus) first = Math.min(first, deadlineOf(cpu));
  return first;
}

/** Requests the timer interrupt of each CPU whose deadline is not after `now`. */
export function expireDeadlines(cpus: readonly Cpu[], now: number): void {
  for (const cpu of cpus) {
    if (deadlineOf(cpu) > now) continue;
    cpu.x[X_TSC_DEADLINE] = 0;
    cpu.x[X_TSC_DEADLINE + 1] = 0;
    const vector = timerVector(cpu);
    if (vector >= 0) requestInterrupt(cpu, vector);
  }
}
