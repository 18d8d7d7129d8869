/**
 * Prints which instructions of Linux kernels the emulator does not execute, in their entry code, code that must not be
 * instrumented, scheduler, switch and all of their text, and for which features a kernel patches its entry code:
 *
 *   node -r esbuild-register scripts/kernel-coverage.ts IMAGE...
 *
 * An IMAGE is a vmlinux, a vmlinuz or a linux-image package. Exit code 1 if an instruction of entry code or of the
 * scheduler is missing (the others have some that a kernel executes only where CPUID offers them), 2 if an image cannot
 * be read.
 */
import type { Instruction } from 'iced-x86';
import { isImplemented } from '../emulator/decode/decoder';
import { symbolText } from '../emulator/disassemble';
import { featureName, readAlternatives } from '../emulator/linux/image/alternatives';
import { instructionCoverage, type RegionCoverage } from '../emulator/linux/image/instruction-coverage';
import { type KernelImage, readKernelImage } from '../emulator/linux/image/kernel-image';
import { KernelImageError } from '../emulator/linux/image/kernel-image-error';
import { readCpuFeatures } from '../emulator/linux/platform/cpu-features';
import { LinuxPlatform } from '../emulator/linux/platform/linux-platform';
import { alignedTable } from '../properties/report/aligned-table';

/** Kinds of instructions that a row names; the others are counted. */
const NAMED = 8;

const HEADS = ['code', 'bytes', 'instructions', 'of alternatives', 'missing', 'which'];
const ALIGNS = ['left', 'right', 'right', 'right', 'right', 'left'] as const;
const MUST_BE_WHOLE: ReadonlySet<string> = new Set(['entry text', 'scheduler text']);

/** The machine on which kernels boot, with the features that it has if nothing is said. */
const platform = new LinuxPlatform({ features: readCpuFeatures(''), tscHz: 1e9, startUp: () => {} });
const executes = (instruction: Instruction) => isImplemented(instruction, platform);

/** The kinds that are missing, each with its first place. */
function named(image: KernelImage, { missing }: RegionCoverage): string {
  const lines = missing.slice(0, NAMED).map(({ text, count, va }) => {
    const place = image.symbols.symbolAt(va);
    return `${count} x ${text}${place === undefined ? '' : ` (${symbolText(place)})`}`;
  });
  if (missing.length > NAMED) lines.push(`and ${missing.length - NAMED} more`);
  return lines.join('\n');
}

/** How often the kernel may patch its entry code for each feature of the processor, the most frequent one first. */
function alternativesInEntryText(image: KernelImage): string {
  const start = image.symbols.address('__entry_text_start');
  const end = image.symbols.address('__entry_text_end');
  const counts = new Map<string, number>();
  for (const { site, feature } of readAlternatives(image)) {
    if (site < start || site >= end) continue;
    const name = featureName(image, feature);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${name} ${count}`).join(', ');
}

function print(image: KernelImage): boolean {
  let isWhole = true;
  const rows = instructionCoverage(image, executes).map((region) => {
    const missing = region.missing.reduce((sum, { count }) => sum + count, 0);
    if (MUST_BE_WHOLE.has(region.name) && missing > 0) isWhole = false;
    const counts = [region.size, region.instructions, region.replacements, missing].map((n) => n.toLocaleString('en'));
    return [region.name, ...counts, named(image, region)];
  });
  console.log(`${image.name}: Linux ${image.release}, ${image.symbols.list.length.toLocaleString('en')} symbols`);
  console.log(`${alignedTable(HEADS, ALIGNS, rows).join('\n')}\n`);
  console.log(`alternatives in entry text: ${alternativesInEntryText(image)}\n`);
  return isWhole;
}

try {
  const files = process.argv.slice(2);
  if (files.length === 0) throw new KernelImageError('unreadable', 'usage: kernel-coverage.ts IMAGE...');
  const whole = files.map((file) => print(readKernelImage(file)));
  process.exitCode = whole.every((isWhole) => isWhole) ? 0 : 1;
} catch (error) {
  if (!(error instanceof KernelImageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
