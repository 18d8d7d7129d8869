/** A platform that offers every instruction and a complete local APIC, with a clock and ports that a test can set. */
import type { MsrRule, Offer, OptionalInstruction, Platform } from '../platform';
import { GUEST_PLATFORM } from '../system/guest-platform';
import { LMCE_S, MCIP, RIPV } from '../system/machine-check';

interface FullPlatform extends Platform {
  /** What RDTSC reads. */
  time: number;
  /** CPUs that were started, and the vectors of their start-up IPIs. */
  readonly started: [number, number][];
  /** Ports that were written: port, size, value. */
  readonly written: [number, number, number][];
}

export function fullPlatform(msrs: ReadonlyMap<number, MsrRule> = new Map()): FullPlatform {
  const names = Object.keys(GUEST_PLATFORM.instructions) as OptionalInstruction[];
  const platform: FullPlatform = {
    ...GUEST_PLATFORM,
    instructions: Object.fromEntries(names.map((name) => [name, 'executed'])) as Record<OptionalInstruction, Offer>,
    extendedState: true,
    words: new Int32Array(2),
    msrs,
    otherMsr: 'fault',
    apic: {
      version: 0x50014,
      complete: true,
      startUp: (cpu, vector) => platform.started.push([cpu.index, vector]),
    },
    machineCheckStatus: RIPV | MCIP | LMCE_S,
    time: 0,
    started: [],
    written: [],
    cpuid: (_cpu, leaf, subleaf, answer) => {
      answer.set([leaf + 1, subleaf + 2, 3, 4]);
    },
    readTsc: () => platform.time,
    readPort: (_cpu, port, size) => port * 0x1010101 * size,
    writePort: (_cpu, port, size, value) => platform.written.push([port, size, value]) > 0,
  };
  return platform;
}
