/**
 * The program of ours that a kernel runs as /init, and the initial RAM disk with it. It is an ELF file that is checked
 * in beside its source (scripts/assemble-guest.sh). What it announces: 0 when it is ready, then before each excursion
 * its index in the table plus 1, plus 256 for each round through the table.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ElfImage, readElf } from '../../elf/elf-image';
import { cpioArchive } from './cpio';

const FILE = 'workload.elf';
const PREFIX = 'excursion.';
const EXECUTABLE = 0o755;

export interface Workload {
  readonly elf: ElfImage;
  /** Names of the excursions, in the order in which they are announced. */
  readonly excursions: readonly string[];
  readonly initrd: Uint8Array;
}

/** `folder` has the ELF file. */
export function readWorkload(folder: string): Workload {
  const file = path.join(folder, FILE);
  const data = readFileSync(file);
  const elf = readElf(data, file);
  return { elf, excursions: excursionsOf(elf), initrd: cpioArchive([{ name: 'init', mode: EXECUTABLE, data }]) };
}

/** The table of addresses in the section .excursions, as names. */
function excursionsOf(elf: ElfImage): string[] {
  const names = new Map<number, string>();
  for (const [name, value] of elf.symbols) if (name.startsWith(PREFIX)) names.set(value, name.slice(PREFIX.length));
  const table = elf.sections.find(({ name }) => name === '.excursions');
  const segment = elf.segments.find(({ vaddr, filesz }) => {
    const offset = (table?.addr ?? 0) - vaddr;
    return offset >= 0 && offset < filesz;
  });
  if (table === undefined || segment === undefined) return [];
  const bytes = Buffer.from(segment.data.subarray(table.addr - segment.vaddr, table.addr - segment.vaddr + table.size));
  return Array.from({ length: table.size / 8 }, (_, i) => names.get(Number(bytes.readBigUInt64LE(8 * i))) ?? '');
}
