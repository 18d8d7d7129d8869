/**
 * One kernel on several processors: it patches its own entry code by what CPUID says, so each row is other code. Each
 * is booted, or read from the cache, and checked like one kernel alone.
 */
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import type { Workload } from '../../emulator/linux/workload/workload';
import type { WorkerPool } from '../campaign/worker-pool';
import type { ExcursionName } from '../linux/excursions';
import { type BootOptions, bootKernel } from '../linux/kernel-boot';
import { kernelSource, sharedSource } from '../linux/open-kernel';
import { grouped } from '../report/numbers';
import { HOLDS, VIOLATED } from './exit-codes';
import { checkExitCode, checkKernel, type KernelCheck, type KernelRuns, type OnProgress } from './kernel-checking';
import { totals } from './kernel-table';

interface Configuration {
  /** What `--cpu` or `--cmdline` would be. */
  readonly name: string;
  readonly cpu: string;
  readonly commandLine: string;
  /** Slug of a property that has to be violated: this is no isolation. */
  readonly expected?: string;
}

/** Each by its name: of `mitigations=off pti=on` Linux 6.12 takes the first word. */
const PTI_ALONE =
  'pti=on nospectre_v1 nospectre_v2 spectre_bhi=off retbleed=off mds=off mmio_stale_data=off spec_store_bypass_disable=off l1tf=off';

/**
 * What changes entry code: CR3 with and without PCID, flushes, GS base, CLAC, IBRS, VERW, what is done for AMD;
 * and no isolation at all.
 */
const CONFIGURATIONS: readonly Configuration[] = [
  { name: 'a Skylake server', cpu: '', commandLine: '' },
  { name: 'no-pcid', cpu: 'no-pcid', commandLine: '' },
  { name: 'no-invpcid', cpu: 'no-invpcid', commandLine: '' },
  { name: 'no-fsgsbase', cpu: 'no-fsgsbase', commandLine: '' },
  { name: 'no-smap,no-smep', cpu: 'no-smap,no-smep', commandLine: '' },
  { name: 'ibrs', cpu: 'ibrs', commandLine: '' },
  { name: 'no-pcid,ibrs,md-clear', cpu: 'no-pcid,ibrs,md-clear', commandLine: '' },
  { name: 'no mitigations but PTI', cpu: '', commandLine: PTI_ALONE },
  { name: 'amd, pti=on', cpu: 'amd', commandLine: 'pti=on' },
  { name: 'pti=off', cpu: '', commandLine: 'pti=off', expected: 'user-mode-uses-user-cr3' },
];

interface MatrixRow extends Configuration {
  /** Why it has not booted; undefined if it has. */
  readonly stopped: string | undefined;
  readonly fromCache: boolean;
  readonly check: KernelCheck | undefined;
}

export interface MatrixRequest {
  readonly image: KernelImage;
  readonly program: Workload;
  /** What all rows have in common: CPUs, memory, and what follows our own command line. */
  readonly options: BootOptions;
  readonly plants: readonly string[];
  readonly excursions: readonly ExcursionName[];
  readonly runs: KernelRuns;
}

export async function kernelMatrix(
  pool: WorkerPool,
  { image, program, options, plants, excursions, runs }: MatrixRequest,
  onBoot: (name: string, linux: LinuxMachine) => void,
  onProgress: (name: string) => OnProgress,
): Promise<MatrixRow[]> {
  const rows: MatrixRow[] = [];
  for (const configuration of CONFIGURATIONS) {
    if (pool.stopped) break;
    const { name, cpu, commandLine } = configuration;
    const how = {
      ...options,
      features: readCpuFeatures(cpu),
      commandLine: `${options.commandLine} ${commandLine}`.trim(),
    };
    const { state, end, reason, fromCache } = bootKernel(image, program, how, (linux) => onBoot(name, linux));
    const source = state && sharedSource(kernelSource(image, how, plants, state));
    const check = source && (await checkKernel(pool, source, excursions, runs, onProgress(name)));
    rows.push({ ...configuration, stopped: state === undefined ? `${end}: ${reason}` : undefined, fromCache, check });
  }
  return rows;
}

/** As of one kernel alone, but that a row in which a property has to be violated is right if it is that one alone. */
export function rowExitCode({ check, expected }: MatrixRow): number {
  if (expected === undefined || check === undefined) return checkExitCode(check);
  const properties = new Set(check.violations.map(({ first }) => first.property));
  return properties.size === 1 && properties.has(expected) ? HOLDS : VIOLATED;
}

export function matrixInWords(rows: readonly MatrixRow[]): string[] {
  const line = (name: string, boundaries: string, events: readonly string[], verdict: string) =>
    `  ${name.padEnd(28)}${boundaries.padStart(10)}${events.map((one) => one.padStart(9)).join('')}  ${verdict}`;
  return [
    line('processor', 'boundaries', ['NMI', 'IRQ', 'NMI²'], 'verdict'),
    ...rows.map((row) => {
      if (row.check === undefined) return line(row.name, '', ['', '', ''], `has stopped: ${row.stopped}`);
      const { situations, events } = totals(row.check.excursions);
      const counts = [events.nmi, events.irq, events.nested].map(({ taken }) => grouped(taken));
      return line(row.name, grouped(situations), counts, verdictOf(row, row.check));
    }),
  ];
}

function verdictOf({ expected }: MatrixRow, { violations, missing, interrupted }: KernelCheck): string {
  if (violations.length === 0)
    return missing > 0 || interrupted ? 'interrupted' : expected ? `${expected} should be violated` : 'holds';
  const properties = [...new Set(violations.map(({ first }) => first.property))].join(', ');
  return `${properties} violated${properties === expected ? ', as it should be' : ''}`;
}

export function matrixResult(rows: readonly MatrixRow[]) {
  return rows.map(({ name, cpu, commandLine, expected, stopped, fromCache, check }) => ({
    name,
    cpu,
    commandLine,
    ...(expected === undefined ? {} : { expected }),
    ...(stopped === undefined ? {} : { stopped }),
    fromCache,
    ...(check && {
      totals: totals(check.excursions),
      missing: check.missing,
      violations: check.violations.map(({ first, count }) => ({ ...first, count })),
    }),
  }));
}
