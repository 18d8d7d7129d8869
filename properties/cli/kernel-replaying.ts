/**
 * Replays a saved case of a kernel: the file has no byte of it, so the image is given, and has to be the very same
 * kernel. It is booted as it was then, or read from the cache.
 */
import type { KernelCase } from '../../counterexamples/kernel-case';
import { type KernelImage, readKernelImage } from '../../emulator/linux/image/kernel-image';
import { BadInputError } from '../bad-input';
import { replayKernelCase } from '../linux/case-of-kernel';
import { rememberPayload } from '../linux/kept-payloads';
import { bootKernel } from '../linux/kernel-boot';
import { openKernel } from '../linux/open-kernel';
import { ourProgram, programHash } from '../linux/our-program';
import { knownPlant } from '../linux/plants';
import { narrateKernelSteps, recordKernelSteps } from '../report/kernel-steps';
import { commandName, quoted } from './output';
import type { ReplayedFile } from './replaying';

/** Digits of a hash that tell kernels apart in a sentence. */
const DIGITS = 12;

export function replayKernelFile(
  file: string,
  saved: KernelCase,
  imageFile: string | undefined,
  step: boolean,
): ReplayedFile {
  const image = sameKernel(file, saved, imageFile);
  const { options } = saved;
  const how = { ...options, features: new Set(options.features) };
  const program = ourProgram();
  const { state, reason } = bootKernel(image, program, how, () => {});
  if (state === undefined)
    throw new BadInputError(
      `${file}: expected the kernel to boot as it did, found that it stops on the way: ${reason}`,
    );
  const plants = (saved.plants ?? []).map((plant) => knownPlant(plant).name);
  const { name, vmlinuxSha256, vmlinux } = image;
  const source = { name, vmlinuxSha256, options: how, plants, vmlinux, state };
  const { system } = openKernel(source, program);
  const recorded = step ? recordKernelSteps(system, saved, image) : undefined;
  const { verdict, violation, step: done, message } = recorded?.replay ?? replayKernelCase(system, saved);
  const other = programHash(program) === saved.program ? '' : ' (the program in user mode has changed since then)';
  const result = {
    file,
    verdict,
    ...(violation === undefined ? {} : { property: violation.property }),
    step: done,
    message: `${message}${other}`,
    again: `${commandName()} replay --step ${quoted(file)} --kernel ${quoted(imageFile ?? '')}`,
    ...(recorded === undefined ? {} : { kernelSteps: recorded.steps }),
  };
  return { result, narration: recorded === undefined ? [] : narrateKernelSteps(recorded.steps, recorded.replay) };
}

function sameKernel(file: string, { kernel }: KernelCase, imageFile: string | undefined): KernelImage {
  const wanted = `the kernel ${kernel.release}, SHA-256 ${kernel.vmlinuxSha256.slice(0, DIGITS)}...`;
  if (imageFile === undefined)
    throw new BadInputError(
      `${file}: expected --kernel with the image of ${wanted}, found none; a case has no byte of it`,
    );
  const image = readKernelImage(imageFile, { remember: rememberPayload });
  if (image.vmlinuxSha256 === kernel.vmlinuxSha256) return image;
  throw new BadInputError(
    `${file}: expected ${wanted}, found ${image.name}, the kernel ${image.release}, SHA-256 ${image.vmlinuxSha256.slice(0, DIGITS)}...; give the image with which the case was found`,
  );
}
