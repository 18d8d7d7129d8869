/**
 * `npm run bench [-- --json] [-- --rounds N]`: how fast emulator, monitor, refinement, undo log, fuzzing and sweep are
 * on this machine. One table, or one JSON object on standard output. Plain Node only: Jest gives V8 other flags.
 */
import { inlineMore } from '../engine';
import { alignedTable } from '../report/aligned-table';
import { grouped } from '../report/numbers';
import { machineName } from './machine';
import { HAS_QEMU, MEASUREMENTS } from './measurements';
import { measureAll, serve } from './processes';
import { type Spread, spread } from './statistics';
import { QEMU } from './system-call-loop';

const LEAST_ROUNDS = 5;

interface Result extends Spread {
  readonly name: string;
  readonly unit: string;
  /** Of the medians, where the unit is the same as the first one's. */
  readonly ratioToBare?: number;
}

interface Report {
  readonly command: string;
  readonly machine: string;
  readonly rounds: number;
  readonly results: readonly Result[];
}

function report(values: readonly number[][], rounds: number, command: string): Report {
  const spreads = values.map(spread);
  const results = MEASUREMENTS.map(({ name, unit }, i) => ({
    name,
    unit,
    ...spreads[i],
    ...(unit === MEASUREMENTS[0].unit ? { ratioToBare: spreads[i].median / spreads[0].median } : {}),
  }));
  return { command, machine: machineName(), rounds, results };
}

function text({ command, machine, rounds, results }: Report): string {
  const rows = results.map(({ name, unit, min, median, max, ratioToBare }) => [
    name,
    unit,
    ...[min, median, max].map(figure),
    ratioToBare === undefined ? '' : ratioToBare.toFixed(2),
  ]);
  const heads = ['measurement', 'unit', 'min', 'median', 'max', 'of bare'];
  const table = alignedTable(heads, ['left', 'left', 'right', 'right', 'right', 'right'], rows);
  const how = `${rounds} interleaved rounds after a warm-up, each measurement in a process of its own, guest mainline`;
  const absent = HAS_QEMU ? [] : ['', `${QEMU} cannot be run here: no row for it`];
  return [`$ ${command}`, machine, how, '', ...table, ...absent].join('\n');
}

/** Three significant digits where there are not more before the point. */
function figure(value: number): string {
  return value < 100 ? value.toPrecision(3) : grouped(value);
}

function roundsAsked(args: readonly string[]): number {
  const at = args.indexOf('--rounds');
  if (at < 0) return LEAST_ROUNDS + 2;
  const rounds = Number(args[at + 1]);
  if (!Number.isInteger(rounds) || rounds < LEAST_ROUNDS)
    throw new RangeError(
      `--rounds: expected a whole number of at least ${LEAST_ROUNDS}, found ${args[at + 1] ?? 'nothing'}`,
    );
  return rounds;
}

async function main(args: readonly string[]): Promise<void> {
  const rounds = roundsAsked(args);
  const show = process.stderr.isTTY === true;
  const progress = (line: string): void => {
    if (show) process.stderr.write(`\r\x1b[K${line}`);
  };
  const values = await measureAll(__filename, rounds, progress);
  progress('');
  const result = report(values, rounds, ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '));
  console.log(args.includes('--json') ? JSON.stringify(result, undefined, 2) : text(result));
}

inlineMore();
const [flag, number] = process.argv.slice(2);
if (flag === '--measurement') serve(Number(number));
else
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
