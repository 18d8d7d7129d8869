/** What the comparison says, for people. */
import { alignedTable } from '../../report/aligned-table';
import { grouped } from '../../report/numbers';
import type { Comparison, Result } from './comparison';
import type { ProbeRates } from './probes';
import { DESIGN } from './sizes';

const HEADS = [
  'checker',
  'median s',
  'least',
  'most',
  'CPU s',
  'to ours',
  'M states/s',
  'M transitions/s',
  'bytes/state',
  '(search)',
];
/** From here on a state takes less than a byte. */
const MANY_STATES = 1e8;
const ALIGNS = ['left', ...HEADS.slice(1).map(() => 'right' as const)] as const;

const medianOf = (results: readonly Result[], id: string) => results.find((result) => result.id === id)?.seconds.median;

function row(
  { name, seconds, cpuSeconds, peakBytes, searchBytes, searches }: Result,
  { states, transitions }: Comparison,
  oursSeconds: number | undefined,
) {
  return [
    name,
    ...[seconds.median, seconds.min, seconds.max].map((value) => value.toFixed(2)),
    cpuSeconds === undefined ? '-' : cpuSeconds.toFixed(2),
    oursSeconds === undefined ? '-' : (seconds.median / oursSeconds).toFixed(2),
    ...[states, transitions].map((count) => (searches ? (count / seconds.median / 1e6).toFixed(3) : '-')),
    peakBytes === undefined || !searches ? '-' : (peakBytes / states).toFixed(states > MANY_STATES ? 2 : 0),
    searchBytes === undefined ? '-' : (searchBytes / states).toFixed(states > MANY_STATES ? 2 : 1),
  ];
}

/** One size. `packedBytes` is what a state takes that is packed bit by bit, as in our search with a trace. */
export function comparisonInWords(comparison: Comparison, packedBytes: number): string[] {
  const { size, repetitions, states, transitions, results } = comparison;
  const bounds = Object.entries(size.bounds).map(([name, value]) => `--${name} ${value}`);
  const [one, two] = [medianOf(results, 'ours-1'), medianOf(results, 'ours-2')];
  const vector = results.find(({ vectorBytes }) => vectorBytes !== undefined)?.vectorBytes;
  const runs = repetitions === 1 ? 'one run each' : `${repetitions} interleaved runs each`;
  return [
    `${size.name}: ${DESIGN} ${bounds.join(' ')}`,
    `${grouped(states)} states, ${grouped(transitions)} transitions, counted alike by all in every run; ${runs}`,
    ...alignedTable(
      HEADS,
      ALIGNS,
      results.map((result) => row(result, comparison, one)),
    ),
    ...(one === undefined || two === undefined ? [] : [`2 threads are ${(one / two).toFixed(2)} times as fast as 1`]),
    `a packed state has ${packedBytes} bytes${vector === undefined ? '' : `, a state vector of SPIN ${vector}`}`,
  ];
}

export const LEGEND = [
  'seconds: wall time of the whole process, without translation and compilation; to ours: median over that of one thread of ours;',
  'CPU s: user and system time of all threads of the process (of SPIN on 2 cores: of the first one);',
  'ours keeps its translation from one run to the next; the steps that a search has learnt are forgotten before each run, except in the rows `again`;',
  'bytes/state: peak of resident memory of the whole process over the states (of SPIN on 2 cores: of the first, which maps what both share);',
  '(search): of that, what states took at most, set and frontier, by the own account of ours',
];

/** How each checker was made and called at the last size; tables of other sizes have other capacities. */
export function recipesInWords(comparison: Comparison | undefined): string[] {
  if (comparison === undefined) return [];
  return [`at ${comparison.size.name}:`, ...comparison.results.map(({ name, recipe }) => `  ${name}: ${recipe}`)];
}

export function probesInWords({ mebibytes, javascript, c }: ProbeRates): string {
  const inC = c === undefined ? '' : `, ${(c / 1e6).toFixed(1)} M/s in C`;
  return `physical limit: 8 bytes read, changed and written at random in a table of ${mebibytes} MiB, one thread: ${(javascript / 1e6).toFixed(1)} M/s in JavaScript${inC}`;
}
