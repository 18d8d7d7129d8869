/**
 * What a worker does with a booted Linux kernel. It opens a kernel once, and every task begins in the state after the
 * boot, so no answer depends on who does which task.
 */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { coverageOf } from '../linux/entry-coverage';
import { tryMutant } from '../linux/entry-mutants';
import { sweepExcursion } from '../linux/event-sweep';
import { type KernelSource, type OpenKernel, openKernel } from '../linux/open-kernel';
import { ourProgram } from '../linux/our-program';
import { randomRun } from '../linux/random-interleaving';
import { shrinkTrace } from '../linux/shrink-trace';
import type { Answers, KernelTask, ShouldStop } from './tasks';

/** The last one: its machine takes as much memory as the kernel. */
let opened: { readonly key: string; readonly kernel: OpenKernel } | undefined;

function keyOf({ vmlinuxSha256, options, plants }: KernelSource): string {
  return JSON.stringify([vmlinuxSha256, plants, { ...options, features: [...options.features] }]);
}

function kernelOf(source: KernelSource): OpenKernel {
  const key = keyOf(source);
  if (opened?.key !== key) {
    opened = undefined;
    opened = { key, kernel: openKernel(source, ourProgram()) };
  }
  return opened.kernel;
}

/** Performs tasks on a kernel: workers, or this thread. */
export interface KernelPerformer {
  /** How many tasks it performs at once. */
  readonly size: number;
  /** Undefined when it was stopped before the task had an answer. */
  run<K extends KernelTask['kind']>(task: Extract<KernelTask, { kind: K }>): Promise<Answers[K] | undefined>;
}

/**
 * This thread, which has the image and the machine in the state after the boot: for what is over before a worker has
 * loaded and has read both.
 */
export function performsHere(source: KernelSource, image: KernelImage, linux: LinuxMachine): KernelPerformer {
  opened = { key: keyOf(source), kernel: openKernel(source, ourProgram(), image, linux) };
  return {
    size: 1,
    run: async <K extends KernelTask['kind']>(task: Extract<KernelTask, { kind: K }>) =>
      kernelAnswer(task, () => false) as Answers[K],
  };
}

export function kernelAnswer(task: KernelTask, shouldStop: ShouldStop): Answers[KernelTask['kind']] {
  const { system, code, text, mutated } = kernelOf(task.kernel);
  switch (task.kind) {
    case 'kernel-sweep':
      return sweepExcursion(system, code, task.excursion, shouldStop);
    case 'kernel-run':
      return randomRun(system, task.seed, shouldStop);
    case 'kernel-shrink':
      return shrinkTrace(system, task.failure, shouldStop);
    case 'kernel-cover':
      return coverageOf(system, code, mutated, task.excursion);
    case 'kernel-mutant':
      return tryMutant(system, code, text, task.mutant);
  }
}
