/**
 * Promise: a matrix of processors has a line for each, and a row in which there is no isolation is right if that is
 * what is violated, and nothing else.
 */
import { VIOLATED } from './exit-codes';
import { matrixInWords, rowExitCode } from './kernel-matrix';

const EVENTS = { raised: 10, taken: 10, away: 0 };
const excursion = {
  excursion: { name: 'syscall', round: 0 },
  length: 100,
  situations: 1234,
  complete: true,
  instructions: 1000,
  failures: [],
  events: { nmi: EVENTS, irq: EVENTS, nested: EVENTS, debug: EVENTS, machineCheck: EVENTS, other: EVENTS },
};

const row = (expected: string | undefined, properties: readonly string[]) => {
  const failures = properties.map((property) => ({ property, message: '', cpu: 0, rip: -16, trace: [] }));
  const violations = failures.map((first) => ({ first, found: first, excursion: 'syscall', count: 1 }));
  return {
    name: 'ibrs',
    cpu: 'ibrs',
    commandLine: '',
    ...(expected === undefined ? {} : { expected }),
    stopped: undefined,
    fromCache: true,
    check: { excursions: [excursion], missing: 0, interrupted: false, runs: [], seed: 's', violations },
  };
};

test.each([
  [undefined, [], 0, 'holds'],
  [undefined, ['resume-is-exact'], VIOLATED, 'resume-is-exact violated'],
  ['resume-is-exact', ['resume-is-exact'], 0, 'resume-is-exact violated, as it should be'],
  ['resume-is-exact', [], VIOLATED, 'resume-is-exact should be violated'],
  ['resume-is-exact', ['no-oops', 'resume-is-exact'], VIOLATED, 'no-oops, resume-is-exact violated'],
])('expected %p, violated %p', (expected, properties, code, verdict) => {
  expect(rowExitCode(row(expected, properties))).toBe(code);
  expect(matrixInWords([row(expected, properties)])).toEqual([
    '  processor                   boundaries      NMI      IRQ     NMI²  verdict',
    `  ibrs                             1,234       10       10       10  ${verdict}`,
  ]);
});

test('a kernel that stops on the way says so', () => {
  const stopped = { ...row(undefined, []), stopped: 'panic: no', check: undefined };
  expect(matrixInWords([stopped])[1]).toMatch(/^ {2}ibrs .* has stopped: panic: no$/);
  expect(rowExitCode(stopped)).toBe(3);
});
