/**
 * Reading flags. yargs gives strings; what they mean is decided here, so that every malformed value gets a sentence
 * that says what was expected.
 */
import type { ElfImage } from '../../emulator/elf/elf-image';
import type { Limit, OpenBounds } from '../../model/checker/language/schema-types';
import { designTable } from '../../model/design-config';
import type { DesignTable } from '../../model/designs/design-table';
import { DEFAULT_BOUNDS, VERIFY_BOUNDS } from '../../model/entry-model';
import { BadInputError } from '../bad-input';
import type { Budget, Shard } from '../campaign/dispatch';
import { DEFAULT_RUNS } from '../campaign/dispatch';
import { MACHINE_BOUNDS } from '../designs/bounds';
import { isDesignFile } from '../designs/design-file-name';
import { designImage } from '../designs/images';
import { DESIGNS, MUTANTS } from '../designs/registry';
import type { GuestBounds } from '../guest/guest-view';
import { readManifest } from '../guest/manifest';
import { PLANTS } from '../linux/plants';
import { didYouMean } from './did-you-mean';
import { commandName } from './output';

/** Bounds that the state of the abstract machine is meant for; far beyond what a search can finish. */
const MOST = {
  cpus: 8,
  tasks: 16,
  mms: 16,
  nesting: 8,
  nmis: 15,
  irqs: 15,
  workers: 64,
  threads: 64,
  runs: 1_000_000_000,
  seconds: 10_000_000,
  memory: 1_048_576,
  kernelMemory: 1024,
} as const;
/** A kernel with our program does not fit into less. */
const LEAST_KERNEL_MEMORY = 64;

/** A whole number from `least` to `most`; `why` says where that ends, if it is not obvious. */
function wholeNumber(flag: string, text: string, least: number, most: number, why = ''): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new BadInputError(
    `expected --${flag} to be a whole number from ${least} to ${most}${why}, found ${JSON.stringify(text)}`,
  );
}

/** A design or mutant that exists. */
export function knownDesign(id: string): string {
  if (designImage(id) !== undefined) return id;
  const designs = DESIGNS.map((d) => d.id);
  const meant = didYouMean(id, [...designs, ...MUTANTS.map((mutant) => mutant.id)]);
  throw new BadInputError(
    `expected --design to be one of ${designs.join(', ')}, a mutant of one, or a JSON file of a design, found ${JSON.stringify(id)}${meant || `; ${commandName()} designs lists them all`}`,
  );
}

/** The image of a design or mutant that exists. */
export function knownImage(id: string): ElfImage {
  const image = designImage(id);
  if (image === undefined) throw new BadInputError(`expected a design, found ${JSON.stringify(id)}`);
  return image;
}

/** What --design names: a design or mutant of ours, or the table in somebody's file. */
export interface DesignChoice {
  /** As it was typed: an id, or the name of the file. */
  readonly design: string;
  readonly table?: DesignTable;
}

function designFile(): typeof import('../designs/design-file') {
  // biome-ignore lint/style/noCommonJs: loaded late, because few command lines name a file, and its schema takes a tenth of a second to load
  return require('../designs/design-file');
}

export function chosenDesign(word: string): DesignChoice {
  return isDesignFile(word)
    ? { design: word, table: designFile().readDesignFile(word) }
    : { design: knownDesign(word) };
}

/** The designs that a command is about; without --design all of ours. */
export function designsOf(word: string | undefined): DesignChoice[] {
  return word === undefined ? DESIGNS.map((d) => ({ design: d.id })) : [chosenDesign(word)];
}

export interface BoundFlags {
  readonly cpus?: string | undefined;
  readonly tasks?: string | undefined;
  readonly mms?: string | undefined;
  readonly nesting?: string | undefined;
  readonly nmis?: string | undefined;
  readonly irqs?: string | undefined;
}

/**
 * Bounds of a search. Where nothing else is asked for, sizes are those of the design's image (a table has none), and
 * events and nesting are those of `otherwise`.
 */
export function boundsOf({ design, table }: DesignChoice, flags: BoundFlags, otherwise = VERIFY_BOUNDS): OpenBounds {
  const sizes = table === undefined ? readManifest(knownImage(design)) : DEFAULT_BOUNDS;
  const size = (name: 'cpus' | 'tasks' | 'mms') =>
    flags[name] === undefined ? sizes[name] : wholeNumber(name, flags[name], 1, MOST[name]);
  const limit = (name: 'nesting' | 'nmis' | 'irqs', least: number): Limit => {
    const asked = flags[name] ?? otherwise[name];
    return typeof asked === 'number' || asked === 'any'
      ? asked
      : wholeNumber(name, asked, least, MOST[name], ', or any');
  };
  return {
    cpus: size('cpus'),
    tasks: size('tasks'),
    mms: size('mms'),
    nesting: limit('nesting', 1),
    nmis: limit('nmis', 0),
    irqs: limit('irqs', 0),
  };
}

export type BootFlags = Pick<BoundFlags, 'cpus' | 'tasks' | 'mms'>;

/**
 * What an image is booted with: what both machines have by default, cut to what the image can boot. Throws
 * BadInputError for more than that.
 */
export function bootOf(image: ElfImage, flags: BootFlags): GuestBounds {
  const { maxCpus, maxTasks, maxMms } = readManifest(image);
  const bound = (name: keyof BootFlags, most: number) =>
    flags[name] === undefined
      ? Math.min(MACHINE_BOUNDS[name], most)
      : wholeNumber(name, flags[name], 1, most, ` (manifest.max_${name} of ${image.name})`);
  return { cpus: bound('cpus', maxCpus), tasks: bound('tasks', maxTasks), mms: bound('mms', maxMms) };
}

/** Refuses a mutant whose planted bug lies below the abstraction. */
export function expressible(choice: DesignChoice): DesignChoice {
  const { design, table } = choice;
  if (table !== undefined || designTable(design) !== undefined) return choice;
  throw new BadInputError(
    `expected a design or mutant that the abstract machine can express, found ${design}, whose planted bug lies below its abstraction; ${commandName()} fuzz --design ${design} checks it on the emulator`,
  );
}

/** `--runs` or `--seconds`, not both. */
export function budget(runs: string | undefined, seconds: string | undefined): Budget {
  if (runs !== undefined && seconds !== undefined)
    throw new BadInputError('expected --runs or --seconds, found both; leave one of them out');
  if (seconds === undefined)
    return { runs: runs === undefined ? DEFAULT_RUNS : wholeNumber('runs', runs, 1, MOST.runs) };
  const value = /^\d{1,8}(\.\d{1,6})?$/.test(seconds) ? Number(seconds) : Number.NaN;
  if (value > 0 && value <= MOST.seconds) return { seconds: value };
  throw new BadInputError(
    `expected --seconds to be a positive number up to ${MOST.seconds}, found ${JSON.stringify(seconds)}`,
  );
}

/** `I/N` with 1 <= I <= N. */
export function shard(text: string | undefined): Shard {
  if (text === undefined) return { index: 1, of: 1 };
  const [, i, n] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const [index, of] = [Number(i), Number(n)];
  if (index >= 1 && index <= of) return { index, of };
  throw new BadInputError(
    `expected --shard to be I/N with I from 1 to N (2/3 is the second of three shards), found ${JSON.stringify(text)}`,
  );
}

export function workerCount(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : wholeNumber('workers', text, 1, MOST.workers);
}

export function threadCount(text: string | undefined): number {
  return text === undefined ? 1 : wholeNumber('threads', text, 1, MOST.threads);
}

/** CPUs of a Linux kernel. */
export function kernelCpus(text: string): number {
  return wholeNumber('cpus', text, 1, MOST.cpus);
}

/** Names of excursions, of those that there are; all if nothing is named. */
export function kernelPaths(text: string | undefined, all: readonly string[]): readonly string[] {
  if (text === undefined) return all;
  const names = text.split(',').map((name) => name.trim().replaceAll('-', '_'));
  const wrong = names.find((name) => !all.includes(name));
  if (wrong === undefined) return all.filter((name) => names.includes(name));
  throw new BadInputError(
    `expected --paths to be excursions of our program, separated by commas, found ${JSON.stringify(wrong)}${didYouMean(wrong, all) || `; they are ${all.join(', ')}`}`,
  );
}

/** Mistakes to plant into a Linux kernel. */
export function kernelPlants(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  const names = text.split(',').map((name) => name.trim());
  const all = PLANTS.map(({ name }) => name);
  const wrong = names.find((name) => !all.includes(name));
  if (wrong === undefined) return all.filter((name) => names.includes(name));
  throw new BadInputError(
    `expected --plant to be mistakes that can be planted, separated by commas, found ${JSON.stringify(wrong)}${didYouMean(wrong, all) || `; they are ${all.join(', ')}`}`,
  );
}

/** RAM of a Linux kernel, MiB. */
export function kernelMemoryMiB(text: string): number {
  return wholeNumber('memory', text, LEAST_KERNEL_MEMORY, MOST.kernelMemory);
}

export function memoryMiB(text: string | undefined): number | undefined {
  return text === undefined ? undefined : wholeNumber('memory', text, 1, MOST.memory);
}
