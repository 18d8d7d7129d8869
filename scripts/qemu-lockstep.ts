/**
 * A guest image in lock-step with QEMU, from the first instruction of its boot code. Run by scripts/qemu-lockstep.sh,
 * which looks for QEMU first.
 */
import { ElfError, type ElfImage } from '../emulator/elf/elf-image';
import { LockstepError } from '../emulator/oracle/both-machines';
import { lockstep } from '../emulator/oracle/lockstep';
import type { LockstepResult } from '../emulator/oracle/lockstep-result';
import { Qemu } from '../emulator/oracle/qemu';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import {
  acceptedRows,
  again,
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

const SCRIPT = 'scripts/qemu-lockstep.sh';
/** With several CPUs: that one is chosen anew before a step. */
const SWITCH_RATE = 0.05;

async function main(): Promise<number> {
  const options = await readOptions({
    script: SCRIPT,
    does: 'Runs a guest in lock-step with QEMU.',
    designs: 'mainline',
    steps: 100_000,
    nmiEvery: 500,
    irqEvery: 250,
    own: { name: 'interval', value: 1000, describe: 'steps between two comparisons of all RAM' },
  });
  const images = options.designs.map((design): [string, ElfImage] => [design, readImage(design, options)]);
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  let code = 0;
  for (const [design, image] of images) code = Math.max(code, await compare(design, image, options, version));
  return code;
}

async function compare(design: string, image: ElfImage, options: Options, version: string): Promise<number> {
  console.log(`${options.image ?? design} in lock-step with ${version}, seed ${options.seed}`);
  const started = performance.now();
  const qemu = await Qemu.start(PROGRAM, { cpus: options.cpus });
  try {
    const result = await lockstep(image, qemu, {
      steps: options.steps,
      cpus: options.cpus,
      tasks: options.tasks,
      mms: options.mms,
      random: randomStream(options.seed),
      nmiRate: rate(options.nmiEvery),
      irqRate: rate(options.irqEvery),
      switchRate: SWITCH_RATE,
      vectors: VECTORS,
      interval: options.own,
    });
    console.log(table(result, (performance.now() - started) / 1000).join('\n'));
    const { end } = result;
    if (end === undefined) return 0;
    console.log(describeEnd(image, result.machine, end).join('\n'));
    if (end.step - end.equalAfter > 1)
      console.log(
        `found by comparing all RAM: it came in one of the steps ${end.equalAfter + 1} to ${end.step}; --interval 1 says in which`,
      );
    const other = otherVersion(version);
    if (other !== undefined) console.log(other);
    console.log(again(SCRIPT, design, options, 'interval', end.step));
    return 1;
  } finally {
    qemu.stop();
  }
}

function rate(every: number): number {
  return every > 0 ? 1 / every : 0;
}

function table({ counts, end }: LockstepResult, seconds: number): string[] {
  const rows: [string, string][] = [
    ['steps', `${counts.steps}`],
    ['of them boot', `${counts.boot}`],
    ['IRQs', `${counts.irqs}`],
    ['NMIs', `${counts.nmis}`],
    ['faults', `${counts.faults}`],
    ['halts', `${counts.halts}`],
    ['changes of the CPU', `${counts.switches}`],
    ['comparisons of all RAM', `${counts.wholeComparisons}`],
    ...acceptedRows(counts.accepted),
    ['unexplained differences', `${end?.reason === 'difference' ? end.differences.length : 0}`],
    ['steps a second', `${Math.round(counts.steps / seconds)}`],
  ];
  return alignedTable(['', 'count'], ['left', 'right'], rows);
}

runScript(main, [ElfError, LockstepError, OptionError]);
