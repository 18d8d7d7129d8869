/**
 * `pti-check kernel`: a Linux kernel of the user's, booted in the emulator until our program runs in user mode.
 */
import type { Argv } from 'yargs';
import { saveKernelCase } from '../../counterexamples/store';
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { readKernelCode } from '../../emulator/linux/image/kernel-code';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import type { Workload } from '../../emulator/linux/workload/workload';
import { BadInputError } from '../bad-input';
import { type KernelPerformer, type PerformerInTurns, performsHere } from '../campaign/kernel-task';
import { defaultWorkers } from '../campaign/worker-pool';
import { toKernelCase } from '../linux/case-of-kernel';
import type { MutatedExtent } from '../linux/entry-coverage';
import { mutatedExtents } from '../linux/entry-mutants';
import type { ExcursionName } from '../linux/excursions';
import { rememberPayload } from '../linux/kept-payloads';
import { type BootedKernel, type BootOptions, bootKernel } from '../linux/kernel-boot';
import { KernelText } from '../linux/kernel-text';
import { type KernelSource, kernelSource, sharedSource } from '../linux/open-kernel';
import { ourProgram } from '../linux/our-program';
import { placeOf } from '../linux/place';
import { knownPlant, PLANTS, plantedIn } from '../linux/plants';
import { grouped } from '../report/numbers';
import { budget, kernelCpus, kernelMemoryMiB, kernelPaths, kernelPlants, workerCount } from './arguments';
import type { CommandBody } from './command-body';
import { gravest, HOLDS } from './exit-codes';
import { jsonFlag, NUMBER, VALUE } from './flags';
import { DEFAULT_SAVE, freshSeed, today } from './fuzz-command';
import { checkExitCode, checkKernel, type KernelCheck, type KernelRuns } from './kernel-checking';
import { kernelMatrix, type MatrixRequest, matrixInWords, matrixResult, rowExitCode } from './kernel-matrix';
import { type KernelMutation, mutateKernel, mutationInWords, mutationResult } from './kernel-mutating';
import { checkInWords, checkResult } from './kernel-table';
import { commandName, note, ProgressLine, quoted, rough, rounded, say, sayJson } from './output';
import { stopOnSignal } from './stop-on-signal';
import { withPool } from './with-pool';

interface KernelFlags {
  readonly image: string;
  readonly cmdline?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpus?: string | undefined;
  readonly memory?: string | undefined;
  readonly paths?: string | undefined;
  readonly plant?: string | undefined;
  readonly mutate: boolean;
  readonly matrix: boolean;
  readonly seed?: string | undefined;
  readonly runs?: string | undefined;
  readonly seconds?: string | undefined;
  readonly workers?: string | undefined;
  readonly save: string;
  readonly json: boolean;
}

const DEFAULT_CPUS = '2';
const DEFAULT_MEMORY = '128';
const DEFAULT_KERNEL_RUNS = 8;
/** Of the program: in each it puts something else into RFLAGS. */
const ROUNDS = 4;
/** Lines of the console that are shown where a boot stops. */
const LAST_LINES = 25;

function options(yargs: Argv): Argv<KernelFlags> {
  return jsonFlag(yargs)
    .positional('image', {
      type: 'string',
      demandOption: true,
      describe: 'a vmlinuz, a vmlinux, or a Debian or Ubuntu package linux-image-*.deb',
    })
    .option('cmdline', { ...VALUE, describe: "what follows our own kernel command line, such as 'pti=off'" })
    .option('cpu', {
      ...VALUE,
      describe: 'features of the processor that differ from a Skylake server, such as no-pcid,ibrs',
    })
    .option('cpus', { ...NUMBER, describe: `number of CPUs (${DEFAULT_CPUS})` })
    .option('memory', { ...NUMBER, describe: `MiB of RAM (${DEFAULT_MEMORY})` })
    .option('paths', {
      ...VALUE,
      describe: 'the excursions to check, separated by commas, such as syscall,page_fault_read (all)',
    })
    .option('plant', {
      ...VALUE,
      describe: `mistakes to leave in the entry code, separated by commas: ${PLANTS.map(({ name }) => name).join(', ')}`,
    })
    .option('mutate', {
      type: 'boolean',
      default: false,
      describe: 'leave out every executed instruction of entry code in turn, and say which the check would catch',
    })
    .option('matrix', {
      type: 'boolean',
      default: false,
      describe: 'check the kernel on each of several processors, and without PTI',
    })
    .option('seed', { ...VALUE, describe: 'any text; the same seed gives the same random runs (random, and printed)' })
    .option('runs', { ...NUMBER, describe: `number of random runs after the sweeps (${DEFAULT_KERNEL_RUNS})` })
    .option('seconds', { ...NUMBER, describe: 'as many random runs as fit into this time' })
    .option('workers', { ...NUMBER, describe: `threads (${defaultWorkers()}); the result does not depend on them` })
    .option('save', { ...VALUE, default: DEFAULT_SAVE, describe: 'folder for what violates a property' })
    .example('$0 kernel /boot/vmlinuz-6.1.0-56-cloud-amd64', 'a kernel of Debian, on two CPUs with PCID')
    .example('$0 kernel vmlinux --cpu no-pcid,ibrs', 'the entry code that it has on another processor')
    .epilog(
      'Boots the kernel in the emulator until a program of ours runs in user mode, and keeps that state for the next time. Then lets events happen at every boundary of its ways in and out. Nothing of the image is executed on this machine. Exit code 0: nothing is violated; 1: something is; 3: the boot stopped on the way.',
    ) as unknown as Argv<KernelFlags>;
}

async function kernel(flags: KernelFlags): Promise<void> {
  const how: BootOptions = {
    commandLine: flags.cmdline ?? '',
    features: readCpuFeatures(flags.cpu ?? ''),
    cpus: kernelCpus(flags.cpus ?? DEFAULT_CPUS),
    memoryMiB: kernelMemoryMiB(flags.memory ?? DEFAULT_MEMORY),
  };
  const image = readKernelImage(flags.image, { remember: rememberPayload });
  const workload = ourProgram();
  const paths = kernelPaths(flags.paths, workload.excursions);
  const plants = kernelPlants(flags.plant);
  if (flags.mutate && plants.length > 0)
    throw new BadInputError('expected --mutate or --plant, found both: a kernel with a mistake in it has no mutants');
  if (flags.matrix && (flags.mutate || flags.cpu !== undefined))
    throw new BadInputError('expected --matrix without --cpu and --mutate: it goes through processors of its own');
  const runs = runsOf(flags);
  const workers = workerCount(flags.workers, defaultWorkers());
  const excursions = paths.map((name, i) => ({ name, round: i % ROUNDS }));
  const line = new ProgressLine();
  if (flags.matrix) {
    const request = { image, program: workload, options: how, plants, excursions, runs };
    await matrix(request, workers, line, flags.json);
    return;
  }
  const booted = bootKernel(image, workload, how, (linux) => line.show(() => progressOf(linux)));
  const planted = booted.state === undefined ? [] : plantedInstructions(booted, image, plants);
  // Of the machine as it has booted: the check may go on with it.
  const words = flags.json ? [] : inWords(image, how, booted);
  const result = flags.json ? resultOf(image, how, booted) : undefined;
  const before = process.cpuUsage();
  const source = booted.state === undefined ? undefined : kernelSource(image, how, plants, booted.state);
  note(`seed ${runs.seed}`);
  const text = new KernelText(booted.linux.machine.memory, image);
  const mutating = flags.mutate ? { text, extents: mutatedExtents(readKernelCode(image), text) } : undefined;
  const check = (performer: KernelPerformer, kernel: KernelSource) =>
    checked(performer, line, kernel, { excursions, runs }, mutating);
  const here = mutating === undefined && isShort(excursions, runs);
  const done =
    source &&
    (await (here
      ? check(stoppable(performsHere(source, image, booted.linux)), source)
      : byWorkers(workers, source, check)));
  line.clear();
  const { user, system } = process.cpuUsage(before);
  const cost = (user + system) / 1e6;
  process.exitCode = checkExitCode(done?.check);
  const cases = done === undefined ? [] : saveCases(flags.save, image, workload, { options: how, plants }, done.check);
  if (flags.json)
    sayJson({
      ...result,
      ...(plants.length === 0 ? {} : { plants: planted }),
      ...(done && { check: { ...checkResult(done.check, image.symbols, cases), cpuSeconds: rounded(cost) } }),
      ...(done?.mutation && { mutation: mutationResult(done.mutation, image.symbols) }),
    });
  else
    say([
      ...words,
      ...planted.map(({ plant, at, text: words }) => `  planted   ${plant}: ${at} ${words} is left out`),
      ...(done ? checkedInWords(done, image, cases, flags.image, cost) : []),
    ]);
}

async function matrix(request: MatrixRequest, workers: number, line: ProgressLine, json: boolean): Promise<void> {
  note(`seed ${request.runs.seed}`);
  const rows = await withPool(workers, (pool) =>
    kernelMatrix(
      pool,
      request,
      (name, linux) => line.show(() => `${name}: ${progressOf(linux)}`),
      (name) => (what, done, of) => line.show(() => `${name}: ${done}${of === undefined ? '' : ` of ${of}`} ${what}`),
    ),
  );
  line.clear();
  process.exitCode = gravest(rows.map(rowExitCode));
  if (json) sayJson({ seed: request.runs.seed, matrix: matrixResult(rows) });
  else say([`${request.image.name}: Linux ${request.image.release}`, ...matrixInWords(rows)]);
}

function runsOf({ seed = freshSeed(), runs, seconds }: KernelFlags): KernelRuns {
  const isSaid = runs !== undefined || seconds !== undefined;
  return { seed, budget: isSaid ? budget(runs, seconds) : { runs: DEFAULT_KERNEL_RUNS } };
}

/** One excursion and one random run take about as long as a worker to load and to read the image. */
function isShort(excursions: readonly ExcursionName[], { budget }: KernelRuns): boolean {
  return excursions.length <= 1 && 'runs' in budget && budget.runs <= 1;
}

function stoppable(performer: PerformerInTurns): KernelPerformer {
  stopOnSignal(performer);
  return performer;
}

async function byWorkers(
  workers: number,
  source: KernelSource,
  check: (performer: KernelPerformer, kernel: KernelSource) => Promise<Checked>,
): Promise<Checked> {
  return withPool(workers, (pool) => check(pool, sharedSource(source)));
}

/** What was found, and what it would have found. */
interface Checked {
  readonly check: KernelCheck;
  /** Undefined if nobody has asked for it, or if something is violated without a mutant. */
  readonly mutation: KernelMutation | undefined;
}

async function checked(
  performer: KernelPerformer,
  line: ProgressLine,
  source: KernelSource,
  { excursions, runs }: { readonly excursions: readonly ExcursionName[]; readonly runs: KernelRuns },
  mutating: { readonly text: KernelText; readonly extents: readonly MutatedExtent[] } | undefined,
): Promise<Checked> {
  const show = (what: string, done: number, of?: number) =>
    line.show(() => `${done}${of === undefined ? '' : ` of ${of}`} ${what}`);
  const check = await checkKernel(performer, source, excursions, runs, show);
  if (mutating === undefined || checkExitCode(check) !== HOLDS) return { check, mutation: undefined };
  return { check, mutation: await mutateKernel(performer, source, mutating.text, mutating.extents, excursions, show) };
}

function checkedInWords(
  { check, mutation }: Checked,
  { symbols }: KernelImage,
  cases: readonly string[],
  image: string,
  cost: number,
): string[] {
  const again = cases.map((file) => againWith(file, image));
  return [
    '',
    ...checkInWords(check, symbols, again),
    ...(mutation ? ['', ...mutationInWords(mutation, symbols)] : []),
    `  cost      ${cost.toFixed(1)} CPU s`,
  ];
}

/** What is left out of this kernel, found before any work is done with it. */
function plantedInstructions(
  { linux }: BootedKernel,
  image: KernelImage,
  plants: readonly string[],
): { plant: string; at: string; text: string }[] {
  const text = new KernelText(linux.machine.memory, image);
  return plants.flatMap((plant) =>
    plantedIn(text, knownPlant(plant)).map((left) => ({ plant, at: placeOf(image.symbols, left.va), text: left.text })),
  );
}

/** The files of what was violated, in the order of the violations. */
function saveCases(
  folder: string,
  image: KernelImage,
  program: Workload,
  kernel: Pick<KernelSource, 'options' | 'plants'>,
  { violations }: KernelCheck,
): string[] {
  return violations.map(({ first, found, seed }) => {
    const origin = { failure: first, seed, lengthBeforeShrinking: found.trace.length, date: today() };
    return saveKernelCase(folder, toKernelCase(image, program, kernel, origin)).path;
  });
}

function againWith(file: string, image: string): string {
  return `${commandName()} replay --step ${quoted(file)} --kernel ${quoted(image)}`;
}

function progressOf({ platform }: LinuxMachine): string {
  return `${rough(platform.readTsc())} instructions: ${lastLines(platform.console.text, 1)[0] ?? ''}`;
}

function lastLines(text: string, count: number): string[] {
  return text.trimEnd().split(/\r?\n/).slice(-count);
}

function resultOf(image: KernelImage, how: BootOptions, booted: BootedKernel) {
  const { linux, end, reason, commandLine, fromCache, instructions, cpuSeconds } = booted;
  return {
    kernel: {
      name: image.name,
      release: image.release,
      version: image.version,
      vmlinuxSha256: image.vmlinuxSha256,
      container: image.container,
      compression: image.compression,
    },
    commandLine,
    cpu: [...how.features].sort(),
    cpus: how.cpus,
    memoryMiB: how.memoryMiB,
    boot: {
      end,
      ...(reason === '' ? {} : { reason }),
      fromCache,
      instructions,
      cpuSeconds: rounded(cpuSeconds),
      ...(fromCache ? {} : { mips: rounded(instructions / cpuSeconds / 1e6) }),
    },
    fingerprint: linux.machine.fingerprint(),
    console: linux.platform.console.text,
  };
}

function inWords(image: KernelImage, how: BootOptions, booted: BootedKernel): string[] {
  const { linux, end, reason, fromCache, instructions, cpuSeconds } = booted;
  const seconds = `${cpuSeconds.toFixed(1)} CPU s`;
  const cost = fromCache
    ? `read from the cache in ${seconds}`
    : `${seconds}, ${(instructions / cpuSeconds / 1e6).toFixed(1)} MIPS`;
  const reached = end === 'ready' ? 'booted to user mode' : `stopped on the way: ${reason}`;
  return [
    `${image.name}: Linux ${image.release}, ${image.container}`,
    `  machine   ${how.cpus} CPUs, ${how.memoryMiB} MiB, ${[...how.features].sort().join(' ')}`,
    `  boot      ${reached}`,
    `  cost      ${grouped(instructions)} instructions; ${cost}`,
    `  state     ${linux.machine.fingerprint()}`,
    ...(end === 'ready'
      ? []
      : ['  console', ...lastLines(linux.platform.console.text, LAST_LINES).map((l) => `    ${l}`)]),
  ];
}

export const kernelCommand: CommandBody<KernelFlags> = { builder: options, handler: kernel };
