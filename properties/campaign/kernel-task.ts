/**
 * What a worker does with a booted Linux kernel. It opens a kernel once, and every task begins in the state after the
 * boot, so no answer depends on who does which task.
 */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { coverageOf } from '../linux/entry-coverage';
import { tryMutant } from '../linux/entry-mutants';
import { sweepInSteps } from '../linux/event-sweep';
import { finished, finishedInTurns, type InSteps } from '../linux/in-steps';
import { type KernelSource, type OpenKernel, openKernel } from '../linux/open-kernel';
import { ourProgram } from '../linux/our-program';
import { runInSteps } from '../linux/random-interleaving';
import { shrinkInSteps } from '../linux/shrink-trace';
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
  /** It was asked to stop. */
  readonly stopped: boolean;
  /** Undefined when it was stopped before the task had an answer. */
  run<K extends KernelTask['kind']>(task: Extract<KernelTask, { kind: K }>): Promise<Answers[K] | undefined>;
}

/** Does a task; `shouldStop` is asked wherever it pauses. */
type Perform = (task: KernelTask, shouldStop: ShouldStop) => InSteps<Answers[KernelTask['kind']]>;

/**
 * Performs tasks in this thread, one after the other, and hears signals in between. One that is asked to stop answers
 * with what it has.
 */
export class PerformerInTurns implements KernelPerformer {
  readonly size = 1;
  stopped = false;
  private readonly perform: Perform;
  /** The last task that was asked for: all have the same machine. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(perform: Perform) {
    this.perform = perform;
  }

  stop(): void {
    this.stopped = true;
  }

  run<K extends KernelTask['kind']>(task: Extract<KernelTask, { kind: K }>): Promise<Answers[K] | undefined> {
    const answer = this.last.then(() =>
      this.stopped ? undefined : finishedInTurns(this.perform(task, () => this.stopped)),
    );
    this.last = answer;
    return answer as Promise<Answers[K] | undefined>;
  }
}

/**
 * This thread, which has the image and the machine in the state after the boot: for what is over before a worker has
 * loaded and has read both. The kernel is opened with the first task, when signals are heard already.
 */
export function performsHere(source: KernelSource, image: KernelImage, linux: LinuxMachine): PerformerInTurns {
  const key = keyOf(source);
  return new PerformerInTurns(function* (task, shouldStop) {
    if (opened?.key !== key) opened = { key, kernel: openKernel(source, ourProgram(), image, linux) };
    yield;
    return yield* answerInSteps(task, shouldStop);
  });
}

export function kernelAnswer(task: KernelTask, shouldStop: ShouldStop): Answers[KernelTask['kind']] {
  return finished(answerInSteps(task, shouldStop));
}

function* answerInSteps(task: KernelTask, shouldStop: ShouldStop): InSteps<Answers[KernelTask['kind']]> {
  const kernel = kernelOf(task.kernel);
  const { system, code, text } = kernel;
  switch (task.kind) {
    case 'kernel-sweep':
      return yield* sweepInSteps(system, code, task.excursion, shouldStop);
    case 'kernel-run':
      return yield* runInSteps(system, task.seed, shouldStop);
    case 'kernel-shrink':
      return yield* shrinkInSteps(system, task.failure, shouldStop);
    case 'kernel-cover':
      return coverageOf(system, code, kernel.mutated, task.excursion);
    case 'kernel-mutant':
      return tryMutant(system, code, text, task.mutant);
  }
}
