/**
 * `npm run bench:checker`: our exhaustive search against SPIN and rumur on the exported model, at three sizes; a fourth
 * one, without bounds of events, is ours alone. Plain Node on the built files, on a machine that does nothing else.
 * Most of the time is rumur's and that of SPIN's minimised automaton; the flags ask for a part:
 *
 *   npm run bench:checker -- --sizes 1M,6M --checkers ours-1,ours-2,spin-dfs --repetitions 3 --json result.json
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CompiledModel } from '../../../model/checker/compiled/compiled-model';
import { machineName } from '../machine';
import { type Comparison, type LeftOut, Race } from './comparison';
import { CONTESTANTS, type Contestant, modelOf } from './contestants';
import { type ProbeRates, probeRates } from './probes';
import { comparisonInWords, LEGEND, probesInWords, recipesInWords } from './report';
import { SIZES, type Size } from './sizes';

const PROBE_RUNS = 5;

/** How each tool is asked for its version. */
const TOOLS: Readonly<Record<string, string>> = { gcc: '--version', spin: '-V', rumur: '--version' };

interface Plan {
  readonly sizes: readonly Size[];
  readonly contestants: readonly Contestant[];
  readonly repetitions: number | undefined;
  readonly json: string | undefined;
}

function chosen<T>(flag: string, asked: string | undefined, all: readonly T[], nameOf: (one: T) => string): T[] {
  if (asked === undefined) return [...all];
  return asked.split(',').map((name) => {
    const found = all.find((one) => nameOf(one) === name);
    if (found !== undefined) return found;
    throw new RangeError(`--${flag}: expected some of ${all.map(nameOf).join(',')}, found ${JSON.stringify(name)}`);
  });
}

function planOf(args: readonly string[]): Plan {
  const value = { type: 'string' } as const;
  const options = { sizes: value, checkers: value, repetitions: value, json: value };
  const { values } = parseArgs({ args: [...args], options });
  const repetitions = values.repetitions === undefined ? undefined : Number(values.repetitions);
  if (repetitions !== undefined && !(Number.isInteger(repetitions) && repetitions >= 1))
    throw new RangeError(`--repetitions: expected a whole number of at least 1, found ${values.repetitions}`);
  return {
    sizes: chosen('sizes', values.sizes, SIZES, ({ name }) => name),
    contestants: chosen('checkers', values.checkers, CONTESTANTS, ({ id }) => id),
    repetitions,
    json: values.json,
  };
}

/** The first line that a tool says of itself; undefined where it is not installed. */
function versionOf(tool: string): string | undefined {
  try {
    return execFileSync(tool, [TOOLS[tool]], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

interface Report {
  readonly command: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly comparisons: readonly (Comparison & { readonly packedBytes: number; readonly probes: ProbeRates })[];
  readonly missing: readonly LeftOut[];
}

/** Contestants whose tools are there, and those that are left out before anything runs. */
function available(contestants: readonly Contestant[], versions: Readonly<Record<string, string>>) {
  const lacks = ({ tools }: Contestant) => tools.filter((tool) => versions[tool] === undefined);
  const missing = contestants
    .filter((one) => lacks(one).length > 0)
    .map((one) => ({ size: 'all sizes', name: one.name, reason: `${lacks(one).join(' and ')} not installed` }));
  return { present: contestants.filter((one) => lacks(one).length === 0), missing };
}

async function measure(plan: Plan, command: string, folder: string): Promise<Report> {
  const progress = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const found = Object.keys(TOOLS).map((tool) => [tool, versionOf(tool)]);
  const versions = Object.fromEntries(found.filter(([, version]) => version !== undefined)) as Record<string, string>;
  const { present, missing } = available(plan.contestants, versions);
  const comparisons: Report['comparisons'][number][] = [];
  for (const size of plan.sizes) {
    const entrants = present.filter(({ id }) => !size.without.includes(id));
    const race = new Race(size, progress);
    const comparison = await race.run(entrants, plan.repetitions ?? size.repetitions, path.join(folder, size.name));
    const packedBytes = new CompiledModel(modelOf(size)).words * 4;
    progress(`${size.name}, probes`);
    const setBytes = comparison.results.find(({ searchBytes }) => searchBytes !== undefined)?.searchBytes;
    const bytes = setBytes ?? comparison.states * packedBytes;
    const probes = await probeRates(folder, versions.gcc !== undefined, PROBE_RUNS, bytes);
    comparisons.push({ ...comparison, packedBytes, probes });
  }
  progress('');
  return { command, machine: machineName(), versions, comparisons, missing };
}

function leftOutOf({ comparisons, missing }: Report): LeftOut[] {
  return [...missing, ...comparisons.flatMap(({ leftOut }) => leftOut)];
}

function inWords(report: Report): string {
  const { command, machine, versions, comparisons } = report;
  const notes = leftOutOf(report).map(({ size, name, reason }) => `LEFT OUT at ${size}: ${name}: ${reason}`);
  return [
    `$ ${command}`,
    machine,
    ...Object.values(versions),
    ...comparisons.flatMap((comparison) => [
      '',
      ...comparisonInWords(comparison, comparison.packedBytes),
      probesInWords(comparison.probes),
    ]),
    '',
    ...LEGEND,
    ...notes,
    ...recipesInWords(comparisons.at(-1)),
  ].join('\n');
}

async function main(args: readonly string[]): Promise<void> {
  const plan = planOf(args);
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-checker-'));
  try {
    const command = ['npm run bench:checker', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
    const report = await measure(plan, command, folder);
    console.log(inWords(report));
    if (plan.json !== undefined) writeFileSync(plan.json, `${JSON.stringify(report, undefined, 2)}\n`);
    // What is not installed is only said; what was there and failed is a failure.
    if (report.comparisons.some(({ leftOut }) => leftOut.length > 0)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
