/**
 * Checks a booted kernel on the workers: one task for each excursion, the long ones first.
 */

import type { WorkerPool } from '../campaign/worker-pool';
import type { SweptExcursion } from '../linux/event-sweep';
import type { ExcursionName } from '../linux/excursions';
import type { KernelFailure } from '../linux/kernel-system';
import type { KernelSource } from '../linux/open-kernel';

export interface KernelCheck {
  /** In the order of the program. */
  readonly excursions: readonly SweptExcursion[];
  /** Excursions that were not swept, because somebody has interrupted. */
  readonly missing: number;
  readonly violations: readonly KernelViolations[];
}

/** What was violated at one place of the kernel, by its first trace. */
export interface KernelViolations {
  readonly first: KernelFailure;
  readonly excursion: string;
  /** The trace as it was found, before it was shrunk. */
  readonly found: KernelFailure;
  /** Traces that end so at that place. */
  readonly count: number;
}

/** In which order the excursions of the program begin: those at its end are the longest. */
export async function checkKernel(
  pool: WorkerPool,
  kernel: KernelSource,
  excursions: readonly ExcursionName[],
  onSwept: (done: number, of: number) => void,
): Promise<KernelCheck> {
  const swept = new Map<ExcursionName, SweptExcursion>();
  await Promise.all(
    [...excursions].reverse().map(async (excursion) => {
      const answer = await pool.run({ kind: 'kernel-sweep', kernel, excursion });
      if (answer === undefined) return;
      swept.set(excursion, answer);
      onSwept(swept.size, excursions.length);
    }),
  );
  const inOrder = excursions.flatMap((excursion) => swept.get(excursion) ?? []);
  const violations = await Promise.all(
    groupedViolations(inOrder).map(async (violation) => {
      const task = { kind: 'kernel-shrink', kernel, failure: violation.found } as const;
      return { ...violation, first: (await pool.run(task)) ?? violation.found };
    }),
  );
  return { excursions: inOrder, missing: excursions.length - inOrder.length, violations };
}

export function groupedViolations(excursions: readonly SweptExcursion[]): KernelViolations[] {
  const groups = new Map<string, KernelViolations & { count: number }>();
  for (const { excursion, failures } of excursions) {
    for (const failure of failures) {
      const key = `${failure.property} ${failure.rip}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { first: failure, found: failure, excursion: excursion.name, count: 1 });
      else group.count++;
    }
  }
  return [...groups.values()];
}
