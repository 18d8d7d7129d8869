/**
 * The name under which the state of a booted kernel is kept: a hash of all that it depends on, which is the kernel, the
 * options, our program, and the emulator itself.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

interface Ingredients {
  /** SHA-256 of the vmlinux. */
  readonly kernel: string;
  readonly commandLine: string;
  readonly features: readonly string[];
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly tscHz: number;
  readonly initrd: Uint8Array;
}

export function stateName({ initrd, ...rest }: Ingredients): string {
  const hash = createHash('sha256').update(JSON.stringify(rest)).update('\0').update(initrd).update(emulatorDigest());
  return `linux-${hash.digest('hex').slice(0, 32)}.state`;
}

let digest: Buffer | undefined;

/** Folders of the emulator that a boot does not run. */
const LEFT_OUT = new Set(['guest', 'oracle', 'testing']);

/** Of the code that runs: this file is in dist/ or in the sources, and the emulator's folder beside its own. */
function emulatorDigest(): Buffer {
  digest ??= digestOf(path.join(__dirname, '..', '..', 'emulator'));
  return digest;
}

function digestOf(folder: string): Buffer {
  const hash = createHash('sha256');
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!LEFT_OUT.has(entry.name)) hash.update(digestOf(file));
    } else if (isCode(entry.name)) hash.update(`${entry.name}\0`).update(readFileSync(file));
  }
  return hash.digest();
}

function isCode(name: string): boolean {
  return /\.[jt]s$/.test(name) && !/\.(test|bench)\.[jt]s$/.test(name) && !name.endsWith('.d.ts');
}
