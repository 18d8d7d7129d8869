/**
 * Promise: the check of a kernel is told as a table with a line for each excursion, with sums, and each violation once
 * with its place and a trace; the excursions can be chosen, and a name that there is not gets one sentence.
 */
import path from 'node:path';
import { readWorkload } from '../../emulator/linux/workload/workload';
import { packageFolder } from '../../model/checker/package-folder';
import { EXCURSION_WORDS } from '../linux/excursion-words';
import { kernelPaths } from './arguments';
import { groupedViolations, withoutDoubles } from './kernel-checking';
import { checkInWords, checkResult } from './kernel-table';

const { excursions } = readWorkload(path.join(packageFolder(), 'emulator/linux/workload'));
const symbols = { symbolAt: (va: number) => (va === -16 ? { name: 'entry', offset: 4 } : undefined) };

const failure = (rip: number, message: string) => ({
  property: 'resume-is-exact',
  message,
  cpu: 1,
  rip,
  trace: [
    { action: 'excursion', name: 'int80', round: 1 },
    { action: 'nmi', cpu: 1 },
  ] as const,
});

const NONE = { raised: 0, taken: 0, away: 0 };

const swept = (name: string, count: number, failures: readonly ReturnType<typeof failure>[]) => ({
  excursion: { name, round: 0 },
  length: 100,
  situations: count,
  complete: true,
  instructions: 1000,
  failures,
  events: {
    nmi: { raised: count, taken: count, away: 0 },
    irq: { raised: 2, taken: 2, away: 1 },
    nested: NONE,
    debug: NONE,
    machineCheck: NONE,
    other: NONE,
  },
});

const all = [swept('syscall', 1200, []), swept('int80', 30, [failure(-16, 'a'), failure(-16, 'b'), failure(-32, 'c')])];
const run = (found?: ReturnType<typeof failure>) => ({ instructions: 500, nmis: 2, ticks: 1, failure: found });
const runs = [run(), run(failure(-16, 'd')), run(failure(-48, 'e'))];
const check = {
  excursions: all,
  missing: 3,
  interrupted: true,
  runs,
  seed: 's',
  violations: groupedViolations(all, runs, 's'),
};

test('every excursion of the program has words', () => {
  expect(Object.keys(EXCURSION_WORDS)).toEqual(excursions);
});

test('a table with a line for each, sums, and violations by place', () => {
  expect(checkInWords(check, symbols, ['one', 'two', 'three'])).toEqual([
    '  excursion                 boundaries     NMI     IRQ violated',
    '  syscall                       1,200   1,200       2        0  SYSCALL, return by SYSRET',
    '  int80                            30      30       2        3  INT 80h',
    '  all 2                         1,230   1,230       4        3',
    '  interrupted: 3 excursions not swept',
    '  3 random runs of seed s: 1,500 instructions, 6 NMIs, 3 ticks',
    '  resume-is-exact violated on CPU 1 at entry+0x4 in int80, 3 times',
    '    a',
    '    trace: excursion int80, round 1; an NMI on CPU 1',
    '    again: one',
    '  resume-is-exact violated on CPU 1 at 0xffffffffffffffe0 in int80, 1 time',
    '    c',
    '    trace: excursion int80, round 1; an NMI on CPU 1',
    '    again: two',
    '  resume-is-exact violated on CPU 1 at 0xffffffffffffffd0 in int80, 1 time',
    '    e',
    '    trace: excursion int80, round 1; an NMI on CPU 1',
    '    again: three',
  ]);
});

test('what was found at two places and is shrunk to one failure is told once', () => {
  const { violations } = check;
  const shrunk = violations.map((violation, i) => (i === 0 ? violation : { ...violation, first: violations[1].first }));
  expect(withoutDoubles(shrunk).map(({ first, count }) => [first.message, count])).toEqual([
    ['a', 3],
    ['c', 2],
  ]);
});

test('a long trace is told without its middle', () => {
  const { violations } = check;
  const trace = Array.from({ length: 30 }, (_, i) => ({ action: 'run', cpu: 0, count: i + 1 }) as const);
  const long = { ...check, violations: [{ ...violations[0], first: { ...violations[0].first, trace } }] };
  const [line] = checkInWords(long, symbols, ['one']).filter((each) => each.includes('trace:'));
  expect(line).toBe(
    `    trace: ${[1, 2, 3, 4, 5].map(boundaries).join('; ')}; (20 actions more); ${[26, 27, 28, 29, 30].map(boundaries).join('; ')}`,
  );
});

const boundaries = (count: number) => `${count} ${count === 1 ? 'boundary' : 'boundaries'} of CPU 0`;

test('the same for scripts', () => {
  const result = checkResult(check, symbols, ['a.json', 'b.json', 'c.json']);
  expect(result.totals).toEqual({
    situations: 1230,
    instructions: 2200,
    events: {
      nmi: { raised: 1230, taken: 1230, away: 0 },
      irq: { raised: 4, taken: 4, away: 2 },
      nested: NONE,
      debug: NONE,
      machineCheck: NONE,
      other: NONE,
    },
  });
  expect(result.random).toEqual({ seed: 's', runs: 3, instructions: 1500, nmis: 6, ticks: 3 });
  expect(result.violations.map(({ rip, count, excursion }) => [rip, count, excursion])).toEqual([
    ['entry+0x4', 3, 'int80'],
    ['0xffffffffffffffe0', 1, 'int80'],
    ['0xffffffffffffffd0', 1, 'int80'],
  ]);
});

test('excursions are chosen by name, in the order of the program', () => {
  expect(kernelPaths(undefined, excursions)).toEqual(excursions);
  expect(kernelPaths('int80, syscall', excursions)).toEqual(['syscall', 'int80']);
  expect(kernelPaths('page-fault-read', excursions)).toEqual(['page_fault_read']);
  expect(() => kernelPaths('syscal', excursions)).toThrow(
    'expected --paths to be excursions of our program, separated by commas, found "syscal"; did you mean syscall?',
  );
  expect(() => kernelPaths('', excursions)).toThrow(/found ""; they are syscall, int80, /);
});
