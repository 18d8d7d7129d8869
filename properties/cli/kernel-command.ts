/**
 * `pti-check kernel`: a Linux kernel of the user's, booted in the emulator until our program runs in user mode.
 */
import path from 'node:path';
import type { Argv } from 'yargs';
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { type BootedKernel, type BootOptions, bootKernel } from '../linux/kernel-boot';
import { grouped } from '../report/numbers';
import { kernelCpus, kernelMemoryMiB } from './arguments';
import type { CommandBody } from './command-body';
import { HOLDS, NO_VERDICT } from './exit-codes';
import { jsonFlag, NUMBER, VALUE } from './flags';
import { ProgressLine, rough, rounded, say, sayJson } from './output';

interface KernelFlags {
  readonly image: string;
  readonly cmdline?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpus?: string | undefined;
  readonly memory?: string | undefined;
  readonly json: boolean;
}

const DEFAULT_CPUS = '2';
const DEFAULT_MEMORY = '128';
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
    .example('$0 kernel /boot/vmlinuz-6.1.0-56-cloud-amd64', 'a kernel of Debian, on two CPUs with PCID')
    .example('$0 kernel vmlinux --cpu no-pcid,ibrs', 'the entry code that it has on another processor')
    .epilog(
      'Boots the kernel in the emulator until a program of ours runs in user mode, and keeps that state for the next time. Nothing of the image is executed on this machine. Exit code 0: booted; 3: it stopped on the way.',
    ) as unknown as Argv<KernelFlags>;
}

function kernel(flags: KernelFlags): void {
  const how: BootOptions = {
    commandLine: flags.cmdline ?? '',
    features: readCpuFeatures(flags.cpu ?? ''),
    cpus: kernelCpus(flags.cpus ?? DEFAULT_CPUS),
    memoryMiB: kernelMemoryMiB(flags.memory ?? DEFAULT_MEMORY),
  };
  const image = readKernelImage(flags.image);
  const workload = readWorkload(path.join(packageFolder(), 'emulator', 'linux', 'workload'));
  const line = new ProgressLine();
  const booted = bootKernel(image, workload, how, (linux) => line.show(() => progressOf(linux)));
  line.clear();
  process.exitCode = booted.end === 'ready' ? HOLDS : NO_VERDICT;
  if (flags.json) sayJson(resultOf(image, how, booted));
  else say(inWords(image, how, booted));
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
