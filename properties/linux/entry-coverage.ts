/** Which instructions of a kernel's entry code an excursion executes: by itself, and in the events of its sweep. */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CPL } from '../../emulator/registers';
import { sweepExcursion } from './event-sweep';
import type { ExcursionName } from './excursions';
import type { KernelSystem } from './kernel-system';
import type { SweptCode } from './swept-code';

/** Virtual addresses from `start` up to and without `end`. */
export interface MutatedExtent {
  readonly start: number;
  readonly end: number;
}

export interface EntryCoverage {
  readonly excursion: ExcursionName;
  /** Boundaries of all CPUs from its beginning to its end. */
  readonly length: number;
  /** Addresses that the excursion itself executes. */
  readonly own: readonly number[];
  /** Addresses that only events in it execute. */
  readonly inEvents: readonly number[];
}

/**
 * Sweeps one excursion and notes what is executed. The system is in the state after the boot, and is again afterwards.
 */
export function coverageOf(
  system: KernelSystem,
  code: SweptCode,
  extents: readonly MutatedExtent[],
  excursion: ExcursionName,
): EntryCoverage {
  const all = new Set<number>();
  const own = new Set<number>();
  const noteIn = (addresses: Set<number>) => (cpu: Cpu) => {
    if (cpu.r[CPL] === 3) return;
    const va = cpu.rip();
    if (extents.some(({ start, end }) => start <= va && va < end)) addresses.add(va);
  };
  const { length } = recorded(system, noteIn(own), () => runAlone(system, excursion, Number.POSITIVE_INFINITY));
  recorded(system, noteIn(all), () => sweepExcursion(system, code, excursion));
  return { excursion, length, own: [...own], inEvents: [...all].filter((va) => !own.has(va)) };
}

function recorded<Result>(system: KernelSystem, note: (cpu: Cpu) => void, run: () => Result): Result {
  system.onBoundary = note;
  try {
    return run();
  } finally {
    system.onBoundary = undefined;
  }
}

/** How an excursion without events went. */
interface AloneRun {
  readonly length: number;
  /** It came to its end within `most` boundaries. */
  readonly complete: boolean;
  readonly violation: KernelSystem['violation'];
}

/** An excursion without events, from the state after the boot, which is there again afterwards. */
export function runAlone(system: KernelSystem, excursion: ExcursionName, most: number): AloneRun {
  const start = system.mark();
  system.perform({ action: 'excursion', ...excursion });
  system.heard = undefined;
  let length = 0;
  for (; length < most && system.heard === undefined && system.violation === undefined; length++) system.step();
  system.readConsole();
  const { violation } = system;
  const complete = system.heard !== undefined && violation === undefined;
  system.rollback(start);
  system.release(start);
  return { length, complete, violation };
}
