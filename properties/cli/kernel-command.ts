/**
 * `pti-check kernel`: a Linux kernel of the user's, booted in the emulator until our program runs in user mode.
 */
import type { Argv } from 'yargs';
import { saveKernelCase } from '../../counterexamples/store';
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import type { Workload } from '../../emulator/linux/workload/workload';
import { defaultWorkers } from '../campaign/worker-pool';
import { toKernelCase } from '../linux/case-of-kernel';
import { type BootedKernel, type BootOptions, bootKernel } from '../linux/kernel-boot';
import { type KernelSource, kernelSource } from '../linux/open-kernel';
import { ourProgram } from '../linux/our-program';
import { grouped } from '../report/numbers';
import { kernelCpus, kernelMemoryMiB, kernelPaths, workerCount } from './arguments';
import type { CommandBody } from './command-body';
import { HOLDS, NO_VERDICT, VIOLATED } from './exit-codes';
import { jsonFlag, NUMBER, VALUE } from './flags';
import { DEFAULT_SAVE, today } from './fuzz-command';
import { checkKernel, type KernelCheck } from './kernel-checking';
import { checkInWords, checkResult } from './kernel-table';
import { commandName, ProgressLine, quoted, rough, rounded, say, sayJson } from './output';
import { withPool } from './with-pool';

interface KernelFlags {
  readonly image: string;
  readonly cmdline?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpus?: string | undefined;
  readonly memory?: string | undefined;
  readonly paths?: string | undefined;
  readonly workers?: string | undefined;
  readonly save: string;
  readonly json: boolean;
}

const DEFAULT_CPUS = '2';
const DEFAULT_MEMORY = '128';
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
  const image = readKernelImage(flags.image);
  const workload = ourProgram();
  const paths = kernelPaths(flags.paths, workload.excursions);
  const workers = workerCount(flags.workers, defaultWorkers());
  const line = new ProgressLine();
  const booted = bootKernel(image, workload, how, (linux) => line.show(() => progressOf(linux)));
  const before = process.cpuUsage();
  const check =
    booted.state === undefined
      ? undefined
      : await checked(line, kernelSource(image, how, booted.state), paths, workers);
  line.clear();
  const { user, system } = process.cpuUsage(before);
  const cost = (user + system) / 1e6;
  process.exitCode = exitCodeOf(check);
  const cases = check === undefined ? [] : saveCases(flags.save, image, workload, how, check);
  if (flags.json) {
    const found =
      check === undefined ? {} : { check: { ...checkResult(check, image.symbols, cases), cpuSeconds: rounded(cost) } };
    sayJson({ ...resultOf(image, how, booted), ...found });
    return;
  }
  const table =
    check === undefined
      ? []
      : [
          '',
          ...checkInWords(
            check,
            image.symbols,
            cases.map((file) => againWith(file, flags.image)),
          ),
          `  cost      ${cost.toFixed(1)} CPU s`,
        ];
  say([...inWords(image, how, booted), ...table]);
}

async function checked(
  line: ProgressLine,
  source: KernelSource,
  paths: readonly string[],
  workers: number,
): Promise<KernelCheck> {
  const excursions = paths.map((name, i) => ({ name, round: i % ROUNDS }));
  return await withPool(workers, (pool) =>
    checkKernel(pool, source, excursions, (done, of) => line.show(() => `${done} of ${of} excursions`)),
  );
}

/** The files of what was violated, in the order of the violations. */
function saveCases(
  folder: string,
  image: KernelImage,
  program: Workload,
  how: BootOptions,
  { violations }: KernelCheck,
): string[] {
  return violations.map(({ first, found }) => {
    const origin = { failure: first, lengthBeforeShrinking: found.trace.length, date: today() };
    return saveKernelCase(folder, toKernelCase(image, program, how, origin)).path;
  });
}

function againWith(file: string, image: string): string {
  return `${commandName()} replay --step ${quoted(file)} --kernel ${quoted(image)}`;
}

function exitCodeOf(check: KernelCheck | undefined): number {
  if (check === undefined) return NO_VERDICT;
  if (check.violations.length > 0) return VIOLATED;
  return check.missing > 0 ? NO_VERDICT : HOLDS;
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
