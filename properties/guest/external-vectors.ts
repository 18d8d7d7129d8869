/**
 * Which vectors an image takes external interrupts at, read from the IDT of CPU 0: the harness has no vector of its own
 * that an image would have to use.
 */
import type { Machine } from '../../emulator/machine';
import { IDTR_BASE, IDTR_LIMIT } from '../../emulator/registers';
import { toVa } from '../../emulator/words';

/** Vectors below are the processor's exceptions (SDM Vol. 3A, 6.2). */
const FIRST_EXTERNAL = 32;
/** A local APIC ignores what is raised below (SDM Vol. 3A, 11.8.2), and 256 vectors are all there are. */
const VECTORS = 256;
const GATE_BYTES = 16;
const GATE_PRESENT = 1 << 15;
const GATE_DPL = 3 << 13;
const GATE_IST = 7;

/**
 * Vectors from 32 on whose gate is present, not open to user code (DPL 0), and leads to a handler of their own: neither
 * to `panic` nor to the handler that most of these gates share, which stands for "not expected". In ascending order.
 */
export function externalVectors(machine: Machine, root: number, panic: number | undefined): number[] {
  const { r } = machine.cpus[0];
  const base = toVa(r[IDTR_BASE], r[IDTR_BASE + 1]);
  const handlers = new Map<number, number>();
  for (let vector = FIRST_EXTERNAL; vector < VECTORS; vector++) {
    const at = vector * GATE_BYTES;
    if (at + GATE_BYTES - 1 > r[IDTR_LIMIT]) break;
    const low = machine.readVirtual64(root, base + at);
    const handler = gateHandler(machine, root, base, vector);
    if (low === undefined || handler === undefined || (low.hi & GATE_DPL) !== 0) continue;
    handlers.set(vector, handler);
  }
  const unexpected = panic ?? mostCommon([...handlers.values()]);
  return [...handlers].filter(([, handler]) => handler !== unexpected).map(([vector]) => vector);
}

/**
 * Handler that the gate of a vector leads to, in the IDT at `base`; undefined where the gate is not present
 * (SDM Vol. 3A, 6.14.1).
 *
 *   word 0: | 63:48 offset 31:16 | 47 P | 46:45 DPL | 44:40 type | 34:32 IST | 31:16 selector | 15:0 offset 15:0 |
 *   word 1: | 31:0 offset 63:32 |
 */
export function gateHandler(machine: Machine, root: number, base: number, vector: number): number | undefined {
  const low = machine.readVirtual64(root, base + vector * GATE_BYTES);
  const high = machine.readVirtual64(root, base + vector * GATE_BYTES + 8);
  if (low === undefined || high === undefined || (low.hi & GATE_PRESENT) === 0) return undefined;
  return toVa((low.hi & 0xffff0000) | (low.lo & 0xffff), high.lo);
}

/**
 * The IST stack that the gate of a vector asks for, 1 to 7; 0 for none, and where nothing is mapped at the gate (SDM
 * Vol. 3A, 6.14.5).
 */
export function gateIst(machine: Machine, root: number, base: number, vector: number): number {
  const low = machine.readVirtual64(root, base + vector * GATE_BYTES);
  return low === undefined ? 0 : low.hi & GATE_IST;
}

/** The value that occurs most often, if any occurs twice. */
function mostCommon(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: number | undefined;
  for (const [value, count] of counts)
    if (count > 1 && count > (best === undefined ? 1 : (counts.get(best) ?? 0))) best = value;
  return best;
}
