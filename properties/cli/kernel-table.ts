/** What `pti-check kernel` says of the check of a booted kernel: a table of its excursions, and what was violated. */
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';
import type { EventCount, SweptEvent, SweptExcursion } from '../linux/event-sweep';
import { EXCURSION_WORDS } from '../linux/excursion-words';
import type { KernelFailure } from '../linux/kernel-system';
import { placeOf } from '../linux/place';
import type { RandomRun } from '../linux/random-interleaving';
import { actionInWords } from '../report/kernel-steps';
import { counted, grouped } from '../report/numbers';
import type { KernelCheck, KernelViolations } from './kernel-checking';

/** What the columns are called; a column whose events were never raised is left out. */
const COLUMNS: Readonly<Record<SweptEvent, string>> = {
  nmi: 'NMI',
  irq: 'IRQ',
  nested: 'NMI²',
  debug: '#DB',
  machineCheck: '#MC',
  other: 'CPU²',
};
/** Of a long trace so many actions are told at its beginning, and as many at its end. */
const TOLD_AT_ENDS = 5;
const EVENTS = Object.keys(COLUMNS) as SweptEvent[];

type Counts = Readonly<Record<SweptEvent, EventCount>>;

/** Sums over all excursions, and over all events. */
export function totals(excursions: readonly SweptExcursion[]) {
  const events = Object.fromEntries(
    EVENTS.map((event) => {
      const sum = (of: keyof EventCount) => excursions.reduce((all, one) => all + one.events[event][of], 0);
      return [event, { raised: sum('raised'), taken: sum('taken'), away: sum('away') }];
    }),
  ) as Record<SweptEvent, EventCount>;
  const situations = excursions.reduce((all, one) => all + one.situations, 0);
  const instructions = excursions.reduce((all, one) => all + one.length + one.instructions, 0);
  return { situations, events, instructions };
}

/** `again` are the commands that replay the violations, in their order. */
export function checkInWords(
  check: KernelCheck,
  symbols: Pick<KernelSymbols, 'symbolAt'>,
  again: readonly string[],
): string[] {
  const { excursions, violations, runs, seed } = check;
  const all = totals(excursions);
  const columns = EVENTS.filter((event) => all.events[event].raised > 0);
  const row = (name: string, situations: number, counts: Counts | undefined, failures: string, words: string) =>
    [
      `  ${name.padEnd(26)}`,
      grouped(situations).padStart(9),
      ...columns.map((event) => (counts ? grouped(counts[event].taken) : COLUMNS[event]).padStart(8)),
      failures.padStart(9),
      `  ${words}`,
    ]
      .join('')
      .trimEnd();
  const heading = [
    '  excursion'.padEnd(28),
    'boundaries'.padStart(9),
    ...columns.map((e) => COLUMNS[e].padStart(8)),
    ' violated',
  ];
  return [
    heading.join(''),
    ...excursions.map(({ excursion, situations, events, failures }) =>
      row(excursion.name, situations, events, String(failures.length), EXCURSION_WORDS[excursion.name] ?? ''),
    ),
    row(
      `all ${excursions.length}`,
      all.situations,
      all.events,
      String(excursions.reduce((n, { failures }) => n + failures.length, 0)),
      '',
    ),
    ...interruptedInWords(check),
    ...(runs.length === 0 ? [] : [runsInWords(runs, seed)]),
    ...violations.flatMap((violation, i) => [...violationInWords(violation, symbols), `    again: ${again[i]}`]),
  ];
}

function interruptedInWords({ missing, interrupted }: KernelCheck): string[] {
  if (missing > 0) return [`  interrupted: ${counted(missing, 'excursion')} not swept`];
  return interrupted ? ['  interrupted: what was under way has ended early'] : [];
}

function runsInWords(runs: readonly RandomRun[], seed: string): string {
  const { instructions, nmis, ticks } = sumOf(runs);
  return `  ${counted(runs.length, 'random run')} of seed ${seed}: ${grouped(instructions)} instructions, ${counted(nmis, 'NMI')}, ${counted(ticks, 'tick')}`;
}

function sumOf(runs: readonly RandomRun[]) {
  const sum = (of: 'instructions' | 'nmis' | 'ticks') => runs.reduce((all, run) => all + run[of], 0);
  return { instructions: sum('instructions'), nmis: sum('nmis'), ticks: sum('ticks') };
}

function violationInWords({ first, excursion, count }: KernelViolations, symbols: Pick<KernelSymbols, 'symbolAt'>) {
  return [
    `  ${first.property} violated on CPU ${first.cpu} at ${placeOf(symbols, first.rip)} in ${excursion}, ${counted(count, 'time')}`,
    `    ${first.message}`,
    `    trace: ${traceInWords(first.trace)}`,
  ];
}

/** A long one without its middle: the case has all of it. */
function traceInWords(trace: KernelFailure['trace']): string {
  const words = trace.map(actionInWords);
  const leftOut = words.length - 2 * TOLD_AT_ENDS;
  if (leftOut > 1) words.splice(TOLD_AT_ENDS, leftOut, `(${leftOut} actions more)`);
  return words.join('; ');
}

/** `files` are the cases of the violations, in their order. */
export function checkResult(check: KernelCheck, symbols: Pick<KernelSymbols, 'symbolAt'>, files: readonly string[]) {
  const { excursions, violations, missing, interrupted, runs, seed } = check;
  return {
    excursions: excursions.map(({ excursion, situations, events, failures, length, complete }) => ({
      ...excursion,
      words: EXCURSION_WORDS[excursion.name] ?? '',
      instructions: length,
      complete,
      boundaries: situations,
      events,
      violations: failures.length,
    })),
    totals: totals(excursions),
    missing,
    interrupted,
    random: { seed, runs: runs.length, ...sumOf(runs) },
    violations: violations.map(({ first, excursion, seed: found, count }, i) => ({
      ...first,
      rip: placeOf(symbols, first.rip),
      excursion,
      ...(found === undefined ? {} : { seed: found }),
      count,
      file: files[i],
    })),
  };
}
