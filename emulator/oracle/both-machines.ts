/** What holds for both machines however they are compared: how they boot, and what a guest must not do. */
import type { BootOptions, LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import { Machine } from '../machine';
import { CR4, CR4_PCIDE } from '../registers';
import type { OracleMachine } from './oracle-machine';

/** The guest does something that this comparison cannot follow. One sentence. */
export class LockstepError extends Error {
  override readonly name = 'LockstepError';
}

/**
 * All CPUs of both machines at the image's entry point, where those but CPU 0 must wait until the guest has booted.
 * Ours is the answer. Throws a LockstepError if RAM cannot be compared.
 */
export async function bootBoth(
  image: LoadableImage,
  oracle: OracleMachine,
  { cpus, tasks, mms }: BootOptions,
): Promise<Machine> {
  for (const { paddr, memsz } of image.segments) checkComparable(oracle, paddr + memsz - 1);
  const machine = new Machine(image, { cpus });
  for (let cpu = 0; cpu < cpus; cpu++) machine.boot(cpu, { cpus, tasks, mms });
  await oracle.boot(image, machine.cpus);
  return machine;
}

/** Throws a LockstepError for what the guest must not do. */
export function checkComparable(oracle: OracleMachine, pa: number): void {
  if (pa >= oracle.comparableBytes)
    throw new LockstepError(
      `the guest uses physical 0x${pa.toString(16)}: only what stays below 0x${oracle.comparableBytes.toString(16)} can be compared`,
    );
}

/** Throws a LockstepError if the guest has turned on what the other machine lacks. */
export function checkControls({ r }: Cpu): void {
  if ((r[CR4] & CR4_PCIDE) !== 0)
    throw new LockstepError('the guest turns PCID on, which QEMU lacks: assemble it with PCID=0');
}
