/**
 * Guest images beside QEMU in epochs: both run to the next return to user mode, and then everything is compared. Run by
 * scripts/qemu-epochs.sh.
 */
import { ElfError, type ElfImage } from '../emulator/elf/elf-image';
import { ACCEPTED_DIVERGENCES } from '../emulator/oracle/accepted-divergences';
import { LockstepError } from '../emulator/oracle/both-machines';
import { type EpochResult, epochs } from '../emulator/oracle/epochs';
import { Qemu } from '../emulator/oracle/qemu';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import {
  acceptedRows,
  again,
  allDesigns,
  describeDifferences,
  describeEnd,
  OptionError,
  type Options,
  otherVersion,
  PROGRAM,
  readImage,
  readOptions,
  VECTORS,
  versionOrNotRun,
} from './qemu-options';
import { runScript } from './run-script';

const SCRIPT = 'scripts/qemu-epochs.sh';

async function main(): Promise<number> {
  const options = await readOptions({
    script: SCRIPT,
    does: 'Compares guests with QEMU in epochs: at each return to user mode, and at random boundaries in between.',
    designs: allDesigns().join(','),
    steps: 1_000_000,
    nmiEvery: 2000,
    irqEvery: 400,
    own: { name: 'length', value: 300, describe: 'mean number of steps of an epoch without a return to user mode' },
  });
  const images = options.designs.map((design): [string, ElfImage] => [design, readImage(design, options)]);
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  console.log(`in epochs with ${version}, seed ${options.seed}`);
  const results: [string, EpochResult, number][] = [];
  for (const [design, image] of images) {
    const started = performance.now();
    const result = await compare(image, options);
    results.push([design, result, (performance.now() - started) / 1000]);
    if (result.end !== undefined) break;
  }
  console.log(table(results).join('\n'));
  const [design, last] = results[results.length - 1];
  if (last.end === undefined) return 0;
  console.log(ending(readImage(design, options), last).join('\n'));
  const other = otherVersion(version);
  if (other !== undefined) console.log(other);
  console.log(again(SCRIPT, design, options, 'length', last.end.step));
  return 1;
}

async function compare(image: ElfImage, options: Options): Promise<EpochResult> {
  const { steps, cpus, tasks, mms, nmiEvery, irqEvery } = options;
  const qemu = await Qemu.start(PROGRAM, { cpus });
  try {
    return await epochs(image, qemu, {
      steps,
      cpus,
      tasks,
      mms,
      random: randomStream(options.seed),
      nmiEvery: nmiEvery === 0 ? Number.POSITIVE_INFINITY : nmiEvery,
      irqEvery: irqEvery === 0 ? Number.POSITIVE_INFINITY : irqEvery,
      vectors: VECTORS,
      length: options.own,
    });
  } finally {
    qemu.stop();
  }
}

function table(results: readonly (readonly [string, EpochResult, number])[]): string[] {
  const count = (pick: (result: EpochResult, seconds: number) => number | string) =>
    results.map(([, result, seconds]) => `${pick(result, seconds)}`);
  const accepted = results.map(([, { counts }]) => acceptedRows(counts.accepted));
  const rows = [
    ['steps', ...count(({ counts }) => counts.steps)],
    ['epochs', ...count(({ counts }) => counts.epochs)],
    ['returns to user mode', ...count(({ counts }) => counts.returns)],
    ['IRQs', ...count(({ counts }) => counts.irqs)],
    ['NMIs', ...count(({ counts }) => counts.nmis)],
    ['faults', ...count(({ counts }) => counts.faults)],
    ['halts', ...count(({ counts }) => counts.halts)],
    ['changes of the CPU', ...count(({ counts }) => counts.switches)],
    ['begun again', ...count(({ counts }) => counts.restarts)],
    ...accepted[0].map(([name], i) => [name, ...accepted.map((list) => list[i][1])]),
    ...ACCEPTED_DIVERGENCES.map(({ name }) => [
      `ended, accepted: ${name}`,
      ...count(({ counts }) => counts.accepted.get(name) ?? 0),
    ]).filter((row) => row.slice(1).some((cell) => cell !== '0')),
    ['epochs done again by steps', ...count(({ counts }) => counts.localised)],
    ['unexplained differences', ...count(({ end }) => (end === undefined ? 0 : end.differences.length))],
    ['steps a second', ...count(({ counts }, seconds) => Math.round(counts.steps / seconds))],
  ];
  return alignedTable(
    ['', ...results.map(([design]) => design)],
    ['left', ...results.map(() => 'right' as const)],
    rows,
  );
}

function ending(image: ElfImage, { machine, end }: EpochResult): string[] {
  if (end === undefined) return [];
  if (end.found !== undefined) return describeEnd(image, machine, end.found);
  return [
    `step ${end.step}: at the end of an epoch the machines differ, but not in lock-step`,
    ...describeDifferences(end.differences),
  ];
}

runScript(main, [ElfError, LockstepError, OptionError]);
