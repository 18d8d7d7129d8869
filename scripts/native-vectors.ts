/** Instructions of user mode on this processor and in the emulator. Run by scripts/native-vectors.sh. */
import { join } from 'node:path';
import yargs from 'yargs';
import { compareWithHost, type NativeResult } from '../emulator/oracle/native/native-oracle';
import { assembleProgram, assemblerVersion, hostVendor, NativeProgram } from '../emulator/oracle/native/native-program';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import { runScript } from './run-script';

const SCRIPT = 'scripts/native-vectors.sh';
const SOURCE = join(__dirname, '../emulator/oracle/native/runner.S');
/** Random encodings that are looked at: enough for every form. */
const ENCODINGS = 400_000;
/** Differences that are printed. */
const SHOWN = 10;

async function main(): Promise<number> {
  const { seed, instances } = await yargs(process.argv.slice(2))
    .scriptName(SCRIPT)
    .usage('$0 [options]\n\nCompares instructions at CPL 3 with this processor. Exit code 1: a difference.')
    .option('seed', { type: 'string', default: '1', describe: 'of instructions and registers' })
    .option('instances', { type: 'number', default: 100_000, describe: 'instructions that are compared' })
    .strict()
    .version(false)
    .parseAsync();
  const vendor = hostVendor();
  const assembler = assemblerVersion();
  if (vendor === undefined || assembler === undefined) {
    const missing =
      vendor === undefined ? 'an x86-64 Linux on a processor of Intel or AMD' : 'GNU binutils (Debian: binutils)';
    console.log(`NOT RUN: no instruction was compared with this processor, because that needs ${missing}`);
    return 0;
  }
  const started = performance.now();
  const program = new NativeProgram(assembleProgram(SOURCE));
  try {
    const options = {
      random: randomStream(seed),
      vendor,
      instances,
      encodings: ENCODINGS,
      mostDifferences: SHOWN,
    };
    const result = await compareWithHost(program, options);
    const seconds = (performance.now() - started) / 1000;
    console.log(`beside this processor (${vendor}), seed ${seed}`);
    console.log(table(result, seconds).join('\n'));
    return report(result, seed);
  } finally {
    program.stop();
  }
}

function table(
  { instances, leftOut, mnemonics, faults, accepted, differences }: NativeResult,
  seconds: number,
): string[] {
  const faulted = [...faults].filter(([vector]) => vector !== 3).sort(([a], [b]) => a - b);
  const rows: [string, string][] = [
    ['instructions', `${instances}`],
    ['mnemonics', `${mnemonics.size}`],
    ['left out: nothing to compare', `${leftOut}`],
    ...faulted.map(([vector, times]): [string, string] => [`of vector ${vector}`, `${times}`]),
    ...[...accepted].sort().map(([name, times]): [string, string] => [`accepted: ${name}`, `${times}`]),
    ['differences', `${differences.length}`],
    ['instructions a second', `${Math.round(instances / seconds)}`],
  ];
  return alignedTable(['', 'count'], ['left', 'right'], rows);
}

function report({ differences }: NativeResult, seed: string): number {
  for (const { instance, code, before, found } of differences.slice(0, SHOWN))
    console.log(
      [`instruction ${instance}: ${code}`, `  ${before.join(' ')}`, ...found.map((line) => `  ${line}`)].join('\n'),
    );
  if (differences.length === 0) return 0;
  const last = differences[Math.min(differences.length, SHOWN) - 1].instance;
  console.log(`again: ${SCRIPT} --seed ${seed} --instances ${last + 1}`);
  return 1;
}

runScript(main);
