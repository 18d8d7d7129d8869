/** What the two scripts that compare a guest with QEMU share: their options, the image, the words of a difference. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { disassemble, symbolText } from '../emulator/disassemble';
import { type ElfImage, readElf } from '../emulator/elf/elf-image';
import type { Machine } from '../emulator/machine';
import { ACCEPTED_DIFFERENCES, type Difference } from '../emulator/oracle/accepted-differences';
import type { LockstepEnd } from '../emulator/oracle/lockstep-result';
import { qemuVersion } from '../emulator/oracle/qemu-process';
import { hexVa } from '../emulator/words';

export const PROGRAM = process.env.QEMU ?? 'qemu-system-x86_64';
const GUESTS = join(__dirname, '../emulator/guest');
/** Whose differences emulator/oracle/accepted-differences.ts lists. */
const LISTED = '7.2';
/** Differences that are printed. */
const SHOWN = 20;
/** The timer, and the interrupt that asks a CPU to schedule. */
export const VECTORS = [0x20, 0xfd];

/** Bad input: one sentence, exit code 2. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** What differs between the two scripts in their options. */
interface Defaults {
  readonly script: string;
  readonly does: string;
  readonly designs: string;
  readonly steps: number;
  readonly nmiEvery: number;
  readonly irqEvery: number;
  /** The option that only this script has. */
  readonly own: { readonly name: 'interval' | 'length'; readonly value: number; readonly describe: string };
}

export interface Options {
  readonly designs: readonly string[];
  readonly image: string | undefined;
  readonly steps: number;
  readonly seed: string;
  readonly cpus: number;
  readonly tasks: number;
  readonly mms: number;
  readonly nmiEvery: number;
  readonly irqEvery: number;
  readonly own: number;
}

export async function readOptions(defaults: Defaults): Promise<Options> {
  const { own } = defaults;
  const options = await yargs(process.argv.slice(2))
    .scriptName(defaults.script)
    .usage(
      `$0 [options]\n\n${defaults.does} Exit code 1: a difference that nothing explains, or a guest that stops before all steps are done.`,
    )
    .option('design', {
      type: 'string',
      default: defaults.designs,
      describe: 'its image without PCID, which QEMU lacks; several with commas',
    })
    .option('image', { type: 'string', describe: 'an ELF file without PCID, in place of --design', requiresArg: true })
    .option('steps', { type: 'number', default: defaults.steps, describe: 'instructions and deliveries, a design' })
    .option('seed', { type: 'string', default: '1', describe: 'of choices and events' })
    .option('cpus', { type: 'number', default: 1, describe: 'one of them runs at a time' })
    .option('tasks', { type: 'number', default: 3 })
    .option('mms', { type: 'number', default: 2 })
    .option('nmi-every', {
      type: 'number',
      default: defaults.nmiEvery,
      describe: 'mean number of steps from NMI to NMI; 0: none',
    })
    .option('irq-every', {
      type: 'number',
      default: defaults.irqEvery,
      describe: 'mean number of steps between interrupts; 0: none',
    })
    .option(own.name, { type: 'number', default: own.value, describe: own.describe })
    .strict()
    .version(false)
    .fail((message: string, error: Error | undefined) => {
      console.error(error?.message ?? `${message}; --help lists the options`);
      process.exit(2);
    })
    .parseAsync();
  const ownValue = options[own.name];
  if (typeof ownValue !== 'number') throw new OptionError(`--${own.name}: expected a number`);
  const counts = {
    steps: options.steps,
    cpus: options.cpus,
    tasks: options.tasks,
    mms: options.mms,
    [own.name]: ownValue,
  };
  for (const [name, value] of Object.entries(counts))
    if (!Number.isInteger(value) || value < 1)
      throw new OptionError(`--${name}: expected a whole number above 0, found ${value}`);
  for (const name of ['nmi-every', 'irq-every'] as const)
    if (!(options[name] === 0 || options[name] >= 1))
      throw new OptionError(`--${name}: expected 0 or a number from 1 on, found ${options[name]}`);
  const { image, steps, seed, cpus, tasks, mms } = options;
  const designs = options.design.split(',');
  return {
    designs,
    image,
    steps,
    seed,
    cpus,
    tasks,
    mms,
    nmiEvery: options.nmiEvery,
    irqEvery: options.irqEvery,
    own: ownValue,
  };
}

/** The image of a design, or that of --image, if it can boot as many tasks and mms as are asked for. */
export function readImage(design: string, options: Options): ElfImage {
  const path = options.image ?? join(GUESTS, design, `${design}-nopcid.elf`);
  if (!existsSync(path))
    throw new OptionError(
      options.image === undefined
        ? `--design: expected one of ${allDesigns().join(', ')}, found "${design}"`
        : `--image: expected an ELF file, found nothing at ${path}`,
    );
  const image = readElf(readFileSync(path), path);
  for (const name of ['cpus', 'tasks', 'mms'] as const) {
    const most = image.symbol(`manifest.max_${name}`) ?? 1;
    if (options[name] > most)
      throw new OptionError(`--${name}: expected 1 to ${most} (what the image can boot), found ${options[name]}`);
  }
  return image;
}

export function allDesigns(): string[] {
  return readdirSync(GUESTS).filter((name) => existsSync(join(GUESTS, name, `${name}-nopcid.elf`)));
}

/** QEMU's version, or undefined, which it says. */
export function versionOrNotRun(): string | undefined {
  const version = qemuVersion(PROGRAM);
  if (version === undefined) console.log(`NOT RUN: ${PROGRAM} cannot be run (Debian: apt-get install qemu-system-x86)`);
  return version;
}

export function acceptedRows(accepted: ReadonlyMap<string, number>): [string, string][] {
  return ACCEPTED_DIFFERENCES.map(({ name }): [string, string] => [`accepted: ${name}`, `${accepted.get(name) ?? 0}`]);
}

/** Where lock-step has ended, and how the machines differ there. */
export function describeEnd(image: ElfImage, machine: Machine, end: LockstepEnd): string[] {
  const text = disassemble(machine, end.root, end.va, image);
  const symbol = image.symbolAt(end.va);
  const where = symbol === undefined ? '' : ` <${symbolText(symbol)}>`;
  return [
    `step ${end.step}: ${REASONS[end.reason]}`,
    `  at ${hexVa(end.va)}${where}: ${text}${end.event === '' ? '' : ` (delivered: ${end.event})`}`,
    ...describeDifferences(end.differences),
  ];
}

export function describeDifferences(differences: readonly Difference[], other = 'QEMU'): string[] {
  return [
    ...differences.slice(0, SHOWN).map((difference) => `  ${describe(difference, other)}`),
    ...(differences.length > SHOWN ? [`  and ${differences.length - SHOWN} more`] : []),
  ];
}

/** Undefined for the version that the accepted differences were written down for. */
export function otherVersion(version: string): string | undefined {
  return version.includes(`version ${LISTED}`)
    ? undefined
    : `the accepted differences were written down for QEMU ${LISTED}: this one may have others`;
}

/** All options, because what a run does depends on each. */
export function again(script: string, design: string, options: Options, own: string, steps: number): string {
  const { image, seed, cpus, tasks, mms, nmiEvery, irqEvery } = options;
  return [
    `again: ${script}`,
    image === undefined ? `--design ${design}` : `--image ${image}`,
    `--seed ${seed} --cpus ${cpus} --tasks ${tasks} --mms ${mms} --nmi-every ${nmiEvery} --irq-every ${irqEvery}`,
    `--${own} ${options.own} --steps ${steps}`,
  ].join(' ');
}

const REASONS = {
  difference: 'the machines differ, and nothing in emulator/oracle/accepted-differences.ts says why',
  halted: 'the guest has halted for good',
  shutdown: 'the guest has shut down (triple fault)',
} as const;

function describe(difference: Difference, other: string): string {
  const hex = (value: bigint | number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
  return difference.kind === 'register'
    ? `${difference.name}: emulator ${hex(difference.ours)}, ${other} ${hex(difference.theirs)}`
    : `memory at physical ${hex(difference.pa)}: emulator ${hex(difference.ours >>> 0)}, ${other} ${hex(difference.theirs >>> 0)}`;
}
