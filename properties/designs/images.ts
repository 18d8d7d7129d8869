/**
 * The guest images of designs and mutants: where they lie, and each read once.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';
import { packageFolder } from '../../model/checker/package-folder';

/** File of the guest image of a design or mutant. */
export function imageFile(id: string): string {
  const [base] = id.split('+');
  return path.join(packageFolder(), 'emulator', 'guest', base, `${id}.elf`);
}

const images = new Map<string, ElfImage>();

/** The guest image of a design or mutant; undefined if there is none of that name. */
export function designImage(id: string): ElfImage | undefined {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\+[a-z0-9]+(-[a-z0-9]+)*)?$/.test(id) || !existsSync(imageFile(id))) return undefined;
  const known = images.get(id) ?? readElf(readFileSync(imageFile(id)), id);
  images.set(id, known);
  return known;
}
