/**
 * Cloud kernels of Debian, where `PTI_CHECK_KERNELS` names a folder with some. Of Linux 6.1: sweeps hold, plants are
 * found and a case of one is replayed, and what writes CR3, swaps GS or switches stacks on the way of a system call
 * cannot be left out. Of Linux 6.12, which handles machine checks: these hold, and plants on their way are found.
 * `scripts/check-kernel.sh` runs this alone. Without such a folder nothing of this runs, and the one test says so.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { parseKernelCase, serializeKernelCase } from '../../counterexamples/kernel-case';
import { readKernelImage } from '../../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../../emulator/linux/platform/cpu-features';
import { replayKernelCase, toKernelCase } from './case-of-kernel';
import { coverageOf } from './entry-coverage';
import { mutantsOf, tryMutant } from './entry-mutants';
import { sweepExcursion } from './event-sweep';
import { bootKernel } from './kernel-boot';
import type { KernelFailure } from './kernel-system';
import { kernelSource, type OpenKernel, openKernel } from './open-kernel';
import { ourProgram } from './our-program';
import { knownPlant, plantInto } from './plants';
import { randomRun } from './random-interleaving';
import { shrinkTrace } from './shrink-trace';

const folder = process.env.PTI_CHECK_KERNELS ?? '';
const TIMEOUT_MS = 1_200_000;
const OPTIONS = { commandLine: '', features: readCpuFeatures(''), cpus: 2, memoryMiB: 128 };
const RANDOM_RUNS = 6;

/** What is violated first, by one of these excursions with an event at every boundary or, after that, at random. */
const FOUND: Readonly<Record<string, string>> = {
  'no-cr3-switch': 'accesses-are-mapped',
  'no-cr3-switch-of-faults': 'accesses-are-mapped',
  'no-cr3-switch-of-nmi': 'accesses-are-mapped',
  'no-cr3-restore': 'resume-is-exact',
  'no-user-cr3': 'user-mode-uses-user-cr3',
  'no-swapgs': 'kernel-gs-accesses-use-kernel-gs',
  'no-swapgs-of-nmi': 'kernel-gs-accesses-use-kernel-gs',
  'no-swapgs-of-faults': 'kernel-gs-accesses-use-kernel-gs',
  'no-swapgs-of-iret-fault': 'kernel-gs-accesses-use-kernel-gs',
  'no-user-gs': 'user-mode-uses-user-gs',
  'no-kernel-stack': 'stack-is-legal',
  'stay-on-nmi-stack': 'live-frames-are-untouched',
  'no-trampoline-stack': 'accesses-are-mapped',
  'no-saved-rsp': 'scheduled-out-on-own-stack',
  'no-clear-registers': 'registers-are-cleared',
  // With DF the copy of the saved registers goes backwards, before any body could complain of the flag.
  'no-cld': 'event-is-handled',
  'no-clac': 'flags-are-clear-at-body',
  'no-flush-of-user-table': 'noflush-is-safe',
};
/** What a machine check violates in the sweep of one excursion. */
const FOUND_BY_MACHINE_CHECKS: Readonly<Record<string, string>> = {
  'no-cr3-switch-of-nmi': 'accesses-are-mapped',
  'no-swapgs-of-nmi': 'kernel-gs-accesses-use-kernel-gs',
  'stay-on-machine-check-stack': 'live-frames-are-untouched',
};
const PATHS = ['syscall', 'page_fault_read', 'sigreturn_bad_rip', 'fork_exit'] as const;

/** Properties that machine checks violate in a kernel with a mistake in it, and how many there were. */
function machineChecks({ system, code, text }: OpenKernel, plant?: string) {
  const mark = system.mark();
  if (plant !== undefined) plantInto(text, knownPlant(plant));
  const swept = sweepExcursion(system, code, { name: 'syscall', round: 0 }, () => false, Number.POSITIVE_INFINITY);
  system.rollback(mark);
  system.release(mark);
  const failures = swept.failures.filter(({ trace }) => trace.some(({ action }) => action === 'machine-check'));
  return { count: swept.events.machineCheck, properties: new Set(failures.map(({ property }) => property)) };
}

/** The first failure of a kernel with a mistake in it; the system is afterwards what it was before. */
function foundIn({ system, code, text }: OpenKernel, plant: string): KernelFailure | undefined {
  const mark = system.mark();
  plantInto(text, knownPlant(plant));
  let failure: KernelFailure | undefined;
  for (const [round, name] of PATHS.entries())
    failure ??= sweepExcursion(system, code, { name, round }, () => false, 1).failures[0];
  for (let run = 0; run < RANDOM_RUNS && failure === undefined; run++)
    failure = randomRun(system, `${plant} ${run}`).failure;
  system.rollback(mark);
  system.release(mark);
  return failure;
}

if (folder === '') {
  test('NOT RUN: PTI_CHECK_KERNELS names no folder, so no kernel of a distribution is swept', () => {
    expect(folder).toBe('');
  });
} else {
  const files = readdirSync(folder).filter((name) => /^vmlinu|^linux-image.*\.deb$/.test(name));
  const cloudOf = (version: string) =>
    files
      .filter((name) => name.includes(version) && name.includes('cloud'))
      .map((file) => {
        const image = readKernelImage(path.join(folder, file));
        const { state } = bootKernel(image, ourProgram(), OPTIONS, () => {});
        if (state === undefined) throw new Error(`${image.name} does not boot`);
        const source = kernelSource(image, OPTIONS, [], state);
        return { image, source, kernel: openKernel(source, ourProgram()) };
      });
  const kernels = cloudOf('6.1.0');

  test('there is a cloud kernel of Linux 6.1 in the folder', () => {
    expect(files).toContainEqual(expect.stringMatching(/6\.1\.0-.*cloud/));
  });

  test.each(kernels)(
    '$image.name holds with every event at every boundary of a fault, and of a switch of tasks',
    ({ kernel: { system, code } }) => {
      for (const [name, least] of [
        ['page_fault_read', 500],
        ['int80_yield', 200],
      ] as const) {
        const { situations, events, failures, complete } = sweepExcursion(system, code, { name, round: 0 });
        expect([complete, failures]).toEqual([true, []]);
        expect(situations).toBeGreaterThanOrEqual(least);
        expect(events.nmi).toEqual({ raised: situations, taken: situations, away: 0 });
        const { machineCheck, ...others } = events;
        for (const { raised } of Object.values(others)) expect(raised).toBeGreaterThan(0);
        // It has no handler for one.
        expect(machineCheck.raised).toBe(0);
      }
    },
    TIMEOUT_MS,
  );

  test.each(kernels)(
    'plants in $image.name are found, and each violates what it is about',
    ({ kernel }) => {
      const found = Object.keys(FOUND).map((plant) => [plant, foundIn(kernel, plant)?.property]);
      expect(Object.fromEntries(found)).toEqual(FOUND);
    },
    TIMEOUT_MS,
  );

  test.each(kernels)(
    'a task of $image.name that is scheduled out on the entry stack is shrunk, saved and replayed',
    ({ image, source, kernel }) => {
      const plants = ['stay-on-entry-stack'];
      const planted = openKernel({ ...source, plants }, ourProgram());
      const { failure } = randomRun(planted.system, 'replay');
      expect(failure?.property).toBe('scheduled-out-on-own-stack');
      if (failure === undefined) return;
      const shrunk = shrinkTrace(planted.system, failure);
      const origin = { failure: shrunk, lengthBeforeShrinking: failure.trace.length, date: '2026-01-31' };
      const saved = toKernelCase(image, ourProgram(), { options: OPTIONS, plants }, origin);
      const read = parseKernelCase(serializeKernelCase(saved), 'case.json');
      expect(read).toEqual(saved);
      const again = openKernel({ ...source, plants }, ourProgram());
      expect(replayKernelCase(again.system, saved)).toMatchObject({ verdict: 'reproduced', message: shrunk.message });
      const mark = kernel.system.mark();
      expect(replayKernelCase(kernel.system, saved).verdict).toBe('passed');
      kernel.system.rollback(mark);
      kernel.system.release(mark);
    },
    TIMEOUT_MS,
  );

  test.each(kernels)(
    '$image.name without one of the instructions that matter most on the way of a system call is found to be wrong',
    ({ kernel: { system, code, text, mutated } }) => {
      const coverage = coverageOf(system, code, mutated, { name: 'syscall', round: 0 });
      const critical = mutantsOf(text, mutated, [coverage]).filter(
        (mutant) => mutant.critical && mutant.own.length > 0,
      );
      expect(critical.length).toBeGreaterThanOrEqual(6);
      const survivors = critical.filter((mutant) => tryMutant(system, code, text, mutant).killed === undefined);
      expect(survivors.map(({ text: words }) => words)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  const handling = cloudOf('6.12');
  if (handling.length === 0) {
    test('NOT RUN: the folder has no cloud kernel of Linux 6.12, so no machine check is raised', () => {
      expect(handling).toEqual([]);
    });
  } else {
    test.each(handling)(
      '$image.name holds with machine checks, which find the plants on their way',
      ({ kernel }) => {
        const { count, properties } = machineChecks(kernel);
        expect([count.taken, count.away, [...properties]]).toEqual([count.raised, 0, []]);
        expect(count.raised).toBeGreaterThanOrEqual(100);
        for (const [plant, property] of Object.entries(FOUND_BY_MACHINE_CHECKS))
          expect([plant, [...machineChecks(kernel, plant).properties]]).toEqual([
            plant,
            expect.arrayContaining([property]),
          ]);
      },
      TIMEOUT_MS,
    );
  }
}
