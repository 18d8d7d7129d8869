/**
 * The designs: a name with two halves, a configuration of the abstract machine and a guest image, and what is expected of it. A mutant is a design with one
 * planted bug, and names the property that catches it. The table is the single source for `designs`, for bare `pti-check` and for the tests.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';

export interface Design {
  /** `mainline`, or `mainline+sti-on-trampoline` for a mutant. */
  readonly id: string;
  readonly title: string;
  readonly expected: 'safe' | 'unsafe';
  /** Slug of the property that an unsafe design violates. */
  readonly property?: string;
  /** Smallest extra stack per task that the design could do with, bytes. */
  readonly minimumExtraBytesPerTask: number;
  /** Folder of its sources. */
  readonly source: string;
}

const PAGE = 4096;

export const DESIGNS: readonly Design[] = [
  design('mainline', 'v5.10 order: CR3 in assembly, per-CPU trampoline stack', 'safe'),
  design('deferred-percpu', 'CR3 switch in C, body still on the per-CPU trampoline stack', 'unsafe', 'scheduled-out-on-own-stack'),
  { ...design('deferred-pertask', 'CR3 switch in C, per-task PTI stack (the RFC, mended)', 'safe'), minimumExtraBytesPerTask: PAGE },
  design('asm-return', 'CR3 switch in C, then return to assembly to switch stacks', 'safe'),
  design('no-pti', 'one page table: the kernel is mapped at CPL3', 'unsafe', 'user-table-is-minimal'),
];

function design(id: string, title: string, expected: 'safe' | 'unsafe', property?: string): Design {
  const source = `emulator/guest/${id}`;
  return { id, title, expected, ...(property === undefined ? {} : { property }), minimumExtraBytesPerTask: 0, source };
}

/** Folder of the package: where package.json names it. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** File of the guest image of a design or mutant. */
export function imageFile(id: string): string {
  const [base] = id.split('+');
  return path.join(packageRoot(), 'emulator', 'guest', base, `${id}.elf`);
}

const images = new Map<string, ElfImage>();

/** The guest image of a design or mutant; undefined if there is none of that name. */
export function designImage(id: string): ElfImage | undefined {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\+[a-z0-9]+(-[a-z0-9]+)*)?$/.test(id) || !existsSync(imageFile(id))) return undefined;
  const known = images.get(id) ?? readElf(readFileSync(imageFile(id)), id);
  images.set(id, known);
  return known;
}
