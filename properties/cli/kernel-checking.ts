/**
 * Checks a booted kernel: one task for each excursion, and one for each random interleaving.
 */

import type { Budget } from '../campaign/dispatch';
import type { KernelPerformer } from '../campaign/kernel-task';
import type { SweptExcursion } from '../linux/event-sweep';
import type { ExcursionName } from '../linux/excursions';
import type { KernelFailure } from '../linux/kernel-system';
import type { KernelSource } from '../linux/open-kernel';
import type { RandomRun } from '../linux/random-interleaving';
import { HOLDS, NO_VERDICT, VIOLATED } from './exit-codes';

export interface KernelCheck {
  /** In the order of the program. */
  readonly excursions: readonly SweptExcursion[];
  /** Excursions that were not swept, because somebody has interrupted. */
  readonly missing: number;
  /** Somebody has interrupted: what was begun may have ended early. */
  readonly interrupted: boolean;
  readonly runs: readonly RandomRun[];
  readonly seed: string;
  readonly violations: readonly KernelViolations[];
}

/** What is left to chance: runs `seed/0`, `seed/1`, ..., so many or as many as fit into a time. */
export interface KernelRuns {
  readonly seed: string;
  readonly budget: Budget;
}

/** What was violated at one place of the kernel, by its first trace. */
export interface KernelViolations {
  readonly first: KernelFailure;
  readonly excursion: string;
  /** Of the random interleaving that has found it. */
  readonly seed?: string;
  /** The trace as it was found, before it was shrunk. */
  readonly found: KernelFailure;
  /** Traces that end so at that place. */
  readonly count: number;
}

/** What is told while it is under way: how much of what is done. */
export type OnProgress = (what: string, done: number, of?: number) => void;

/** Sweeps the excursions, the long ones first, which are those at the end of the program; then come the runs. */
export async function checkKernel(
  performer: KernelPerformer,
  kernel: KernelSource,
  excursions: readonly ExcursionName[],
  { seed, budget }: KernelRuns,
  onProgress: OnProgress,
): Promise<KernelCheck> {
  const swept = new Map<ExcursionName, SweptExcursion>();
  await Promise.all(
    [...excursions].reverse().map(async (excursion) => {
      const answer = await performer.run({ kind: 'kernel-sweep', kernel, excursion });
      if (answer === undefined) return;
      swept.set(excursion, answer);
      onProgress('excursions', swept.size, excursions.length);
    }),
  );
  const inOrder = excursions.flatMap((excursion) => swept.get(excursion) ?? []);
  const runs = await randomRuns(performer, kernel, { seed, budget }, onProgress);
  const found = groupedViolations(inOrder, runs, seed);
  const shrunk = await Promise.all(
    found.map(async (violation) => {
      const task = { kind: 'kernel-shrink', kernel, failure: violation.found } as const;
      const first = (await performer.run(task)) ?? violation.found;
      return { ...violation, first, excursion: excursionOf(first) };
    }),
  );
  const missing = excursions.length - inOrder.length;
  return {
    excursions: inOrder,
    missing,
    interrupted: performer.stopped,
    runs,
    seed,
    violations: withoutDoubles(shrunk),
  };
}

/** Each worker takes the next run when it has ended one. */
async function randomRuns(
  performer: KernelPerformer,
  kernel: KernelSource,
  { seed, budget }: KernelRuns,
  onProgress: OnProgress,
): Promise<RandomRun[]> {
  const runs: RandomRun[] = [];
  const of = 'runs' in budget ? budget.runs : undefined;
  const until = 'runs' in budget ? Number.POSITIVE_INFINITY : performance.now() + 1000 * budget.seconds;
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < (of ?? Number.POSITIVE_INFINITY) && performance.now() < until) {
      const k = next++;
      const answer = await performer.run({ kind: 'kernel-run', kernel, seed: `${seed}/${k}` });
      if (answer === undefined) return;
      runs[k] = answer;
      onProgress('random runs', ++done, ...(of === undefined ? [] : [of]));
    }
  };
  await Promise.all(Array.from({ length: performer.size }, work));
  return runs.filter((run) => run !== undefined);
}

/** Where the trace begins. */
function excursionOf({ trace: [first] }: KernelFailure): string {
  return first.action === 'excursion' ? first.name : '';
}

/** By property and place, the sweeps' before those of the runs. */
export function groupedViolations(
  excursions: readonly SweptExcursion[],
  runs: readonly RandomRun[],
  seed: string,
): KernelViolations[] {
  const groups = new Map<string, KernelViolations & { count: number }>();
  const add = (failure: KernelFailure, more: Pick<KernelViolations, 'excursion' | 'seed'>) => {
    const key = placeOfFailure(failure);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: failure, found: failure, ...more, count: 1 });
    else group.count++;
  };
  for (const { excursion, failures } of excursions)
    for (const failure of failures) add(failure, { excursion: excursion.name });
  for (const { failure } of runs) {
    if (failure !== undefined) add(failure, { excursion: excursionOf(failure), seed });
  }
  return [...groups.values()];
}

/** What differs as it was found may be one failure when it is shrunk. */
export function withoutDoubles(shrunk: readonly KernelViolations[]): KernelViolations[] {
  const groups = new Map<string, KernelViolations>();
  for (const violation of shrunk) {
    const key = placeOfFailure(violation.first);
    const known = groups.get(key);
    groups.set(key, known === undefined ? violation : { ...known, count: known.count + violation.count });
  }
  return [...groups.values()];
}

function placeOfFailure({ property, rip }: KernelFailure): string {
  return `${property} ${rip}`;
}

/** Undefined: the kernel has not booted. */
export function checkExitCode(check: KernelCheck | undefined): number {
  if (check === undefined) return NO_VERDICT;
  if (check.violations.length > 0) return VIOLATED;
  return check.missing > 0 || check.interrupted ? NO_VERDICT : HOLDS;
}
