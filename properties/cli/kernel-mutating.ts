/**
 * `pti-check kernel --mutate`: what the check would have caught in this kernel. Every instruction of entry code that
 * the excursions execute is left out in turn, on the workers, and the check is run again where it matters.
 */
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';
import type { KernelPerformer } from '../campaign/kernel-task';
import type { EntryCoverage, MutatedExtent } from '../linux/entry-coverage';
import { type EntryMutant, type MutantVerdict, mutantsOf } from '../linux/entry-mutants';
import type { ExcursionName } from '../linux/excursions';
import type { KernelText } from '../linux/kernel-text';
import { survivorGroups } from '../linux/mutant-groups';
import type { KernelSource } from '../linux/open-kernel';
import { placeOf } from '../linux/place';
import { counted } from '../report/numbers';

export interface KernelMutation {
  /** In the order of addresses. */
  readonly judged: readonly (EntryMutant & Pick<MutantVerdict, 'killed'>)[];
  /** Mutants that were not tried, because somebody has interrupted. */
  readonly missing: number;
}

/** `text` is that of the booted kernel, without mutants. */
export async function mutateKernel(
  performer: KernelPerformer,
  kernel: KernelSource,
  text: KernelText,
  extents: readonly MutatedExtent[],
  excursions: readonly ExcursionName[],
  onDone: (what: string, done: number, of: number) => void,
): Promise<KernelMutation> {
  const coverage: EntryCoverage[] = [];
  await Promise.all(
    [...excursions].reverse().map(async (excursion) => {
      const answer = await performer.run({ kind: 'kernel-cover', kernel, excursion });
      if (answer === undefined) return;
      coverage.push(answer);
      onDone('excursions', coverage.length, excursions.length);
    }),
  );
  // The order in which workers answer must not decide anything.
  const inOrder = excursions.flatMap(({ name }) => coverage.filter(({ excursion }) => excursion.name === name));
  const mutants = mutantsOf(text, extents, inOrder);
  const verdicts = new Map<number, MutantVerdict>();
  await Promise.all(
    mutants.map(async (mutant) => {
      const answer = await performer.run({ kind: 'kernel-mutant', kernel, mutant });
      if (answer === undefined) return;
      verdicts.set(mutant.va, answer);
      onDone('mutants', verdicts.size, mutants.length);
    }),
  );
  const judged = mutants.flatMap((mutant) => {
    const verdict = verdicts.get(mutant.va);
    return verdict === undefined ? [] : [{ ...mutant, killed: verdict.killed }];
  });
  return { judged, missing: mutants.length - judged.length };
}

/** Columns of a survivor's place. */
const PLACE = 52;

export function mutationInWords({ judged, missing }: KernelMutation, symbols: KernelSymbols): string[] {
  const critical = judged.filter((mutant) => mutant.critical);
  const groups = survivorGroups(survivorsOf(judged, symbols));
  return [
    `  left out in turn: ${counted(judged.length, 'instruction')} of entry code that were executed`,
    `    killed ${share(judged)}`,
    `    of writes of CR3, SWAPGS and switches of stacks ${share(critical)}`,
    `    by ${killers(judged)
      .map(([property, count]) => `${property} ${count}`)
      .join(', ')}`,
    ...(missing === 0 ? [] : [`    interrupted: ${counted(missing, 'mutant')} not tried`]),
    ...groups.flatMap(({ name, wanted, survivors }) => [
      `  survive: ${name}, ${survivors.length}; would need ${wanted}`,
      ...survivors.map(({ place, text }) => `    ${place.padEnd(PLACE)} ${text}`),
    ]),
  ];
}

export function mutationResult({ judged, missing }: KernelMutation, symbols: KernelSymbols) {
  const critical = judged.filter((mutant) => mutant.critical);
  const killed = (mutants: KernelMutation['judged']) => mutants.filter((mutant) => mutant.killed !== undefined).length;
  return {
    mutants: judged.length,
    killed: killed(judged),
    critical: critical.length,
    criticalKilled: killed(critical),
    missing,
    judged: judged.map(({ va, text, critical: isCritical, killed: by }) => ({
      at: placeOf(symbols, va),
      text,
      critical: isCritical,
      ...(by === undefined ? {} : { killed: { ...by, rip: placeOf(symbols, by.rip) } }),
    })),
    survivors: survivorGroups(survivorsOf(judged, symbols)).map(({ name, wanted, survivors }) => ({
      name,
      wanted,
      at: survivors.map(({ place }) => place),
    })),
  };
}

function survivorsOf(judged: KernelMutation['judged'], symbols: KernelSymbols) {
  return judged
    .filter(({ killed }) => killed === undefined)
    .map(({ va, text }) => ({ text, place: placeOf(symbols, va), symbol: symbols.symbolAt(va)?.name ?? '' }));
}

function share(mutants: KernelMutation['judged']): string {
  const killed = mutants.filter((mutant) => mutant.killed !== undefined).length;
  const percent = mutants.length === 0 ? 100 : (100 * killed) / mutants.length;
  return `${killed} of ${mutants.length} (${percent.toFixed(1)} %)`;
}

/** Properties by how many mutants they kill, most first. */
function killers(judged: KernelMutation['judged']): [string, number][] {
  const counts = new Map<string, number>();
  for (const { killed } of judged)
    if (killed !== undefined) counts.set(killed.property, (counts.get(killed.property) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}
