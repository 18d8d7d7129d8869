/**
 * What can be wrong with a file that should be a guest image. A bad image is bad input (exit code 2 on the command
 * line), so every message is one sentence for its reader: the file, what was expected, what was found, and how to mend
 * it.
 */
export type ElfErrorKind =
  | 'not-elf' // the magic number is missing
  | 'truncated' // a table or a segment lies past the end of the file
  | 'wrong-class' // 32-bit
  | 'wrong-machine' // another architecture or byte order
  | 'unsupported-type' // not linked (ET_REL), or a core dump
  | 'no-segments' // nothing to load
  | 'malformed'; // the file contradicts itself

export class ElfError extends Error {
  readonly kind: ElfErrorKind;

  constructor(kind: ElfErrorKind, message: string) {
    super(message);
    this.name = 'ElfError';
    this.kind = kind;
  }
}
