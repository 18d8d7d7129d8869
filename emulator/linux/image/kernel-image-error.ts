/**
 * What can be wrong with a file that should be a Linux kernel. A bad image is bad input (exit code 2 on the command
 * line), so every message is one sentence for its reader: the file, what was expected, what was found, and how to mend
 * it.
 */
type KernelImageErrorKind =
  | 'unreadable' // the operating system does not give the file
  | 'foreign' // neither vmlinux nor vmlinuz nor package
  | 'truncated' // a part lies past the end of the file
  | 'wrong-architecture' // 32-bit, or another machine
  | 'unsupported' // a compression or a layout that is not read
  | 'too-large' // more bytes than are ever unpacked
  | 'damaged' // the file contradicts itself
  | 'missing-tool' // a program that unpacks is not installed
  | 'missing-information'; // a symbol or a type that is needed is not in the image

export class KernelImageError extends Error {
  readonly kind: KernelImageErrorKind;

  constructor(kind: KernelImageErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KernelImageError';
    this.kind = kind;
  }
}
