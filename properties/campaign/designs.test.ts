/**
 * Promises: safe designs hold on the emulator, with and without PCID: random walks refine the abstract machine and
 * violate nothing, the sweep raises an event at every boundary of its scenarios, and every `sometimes` property is
 * reached (designs.searches.test.ts: by each of them), so that the silence means something.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { Decoder, DecoderOptions } from 'iced-x86';
import { CPL, NMI_BLOCKED, RSP } from '../../emulator/registers';
import { entryModel } from '../../model/entry-model';
import { NMI_STACK } from '../../model/kinds';
import { designImage, imageFile } from '../designs/images';
import { locationName } from '../guest/location';
import type { Range } from '../guest/manifest';
import { bootGuest } from '../monitor/guest';
import { Refinement } from '../refinement/refinement';
import { propertyNumber } from '../safety/index';
import '../testing/jest';
import { runSeed } from '../exploration/seeded-random';
import { Coverage, SCENARIOS, sweep } from '../exploration/sweep';
import { EntrySystem } from '../trace/entry-system';
import type { Walk } from '../trace/walk';
import { directedWalk, sometimesOf } from './sometimes';
import { Subject } from './subject';
import { TraceArbitrary } from './trace-arbitrary';

/** More than the images boot by themselves: the bounds of `verify` and `fuzz` in bare `pti-check`. */
const LARGER = { cpus: 2, tasks: 3, mms: 2 };
const SAFE = ['mainline', 'deferred-pertask', 'asm-return'];
const RUNS = 12;
const PLAN = { seed: 'designs', runs: RUNS };
const OF_MAINLINE = sometimesOf(new Subject({ design: 'mainline' }));

function withoutPcid(design: string): Subject {
  const bytes = readFileSync(imageFile(design).replace('.elf', '-nopcid.elf'));
  return new Subject({ design, elf: { name: `${design}-nopcid`, bytes } });
}

function failuresOf(system: EntrySystem, runs: number): unknown[] {
  const arbitrary = new TraceArbitrary(system, () => undefined);
  return Array.from({ length: runs }, (_, run) => {
    const property = fc.property(arbitrary, (walk: Walk) => walk.failure === undefined);
    const details = fc.check(property, { seed: runSeed('designs', run), numRuns: 1, endOnFailure: true });
    return details.counterexample?.[0].failure;
  }).filter((failure) => failure !== undefined);
}

interface Swept {
  readonly subject: Subject;
  readonly coverage: Coverage;
  readonly failure: ReturnType<typeof sweep>['failure'];
}

const sweeps = new Map<string, Swept>();

/** The sweep of a design at the larger bounds, made once for all that ask what it has hit. */
function swept(design: string): Swept {
  const known = sweeps.get(design);
  if (known !== undefined) return known;
  const subject = new Subject({ design, boot: LARGER });
  const coverage = new Coverage();
  const made = { subject, coverage, failure: sweep(subject.system, coverage).failure };
  sweeps.set(design, made);
  return made;
}

describe.each(SAFE)('%s', (design) => {
  const subject = new Subject({ design });

  test(`refines its model and holds in ${RUNS} random walks`, () => {
    expect(subject).toPass(PLAN);
  });

  test('holds in the sweep, which hits every pair that it meets', () => {
    const { subject, coverage, failure } = swept(design);
    expect({ subject, walk: failure }).toPass();
    expect(coverage.hit).toBe(coverage.of);
    expect(coverage.hit).toBeGreaterThan(400);
  });

  const larger = new Subject({ design, boot: LARGER });

  // Of the others what mainline lacks: designs.searches.test.ts has the rest.
  for (const sometimes of sometimesOf(subject).filter((s) => design === 'mainline' || !OF_MAINLINE.includes(s)))
    test(`reaches ${sometimes.name} with three tasks in two address spaces`, () => {
      expect(directedWalk(larger, sometimes)).toMatchObject({ kind: 'reached' });
    });

  // Where no task waits, one has to come back from the other CPU in another way. One design shows it.
  const withTwo = design === 'mainline' ? sometimesOf(subject).filter((s) => s.name === 'resumed-on-another-cpu') : [];
  for (const sometimes of withTwo)
    test(`reaches ${sometimes.name} with two tasks`, () => {
      expect(directedWalk(subject, sometimes)).toMatchObject({ kind: 'reached' });
    });

  test('holds with three tasks in two address spaces', () => {
    expect(larger).toPass(PLAN);
  });

  test('holds whatever its user programs do to flags, rsp and selectors, with INT n and single steps', () => {
    const bytes = readFileSync(imageFile(design).replace('.elf', '-hostile.elf'));
    const boot = { cpus: 2, tasks: 3, mms: 2 };
    expect(new Subject({ design, elf: { name: `${design}-hostile`, bytes }, boot })).toPass({
      seed: 'hostile',
      runs: 40,
    });
  });

  test('holds without PCID', () => {
    const other = withoutPcid(design);
    expect(other).toPass({ ...PLAN, sweep: true });
  });
});

test('deferred-percpu does what its model allows until a task is scheduled out on the trampoline stack', () => {
  const seen = failuresOf(new Subject({ design: 'deferred-percpu' }).system, 60);
  expect(seen.length).toBeGreaterThan(10);
  for (const failure of seen)
    expect(failure).toMatchObject({ kind: 'violated', property: propertyNumber('scheduled-out-on-own-stack') });
});

test('no-pti, whose initial state is wrong, does for the rest what its model allows', () => {
  const image = designImage('no-pti');
  const model = entryModel('no-pti', { cpus: 2, tasks: 2, mms: 1, nesting: 7, nmis: 1, irqs: 1 });
  if (image === undefined || model === undefined) throw new Error('no-pti is gone');
  const guest = bootGuest(image);
  expect(guest.monitor.violation).toMatchObject({ property: propertyNumber('user-table-is-minimal') });
  guest.monitor.forget();
  const system = new EntrySystem(guest, new Refinement(model, 'no-pti'));
  expect(failuresOf(system, 30)).toEqual([]);
});

test('the sweep covers a system call, an IRQ, a #PF and a context switch', () => {
  expect(SCENARIOS.map((s) => s.name)).toEqual(
    expect.arrayContaining(['system call, SYSRET', 'IRQ from user mode', '#PF', 'context switch']),
  );
});

/** symbol+offset of every instruction in a range of the image. */
function instructionsOf({ image }: Subject, range: Range): string[] {
  const segment = image.segments.find((one) => range.start >= one.vaddr && range.end <= one.vaddr + one.filesz);
  if (segment === undefined) throw new Error('the image names no range of code');
  const decoder = new Decoder(
    64,
    segment.data.subarray(range.start - segment.vaddr, range.end - segment.vaddr),
    DecoderOptions.None,
  );
  const names: string[] = [];
  while (decoder.canDecode) {
    names.push(locationName(image, range.start + decoder.position));
    decoder.decode().free();
  }
  return names;
}

test.each(SAFE)(
  'the sweep of %s raises a second NMI at every instruction of the first one, its copies included',
  (design) => {
    const { subject, coverage } = swept(design);
    // The copy of the first NMI's frame lies right before the one that a nested NMI restarts.
    const start = subject.image.symbol('first_nmi') ?? Number.NaN;
    const end = subject.guest.manifest.repeatNmi?.end ?? Number.NaN;
    const boundaries = instructionsOf(subject, { start, end });
    expect(boundaries.length).toBeGreaterThan(15);
    expect(boundaries.filter((at) => !coverage.has(at, 'nmi'))).toEqual([]);
  },
);

test('the sweep switches to a task of another address space, with an NMI at every instruction around the write of CR3', () => {
  const { subject, coverage } = swept('mainline');
  const start = subject.image.symbol('load_mm') ?? Number.NaN;
  const end = subject.image.symbol('exit_to_user_work') ?? Number.NaN;
  const hit = instructionsOf(subject, { start, end }).filter((at) => coverage.has(at, 'nmi'));
  // All but the way of a CPU that has used the address space before, which is one instruction.
  expect(hit.length).toBeGreaterThan(15);
});

test.each(SAFE)(
  'the other CPU of the sweep of %s gets the task that is switched out, whatever tasks there are',
  (design) => {
    for (const { boot, rules } of [
      { boot: { cpus: 2, tasks: 2, mms: 1 }, rules: ['switch-to 0'] },
      { boot: LARGER, rules: ['switch-mm 0', 'switch-to 0'] },
    ]) {
      const { system } = new Subject({ design, boot });
      const take = jest.spyOn(system, 'take');
      sweep(
        system,
        new Coverage(),
        undefined,
        SCENARIOS.filter(({ contended }) => contended),
      );
      const taken = new Set(
        take.mock.results.map(({ value: { action } }) =>
          action.action === 'step' && action.cpu === 1 ? `${action.rule} ${action.args ?? ''}` : '',
        ),
      );
      expect([...taken]).toEqual(expect.arrayContaining(rules));
    }
  },
);

test('a sweep that is cut short says of how many pairs it has hit some', () => {
  const coverage = new Coverage();
  let asked = 0;
  sweep(new Subject({ design: 'mainline' }).system, coverage, () => ++asked > 20);
  expect(coverage.hit).toBeGreaterThan(0);
  expect(coverage.hit).toBeLessThan(coverage.of);
});

test('the sweep raises an NMI at every instruction from the first of the SYSCALL entry to SYSRET', () => {
  const { subject, coverage } = swept('mainline');
  const { system } = subject;
  system.reset();
  const seen: string[] = [];
  // Every boundary of one system call, one instruction at a time, whatever the sweep believes a boundary is.
  system.take({ kind: 'step', cpu: 0 }, () => 0);
  while (subject.guest.machine.cpus[0].r[CPL] === 0) {
    seen.push(system.location(0));
    system.take({ kind: 'run', cpu: 0, count: 1 }, () => 0);
  }
  expect(seen.length).toBeGreaterThan(80);
  expect(seen.filter((at) => !coverage.has(at, 'nmi'))).toEqual([]);
});

describe("a user's rsp that points into the NMI stack (CVE-2015-3291)", () => {
  test.each(SAFE)('%s takes an NMI at every boundary of the system call, and forgets none', (design) => {
    const { system, guest } = new Subject({ design });
    system.reset();
    const [cpu] = guest.machine.cpus;
    const nmi = guest.view.regions.find((r) => r.kind === NMI_STACK && r.cpu === 0);
    cpu.set64(RSP, BigInt.asUintN(64, BigInt((nmi?.end ?? 0) - 256)));
    system.take({ kind: 'step', cpu: 0 }, () => 0);
    let boundaries = 0;
    while (cpu.r[CPL] === 0) {
      const mark = system.mark();
      const { outcome } = system.take({ kind: 'nmi', cpu: 0 }, () => 0);
      expect(outcome).toEqual({ kind: 'done', length: 1 });
      const rules: string[] = [];
      while (cpu.r[NMI_BLOCKED] === 1) {
        const { action, outcome: next } = system.take({ kind: 'step', cpu: 0 }, () => 0);
        expect(next).toEqual({ kind: 'done', length: 1 });
        if (action.action === 'step') rules.push(action.rule);
      }
      expect(rules).toContain('enter-body');
      system.rollback(mark);
      system.release(mark);
      system.take({ kind: 'run', cpu: 0, count: 1 }, () => 0);
      boundaries++;
    }
    expect(boundaries).toBeGreaterThan(80);
  });
});
