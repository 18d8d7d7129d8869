/**
 * L3 nesting-is-bounded: at most six contexts are open at a time: system call, #PF, IRQ, NMI, #PF and a nested NMI is
 * the longest legal chain.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Monitor } from '../monitor/monitor';
import { L3 } from './property';

export const MAX_NESTING = 6;

export function nestingIsBounded(m: Monitor, cpu: Cpu, depth: number): void {
  if (depth > MAX_NESTING) m.report(L3, cpu, `expected at most ${MAX_NESTING} open contexts, found ${depth}`);
}
