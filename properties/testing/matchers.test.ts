/**
 * Promises: an assertion about entry code that fails says by which property, with which seed, by which trace, where the
 * case is and how to see it again; the file that it names replays; and an assertion that holds leaves nothing behind.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readCounterexample } from '../../counterexamples/store';
import { campaignRun } from '../campaign/run';
import { Subject } from '../campaign/subject';
import { propertyNumber } from '../safety/index';
import { replayWalk } from '../trace/walk';
import './jest';
import { replayCase } from '../campaign/case';

const unsafe = new Subject({ design: 'deferred-percpu' });
const safe = new Subject({ design: 'asm-return' });
const SLUG = 'scheduled-out-on-own-stack';

// A matcher gives shrinking 2.5 s. The first search of a model takes longer where nothing of it is in the cache yet.
beforeAll(() => void unsafe.shortestTrace(propertyNumber(SLUG) as number), 60_000);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pti-check-matchers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What an assertion that fails says. */
function messageOf(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected the assertion to fail, found that it holds');
}

/** The file that a message names, and what a replay of it says. */
function replayed(message: string, subject: Subject): { file: string; verdict: string } {
  const file = /^ {2}saved {5}(.+)$/m.exec(message)?.[1] ?? '';
  return { file, verdict: replayCase(subject, readCounterexample(file)).verdict };
}

test('a subject that does not hold: property, seed, run, the shrunk trace, the file, the line that replays it', () => {
  const message = messageOf(() => expect(unsafe).toPass({ seed: 'matcher', runs: 200, save: folder }));
  const { file, verdict } = replayed(message, unsafe);
  expect(verdict).toBe('reproduced');
  const lines = message.split('\n');
  expect(lines[0]).toMatch(
    /^expected deferred-percpu to hold in 200 random runs of seed "matcher", found in run \d+:$/,
  );
  expect(lines[1]).toMatch(/^ {2}found {5}scheduled-out-on-own-stack S9: .*expected .+/);
  expect(lines[2]).toMatch(/^ {2}seed {6}matcher, run \d+$/);
  expect(lines[3]).toBe('  trace     5 actions');
  expect(lines[4]).toMatch(/^ {6}1 {2}c0 {2}/);
  expect(lines.slice(9)).toEqual([
    expect.stringMatching(/^ {2}shrunk {4}from \d+ transitions to 5$/),
    `  saved     ${file}`,
    `  watch it  npx pti-check replay --step ${file}`,
    expect.stringMatching(/^ {2}fast-check \{ seed: -?\d+, path: "0:0" \}$/),
  ]);
});

test('a walk that failed says the same', () => {
  let run = 0;
  let { failed } = campaignRun(unsafe, 'walk', run);
  while (failed === undefined) ({ failed } = campaignRun(unsafe, 'walk', ++run));
  const message = messageOf(() => expect({ subject: unsafe, walk: failed?.walk, save: folder }).toPass());
  expect(message).toContain(SLUG);
  expect(replayed(message, unsafe).verdict).toBe('reproduced');
});

test('a violation of another property than the expected one names both', () => {
  const plan = { seed: 'matcher', runs: 200, save: folder };
  expect(unsafe).toViolate(SLUG, plan);
  expect(readdirSync(folder)).toEqual([]);
  const message = messageOf(() => expect(unsafe).toViolate('resume-is-exact', plan));
  expect(message).toMatch(
    /^expected deferred-percpu to violate resume-is-exact S6 .+, found in run \d+:\n {2}found {5}/,
  );
  expect(message).toContain(`${SLUG} S9`);
  expect(replayed(message, unsafe).verdict).toBe('reproduced');
  const nothing = messageOf(() => expect(safe).toViolate('resume-is-exact', { ...plan, runs: 2 }));
  expect(nothing).toMatch(/found that nothing is violated$/);
});

test('a saved case that passes says where it went another way, and how to see it', () => {
  messageOf(() => expect(unsafe).toPass({ seed: 'matcher', runs: 200, save: folder }));
  const file = path.join(folder, readdirSync(folder)[0]);
  const saved = readCounterexample(file);
  expect(unsafe).toReproduce(saved, file);
  const shorter = { ...saved, actions: saved.actions.slice(0, -1) };
  const message = messageOf(() => expect(unsafe).toReproduce(shorter, file));
  expect(message).toMatch(
    /^expected deferred-percpu to fail by scheduled-out-on-own-stack S9 after 5 actions, found passed after 4:/,
  );
  expect(message).toContain(`npx pti-check replay --step ${file}`);
});

test('what holds leaves no file, and its negation says so', () => {
  const plan = { seed: 'matcher', runs: 2, save: folder };
  expect(safe).toPass(plan);
  expect({ subject: safe, walk: replayWalk(safe.system, []) }).toPass();
  expect(messageOf(() => expect(safe).not.toPass(plan))).toMatch(/^expected asm-return to hold .+ not, found that/);
  expect(readdirSync(folder)).toEqual([]);
});
