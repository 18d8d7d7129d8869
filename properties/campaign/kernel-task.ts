/**
 * What a worker does with a booted Linux kernel. It opens a kernel once, and every task begins in the state after the
 * boot, so no answer depends on who does which task.
 */
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

function kernelOf(source: KernelSource): OpenKernel {
  const { vmlinuxSha256, options, plants } = source;
  const key = JSON.stringify([vmlinuxSha256, plants, { ...options, features: [...options.features] }]);
  if (opened?.key !== key) {
    opened = undefined;
    opened = { key, kernel: openKernel(source, ourProgram()) };
  }
  return opened.kernel;
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
