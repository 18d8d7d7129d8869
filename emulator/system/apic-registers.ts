/**
 * Registers of the local APIC that only a complete one has (SDM vol. 3, 11): local vectors, timer, logical destination,
 * errors. They are stored and read back. The timer counts in TSC-deadline mode only (`apic-timer.ts`); in the other
 * modes it stands still, and its current count reads as 0. No error is ever recorded.
 *
 *   LDR       | 31:24 logical id | ones where nothing is |
 *   DFR       | 31:28 model: 15 flat, 0 clusters | ones |
 *   vector    | 18:17 timer mode | 16 masked | 10:8 delivery mode | 7:0 vector |
 */
import type { Cpu } from '../cpu/cpu';
import { X_APIC_DFR, X_APIC_ESR, X_APIC_LDR, X_APIC_LVT, X_APIC_TDCR, X_APIC_TMICT } from '../extended-state';

const REG_LDR = 0xd0,
  REG_DFR = 0xe0,
  REG_ESR = 0x280;
const REG_TMICT = 0x380,
  REG_TMCCT = 0x390,
  REG_TDCR = 0x3e0;
/** Corrected machine check, timer, thermal sensor, performance counters, LINT0, LINT1, error. */
const LOCAL_VECTORS = [0x2f0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370] as const;
const TIMER = 1;
const MASKED = 0x10000;
/** Mask, mode, trigger, polarity, delivery mode and vector; delivery status and remote IRR are never set. */
const VECTOR_BITS = 0x7a7ff;

/** Word of a register that is stored as it is, by offset. */
const WORDS = new Map<number, number>([
  [REG_LDR, X_APIC_LDR],
  [REG_DFR, X_APIC_DFR],
  [REG_ESR, X_APIC_ESR],
  [REG_TMICT, X_APIC_TMICT],
  [REG_TDCR, X_APIC_TDCR],
  ...LOCAL_VECTORS.map((offset, i) => [offset, X_APIC_LVT + i] as const),
]);

/** After RESET and INIT all local vectors are masked and the model is flat (SDM vol. 3, 11.4.7). */
export function resetApicRegisters(x: Int32Array): void {
  for (const word of WORDS.values()) x[word] = 0;
  for (let i = 0; i < LOCAL_VECTORS.length; i++) x[X_APIC_LVT + i] = MASKED;
  x[X_APIC_DFR] = -1;
}

/** Undefined: there is no such register. */
export function readApicRegister(cpu: Cpu, offset: number): number | undefined {
  if (offset === REG_TMCCT) return 0;
  const word = WORDS.get(offset);
  return word === undefined ? undefined : cpu.x[word];
}

/** False: there is no such register. */
export function writeApicRegister(cpu: Cpu, offset: number, value: number): boolean {
  const word = WORDS.get(offset);
  if (word === undefined) return false;
  if (offset === REG_LDR) cpu.x[word] = value & 0xff000000;
  else if (offset === REG_DFR) cpu.x[word] = value | 0xfffffff;
  else if (offset === REG_ESR) cpu.x[word] = 0;
  else if (offset === REG_TDCR) cpu.x[word] = value & 0xb;
  else if (offset === REG_TMICT) cpu.x[word] = value;
  else cpu.x[word] = value & VECTOR_BITS;
  return true;
}

/** The vector that the timer asks for, or -1: it is masked. */
export function timerVector(cpu: Cpu): number {
  const vector = cpu.x[X_APIC_LVT + TIMER];
  return (vector & MASKED) !== 0 ? -1 : vector & 0xff;
}

/** Does a logical destination (8 bits of the command) name this CPU (SDM vol. 3, 11.6.2.2)? */
export function isLogicalTarget(cpu: Cpu, destination: number): boolean {
  const id = cpu.x[X_APIC_LDR] >>> 24;
  if (destination === 0xff) return true;
  if (cpu.x[X_APIC_DFR] >>> 28 === 0xf) return (id & destination) !== 0;
  return id >>> 4 === destination >>> 4 && (id & destination & 0xf) !== 0;
}
