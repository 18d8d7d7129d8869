/**
 * Promises: what a program imports from the package answers as the command line does; the matchers pass and fail as
 * they say, and a failure tells the trace; a machine of one's own is searched by what `pti-check/checker` has.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { directedWalk, sometimesOf } from '../campaign/sometimes';
import { imageFile } from '../designs/images';
import * as checker from './checker';
import { defineDesign, design, editDesign, fuzz, image, replay, subject, traceOf, verify } from './index';
import './jest';

/** Little memory, because a process that has reserved much cannot start another one. */
const SMALL = { cpus: 1, tasks: 1, nesting: 2, nmis: 1, irqs: 2, memoryMiB: 64 };
const mainline = design('mainline');
const noGsRestored = editDesign(mainline, [{ leaveOut: 'restore-user-gs', of: ['kernel nmi return'] }]);
const corpus = path.resolve(__dirname, '../../counterexamples/corpus');
const saved = path.join(corpus, readdirSync(corpus)[0]);

/** What an assertion that fails says. */
function messageOf(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected the assertion to fail, found that it holds');
}

test('a name and a table of the same design have the same answer', () => {
  expect(verify(mainline, SMALL)).toEqual(verify('mainline', SMALL));
  expect(verify('mainline', SMALL)).toMatchObject({ verdict: 'holds', bounds: { cpus: 1, tasks: 1, mms: 1 } });
  expect(() => verify('mainlin')).toThrow('expected a design of the abstract machine, found mainlin');
});

test('a design with a fault is none', () => {
  expect(defineDesign(mainline)).toBe(mainline);
  expect(() => defineDesign(noGsRestored)).toThrow(/kernel nmi return, step 3: nmi-iret-to-kernel does not undo/);
});

test('toHold passes for what holds, and tells the shortest trace of what does not', () => {
  expect(mainline).toHold(SMALL);
  const message = messageOf(() => expect(noGsRestored).toHold(SMALL));
  expect(message).toMatch(/^expected mainline to hold, found violated: resume-is-exact S6\n/);
  expect(message).toMatch(/\n {7}1 {2}c0 {2}/);
});

test('toRefine takes code that follows its design, and no other', () => {
  const code = image(imageFile('mainline'));
  expect(code).toRefine('mainline', { seed: 'library', runs: 2, sweep: false });
  const noWindow = editDesign(mainline, [{ leaveOut: 'read-cr3-into-rsp', of: ['syscall enter'] }]);
  const message = messageOf(() => expect(code).toRefine(noWindow, { seed: 'library', runs: 5, sweep: false }));
  expect(message).toMatch(/^expected mainline.elf to refine mainline, found diverged in \d runs? of seed "library"/);
  expect(message).toContain('no stack (a CR3 value)');
});

test('what a table has to reach is searched in its own model', () => {
  const exits = ['syscall iret', 'irq iret', 'page-fault iret', 'general-protection iret', 'nmi iret'];
  const gsFirst = editDesign(mainline, [{ exchange: 'load-user-cr3', with: 'swapgs-to-user', of: exits }]);
  const booted = subject(gsFirst, image(imageFile('mainline')));
  // The image takes the steps of these exits in the other order: what needs none of them is reached, and nothing else.
  const kinds = {
    'kernel-page-fault-sleeps': 'reached',
    'preempted-in-kernel': 'reached',
    'bad-iret-repaired': 'unreachable',
  };
  const asked = sometimesOf(booted).filter(({ name }) => name in kinds);
  const found = asked.map((sometimes) => directedWalk(booted, sometimes));
  expect(Object.fromEntries(asked.map(({ name }, i) => [name, found[i].kind]))).toEqual(kinds);
  for (const one of found) if (one.kind === 'unreachable') expect(one.why).not.toContain('no model');
});

test('toReplay takes a case that fails as it did', () => {
  expect(saved).toReplay();
  expect(replay(saved).verdict).toBe('reproduced');
  expect(messageOf(() => expect(saved).not.toReplay())).toContain(`npx pti-check replay --step ${saved}`);
});

test('fuzz finds what the design violates, and shrinks it', () => {
  const found = fuzz('deferred-percpu', { seed: 'library', sweep: false });
  expect(found).toMatchObject({ verdict: 'violated', failure: { property: 'scheduled-out-on-own-stack', shrunk: 5 } });
});

test("traces are an arbitrary of fast-check, which replays by fast-check's own seed and path", () => {
  const traces = traceOf(subject('deferred-percpu'));
  const property = fc.property(traces, (walk) => walk.failure === undefined);
  const { counterexample, seed, counterexamplePath } = fc.check(property, { seed: 3, numRuns: 50 });
  const again = fc.check(property, { seed, path: counterexamplePath ?? '', numRuns: 1, endOnFailure: true });
  expect(again.counterexample?.[0].actions).toEqual(counterexample?.[0].actions);
  expect(counterexample?.[0].actions).toHaveLength(5);
});

test("a machine of one's own is a schema, rules and invariants", () => {
  const schema = { count: checker.global(checker.range(() => 4)) };
  type State = checker.State<typeof schema>;
  const count = (_d: unknown, _b: checker.Bounds, s: State): false | undefined => {
    if (s.count === 3) return false;
    s.count += 1;
    return undefined;
  };
  const model = checker.defineModel({
    schema,
    bounds: {},
    config: {},
    initialize: (s) => {
      s.count = 1;
    },
    rules: [{ name: 'count', event: false, params: [], apply: count }],
    invariants: [{ property: 1, name: 'below-three', holds: (_d, _b, s: State) => s.count < 3 }],
  });
  expect(checker.explore(model)).toMatchObject({ verdict: 'violated', property: 1, states: 3, depth: 2 });
});
