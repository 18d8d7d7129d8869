/** The program that runs in a kernel's user mode, from this package. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { readWorkload, type Workload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';

export function ourProgram(): Workload {
  return readWorkload(path.join(packageFolder(), 'emulator', 'linux', 'workload'));
}

/** SHA-256 of all that it is, in hexadecimal digits. */
export function programHash({ initrd }: Workload): string {
  return createHash('sha256').update(initrd).digest('hex');
}
