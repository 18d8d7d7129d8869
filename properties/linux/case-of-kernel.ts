/** A failure in a kernel as the content of a file, and what its replay on the same kernel comes to. */
import { KERNEL_FORMAT, KERNEL_VERSION, type KernelAction, type KernelCase } from '../../counterexamples/kernel-case';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { Workload } from '../../emulator/linux/workload/workload';
import type { KernelFailure, KernelSystem, KernelViolation } from './kernel-system';
import type { KernelSource } from './open-kernel';
import { programHash } from './our-program';
import { placeOf } from './place';

interface FoundInKernel {
  /** Shrunk. */
  readonly failure: KernelFailure;
  readonly lengthBeforeShrinking: number;
  /** Of a random interleaving. */
  readonly seed?: string | undefined;
  /** Day, ISO 8601. */
  readonly date: string;
}

export function toKernelCase(
  image: Pick<KernelImage, 'release' | 'vmlinuxSha256' | 'symbols'>,
  program: Workload,
  { options: { commandLine, features, cpus, memoryMiB }, plants }: Pick<KernelSource, 'options' | 'plants'>,
  { failure, lengthBeforeShrinking, seed, date }: FoundInKernel,
): KernelCase {
  return {
    format: KERNEL_FORMAT,
    version: KERNEL_VERSION,
    property: failure.property,
    kernel: { release: image.release, vmlinuxSha256: image.vmlinuxSha256 },
    program: programHash(program),
    options: { commandLine, features: [...features].sort(), cpus, memoryMiB },
    ...(plants.length === 0 ? {} : { plants: [...plants] }),
    actions: [...failure.trace],
    expected: { message: failure.message, cpu: failure.cpu, at: placeOf(image.symbols, failure.rip) },
    origin: {
      strategy: seed === undefined ? 'sweep' : 'random',
      ...(seed === undefined ? {} : { seed }),
      lengthBeforeShrinking,
      date,
    },
  };
}

export interface KernelReplay {
  readonly verdict: 'reproduced' | 'passed' | 'diverged';
  /** What was violated, if anything was. */
  readonly violation: KernelViolation | undefined;
  /** Actions done. */
  readonly step: number;
  readonly message: string;
}

/** Performs the actions of a case from the state after the boot; `before` is told of each. */
export function replayKernelCase(
  system: KernelSystem,
  saved: KernelCase,
  before: (action: KernelAction, number: number) => void = () => {},
): KernelReplay {
  let step = 0;
  for (const action of saved.actions) {
    if (system.violation !== undefined) break;
    step++;
    before(action, step);
    system.perform(action);
  }
  const { violation } = system;
  if (violation === undefined)
    return {
      verdict: 'passed',
      violation,
      step,
      message: `expected ${saved.property} to be violated, the trace ran to its end`,
    };
  const { property, message } = violation;
  if (property === saved.property) return { verdict: 'reproduced', violation, step, message };
  return { verdict: 'diverged', violation, step, message: `expected ${saved.property}, found ${property}: ${message}` };
}
