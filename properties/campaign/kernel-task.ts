/**
 * What a worker does with a booted Linux kernel. It opens a kernel once, and every task begins in the state after the
 * boot, so no answer depends on who does which task.
 */
import path from 'node:path';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { sweepExcursion } from '../linux/event-sweep';
import { type KernelSource, type OpenKernel, openKernel } from '../linux/open-kernel';
import type { Answers, KernelTask, ShouldStop } from './tasks';

/** The last one: its machine takes as much memory as the kernel. */
let opened: { readonly key: string; readonly kernel: OpenKernel } | undefined;

function kernelOf(source: KernelSource): OpenKernel {
  const { vmlinuxSha256, options } = source;
  const key = JSON.stringify([vmlinuxSha256, { ...options, features: [...options.features] }]);
  if (opened?.key !== key) {
    opened = undefined;
    const workload = readWorkload(path.join(packageFolder(), 'emulator', 'linux', 'workload'));
    opened = { key, kernel: openKernel(source, workload) };
  }
  return opened.kernel;
}

export function kernelAnswer(task: KernelTask, shouldStop: ShouldStop): Answers[KernelTask['kind']] {
  const { system, code } = kernelOf(task.kernel);
  return sweepExcursion(system, code, task.excursion, shouldStop);
}
