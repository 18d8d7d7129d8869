/**
 * Boots a subject whose image may be anybody's. Whatever is wrong with an image of the user's is bad input, also where
 * only booting it shows that.
 */
import { decodeCheck } from '../../emulator/disassemble';
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';
import { hexVa } from '../../emulator/words';
import { BadInputError } from '../bad-input';
import { readManifest } from '../guest/manifest';
import { Subject, type SubjectName } from './subject';

/** Reads an image without booting it. Throws an error that badInputMessage knows for one that cannot be used. */
export function checkImage(name: string, bytes: Uint8Array): ElfImage {
  const image = readElf(bytes, name);
  readManifest(image);
  const unknown = decodeCheck(image);
  if (unknown === undefined) return image;
  const where = `${unknown.section} at ${hexVa(unknown.va)}`;
  throw new BadInputError(
    `${name}: expected instructions that the emulator implements, found "${unknown.text}" (bytes ${unknown.bytes}) in ${where}; leave it out of the code under test`,
  );
}

/** Throws an error that badInputMessage knows for an image that cannot be used. */
export function openSubject(name: SubjectName): Subject {
  const { elf } = name;
  if (elf === undefined) return new Subject(name);
  checkImage(elf.name, elf.bytes);
  try {
    return new Subject(name);
  } catch (error) {
    // A manifest that names addresses which the image does not map.
    if (error instanceof RangeError)
      throw new BadInputError(
        `${elf.name}: ${error.message}; check the manifest symbols against the page tables that the image builds`,
      );
    throw error;
  }
}
