/**
 * A guest image in lock-step with QEMU, from the first instruction of its boot code. Run by scripts/qemu-lockstep.sh,
 * which looks for QEMU first.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { disassemble, symbolText } from '../emulator/disassemble';
import { ElfError, type ElfImage, readElf } from '../emulator/elf/elf-image';
import { ACCEPTED_DIFFERENCES, type Difference } from '../emulator/oracle/accepted-differences';
import { type LockstepEnd, LockstepError, type LockstepResult, lockstep } from '../emulator/oracle/lockstep';
import { Qemu } from '../emulator/oracle/qemu';
import { qemuVersion } from '../emulator/oracle/qemu-process';
import { hexVa } from '../emulator/words';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';

const PROGRAM = process.env.QEMU ?? 'qemu-system-x86_64';
const GUESTS = join(__dirname, '../emulator/guest');
/** Whose differences emulator/oracle/accepted-differences.ts lists. */
const LISTED = '7.2';
/** Differences that are printed. */
const SHOWN = 20;
/** The timer, and the interrupt that asks a CPU to schedule. */
const VECTORS = [0x20, 0xfd];

async function main(): Promise<number> {
  const options = await yargs(process.argv.slice(2))
    .scriptName('scripts/qemu-lockstep.sh')
    .usage(
      '$0 [options]\n\nRuns a guest in lock-step with QEMU. Exit code 1: a difference that nothing explains, or a guest that stops before all steps are done.',
    )
    .option('design', { type: 'string', default: 'mainline', describe: 'its image without PCID, which QEMU lacks' })
    .option('image', { type: 'string', describe: 'an ELF file without PCID, in place of --design', requiresArg: true })
    .option('steps', { type: 'number', default: 100_000, describe: 'instructions and deliveries' })
    .option('seed', { type: 'string', default: '1', describe: 'of choices and events' })
    .option('tasks', { type: 'number', default: 3 })
    .option('mms', { type: 'number', default: 2 })
    .option('nmi-every', { type: 'number', default: 500, describe: 'mean number of steps from NMI to NMI; 0: none' })
    .option('irq-every', { type: 'number', default: 250, describe: 'mean number of steps between interrupts; 0: none' })
    .option('interval', { type: 'number', default: 1000, describe: 'steps between two comparisons of all RAM' })
    .strict()
    .version(false)
    .fail((message: string, error: Error | undefined) => {
      console.error(error?.message ?? `${message}; --help lists the options`);
      process.exit(2);
    })
    .parseAsync();
  for (const name of ['steps', 'tasks', 'mms', 'interval'] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1)
      return badInput(`--${name}: expected a whole number above 0, found ${options[name]}`);
  for (const name of ['nmi-every', 'irq-every'] as const)
    if (!(options[name] === 0 || options[name] >= 1))
      return badInput(`--${name}: expected 0 or a number from 1 on, found ${options[name]}`);
  const path = options.image ?? join(GUESTS, options.design, `${options.design}-nopcid.elf`);
  if (!existsSync(path))
    return options.image === undefined
      ? badInput(`--design: expected one of ${designs().join(', ')}, found "${options.design}"`)
      : badInput(`--image: expected an ELF file, found nothing at ${path}`);
  const image = readElf(readFileSync(path), path);
  for (const name of ['tasks', 'mms'] as const) {
    const most = image.symbol(`manifest.max_${name}`) ?? 1;
    if (options[name] > most)
      return badInput(`--${name}: expected 1 to ${most} (what the image can boot), found ${options[name]}`);
  }
  const version = qemuVersion(PROGRAM);
  if (version === undefined) {
    console.log(`NOT RUN: ${PROGRAM} cannot be run (Debian: apt-get install qemu-system-x86)`);
    return 0;
  }
  console.log(`${options.image ?? options.design} in lock-step with ${version}, seed ${options.seed}`);
  const started = performance.now();
  const qemu = await Qemu.start(PROGRAM);
  try {
    const result = await lockstep(image, qemu, {
      steps: options.steps,
      tasks: options.tasks,
      mms: options.mms,
      random: randomStream(options.seed),
      nmiRate: rate(options['nmi-every']),
      irqRate: rate(options['irq-every']),
      vectors: VECTORS,
      interval: options.interval,
    });
    console.log(table(result, (performance.now() - started) / 1000).join('\n'));
    if (result.end === undefined) return 0;
    console.log(ending(image, result, result.end).join('\n'));
    if (!version.includes(`version ${LISTED}`))
      console.log(`the accepted differences were written down for QEMU ${LISTED}: this one may have others`);
    console.log(`again: scripts/qemu-lockstep.sh ${againArguments(options, result.end.step)}`);
    return 1;
  } finally {
    qemu.stop();
  }
}

function badInput(sentence: string): number {
  console.error(sentence);
  return 2;
}

/** All of them: what a run does depends on each. */
function againArguments(options: Record<string, unknown>, step: number): string {
  const names = [
    options.image === undefined ? 'design' : 'image',
    'seed',
    'tasks',
    'mms',
    'nmi-every',
    'irq-every',
    'interval',
  ];
  return [...names.map((name) => `--${name} ${options[name]}`), `--steps ${step}`].join(' ');
}

function designs(): string[] {
  return readdirSync(GUESTS).filter((name) => existsSync(join(GUESTS, name, `${name}-nopcid.elf`)));
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
    ['comparisons of all RAM', `${counts.wholeComparisons}`],
    ...ACCEPTED_DIFFERENCES.map(({ name }): [string, string] => [
      `accepted: ${name}`,
      `${counts.accepted.get(name) ?? 0}`,
    ]),
    ['unexplained differences', `${end?.reason === 'difference' ? end.differences.length : 0}`],
    ['steps a second', `${Math.round(counts.steps / seconds)}`],
  ];
  return alignedTable(['', 'count'], ['left', 'right'], rows);
}

function ending(image: ElfImage, { machine }: LockstepResult, end: LockstepEnd): string[] {
  const text = disassemble(machine, end.root, end.va, image);
  const symbol = image.symbolAt(end.va);
  const where = symbol === undefined ? '' : ` <${symbolText(symbol)}>`;
  return [
    `step ${end.step}: ${REASONS[end.reason]}`,
    `  at ${hexVa(end.va)}${where}: ${text}${end.event === '' ? '' : ` (delivered: ${end.event})`}`,
    ...end.differences.slice(0, SHOWN).map((difference) => `  ${describe(difference)}`),
    ...(end.differences.length > SHOWN ? [`  and ${end.differences.length - SHOWN} more`] : []),
    ...(end.step - end.equalAfter > 1
      ? [
          `found by comparing all RAM: it came in one of the steps ${end.equalAfter + 1} to ${end.step}; --interval 1 says in which`,
        ]
      : []),
  ];
}

const REASONS = {
  difference: 'the machines differ, and nothing in emulator/oracle/accepted-differences.ts says why',
  halted: 'the guest has halted for good',
  shutdown: 'the guest has shut down (triple fault)',
} as const;

function describe(difference: Difference): string {
  const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
  return difference.kind === 'register'
    ? `${difference.name}: emulator ${hex(difference.ours)}, QEMU ${hex(difference.theirs)}`
    : `memory at physical ${hex(difference.pa)}: emulator ${hex(difference.ours >>> 0)}, QEMU ${hex(difference.theirs >>> 0)}`;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(`${error.name}: ${error.message}`);
    process.exitCode = error instanceof ElfError || error instanceof LockstepError ? 2 : 1;
  },
);
