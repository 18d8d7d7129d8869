/**
 * `fuzz` as a script sees it: JSON, exit codes, files. It runs from dist/, which `npm test` builds first: in one
 * process where there is no signal.
 */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { imageFile } from '../designs/images';
import { fuzzAnswer, read, replayAnswer } from './testing/answers';
import { type Ended, emptyFolder, filesBelow, ptiCheck, Session } from './testing/pti-check';

const { folder, remove } = emptyFolder();
const session = new Session(folder);
afterAll(async () => {
  await session.close();
  remove();
});

/** A mutant that the first run does not find. */
const LATE = 'mainline+no-cr3-switch-on-exit';

describe('fuzz', () => {
  let one: Ended;
  let two: Ended;
  beforeAll(async () => {
    const words = (workers: string) => [
      'fuzz',
      '--design',
      LATE,
      '--seed',
      'z',
      '--workers',
      workers,
      '--save',
      `found-by-${workers}`,
      '--json',
    ];
    [one, two] = await session.all([words('1'), words('2')]);
  });

  test('finds, shrinks and saves, and names what it found', () => {
    const answer = read(fuzzAnswer, one);
    expect(one.code).toBe(1);
    expect(one.stderr).toContain('seed z');
    expect(answer).toMatchObject({ design: LATE, seed: 'z', verdict: 'violated', property: 'user-mode-uses-user-cr3' });
    expect(answer.runs).toBeGreaterThan(1);
    expect(answer.actionsShrunk).toBe(answer.shortest);
    expect(answer.replay).toBeDefined();
  });

  test('says what happened: the sentence, the run, the command that does it again', () => {
    const { message, run, runs, again, ...answer } = read(fuzzAnswer, one);
    expect(message).toMatch(/^expected .+, found .+/);
    expect(run).toBe(runs - 1);
    expect(again).toContain(`fuzz --design ${LATE} --seed z --runs ${runs}`);
    expect(answer).not.toHaveProperty('shrinkingStopped');
    expect(answer).not.toHaveProperty('few');
    expect(answer.bounds).toMatchObject({ cpus: 2, tasks: 3, mms: 2 });
    // The line that was said at once.
    expect(one.stderr).toMatch(
      /run \d+ violates S2 user-mode-uses-user-cr3 after \d+ actions; saved found-by-1.\S+; shrinking\n/,
    );
  });

  test('the same seed gives the same result with 1 and 2 workers', () => {
    const stable = (ended: Ended) => ({ ...read(fuzzAnswer, ended), seconds: 0, counterexample: '' });
    expect(stable(two)).toEqual(stable(one));
    const file = (ended: Ended) =>
      readFileSync(path.join(folder, read(fuzzAnswer, ended).counterexample ?? ''), 'utf8');
    expect(file(two)).toBe(file(one));
  });

  test('writes nothing outside --save', () => {
    expect(filesBelow(folder).map((file) => file.replace(/[^/]*\.json$/, '*'))).toEqual([
      'found-by-1/*',
      'found-by-2/*',
    ]);
  });

  test('what it saved replays', async () => {
    const file = read(fuzzAnswer, one).counterexample ?? '';
    const ended = await session.run(['replay', '--json', '--step', file]);
    expect(ended.code).toBe(0);
    expect(read(replayAnswer, ended).results).toMatchObject([
      { file, verdict: 'reproduced', property: 'user-mode-uses-user-cr3' },
    ]);
    const [{ again, step, steps = [] }] = read(replayAnswer, ended).results;
    expect(again).toContain(` replay --step ${file}`);
    expect(steps.map((one) => one.step)).toEqual(Array.from({ length: step ?? 0 }, (_, i) => i + 1));
    const last = steps.at(-1);
    expect(last).toMatchObject({ outcome: 'violated', property: 'user-mode-uses-user-cr3', after: { cpl: 3 } });
    expect(last?.before.state?.user).toHaveLength(2);
    expect(ended.stderr).toContain('swapgs');
  });
});

test('fuzz boots what it is told to, and its command and its file do the same again', async () => {
  const kept = (words: readonly string[], save: string) => [...words, '--workers', '1', '--save', save, '--json'];
  const first = ['fuzz', '--design', 'no-pti', '--seed', 'z', '--tasks', '2', '--mms', '1'];
  const answer = read(fuzzAnswer, await session.run(kept(first, 'booted')));
  const booted = { cpus: 2, tasks: 2, mms: 1 };
  expect(answer.bounds).toMatchObject(booted);
  const again = answer.again.split(' fuzz ')[1].split(' ');
  expect(again.slice(again.indexOf('no-pti') + 1, again.indexOf('--seed'))).toEqual(['--tasks', '2', '--mms', '1']);
  const { counterexample = '' } = answer;
  expect(JSON.parse(readFileSync(path.join(folder, counterexample), 'utf8')).bounds).toEqual(answer.bounds);
  const [repeated, replayed] = await session.all([kept(['fuzz', ...again], 'repeated'), ['replay', counterexample]]);
  const stable = ({ message, bounds, run, runs, steps, replay }: typeof answer) => [
    message,
    bounds,
    run,
    runs,
    steps,
    replay,
  ];
  expect(stable(read(fuzzAnswer, repeated))).toEqual(stable(answer));
  expect(replayed.code).toBe(0);
});

test('shards share the runs: the second of three has run 1, 4, 7, ...', async () => {
  const words = [
    'fuzz',
    '--design',
    'no-pti',
    '--seed',
    'z',
    '--shard',
    '2/3',
    '--runs',
    '1',
    '--workers',
    '1',
    '--save',
    'shard',
    '--json',
  ];
  const { counterexample = '' } = read(fuzzAnswer, await session.run(words));
  expect(JSON.parse(readFileSync(path.join(folder, counterexample), 'utf8')).origin.run).toBe(1);
});

test("a user's own image goes into the file, so that the file is all that a replay needs", async () => {
  const image = path.join(folder, 'mine.elf');
  copyFileSync(imageFile('no-pti'), image);
  const ended = await session.run([
    'fuzz',
    '--entry',
    'mine.elf',
    '--design',
    'no-pti',
    '--runs',
    '1',
    '--workers',
    '1',
    '--save',
    'mine',
    '--json',
  ]);
  const answer = read(fuzzAnswer, ended);
  expect(answer).toMatchObject({ verdict: 'violated', property: 'user-table-is-minimal' });
  rmSync(image);
  expect((await session.run(['replay', answer.counterexample ?? ''])).code).toBe(0);
});

test('a campaign that ran little says so, in words and as data', async () => {
  const words = ['fuzz', '--design', 'mainline', '--seconds', '0.01', '--workers', '1', '--save', 'little'];
  const [spoken, data] = await session.all([words, [...words, '--json']]);
  expect([spoken.code, data.code]).toEqual([0, 0]);
  expect(spoken.stdout).toMatch(/: held, in no more than \d+ runs?\n/);
  expect(spoken.stdout).toMatch(
    / note {6}only \d+ runs? ended in the time that was given, and fewer than 50 mean little/,
  );
  const answer = read(fuzzAnswer, data);
  expect(answer).toMatchObject({ verdict: 'holds', few: true, note: expect.stringContaining('mean little') });
  // The first chunk of runs is done in any case; nothing else is begun after the end of the time.
  expect(answer.runs).toBeGreaterThan(0);
  expect(answer.unasked?.length).toBeGreaterThan(0);
  expect(spoken.stdout).toContain('no time was left to look for');
});

describe('Ctrl-C', () => {
  test('while a failure is shrunk keeps it: saved, replayed, exit code 1', async () => {
    const image = imageFile('mainline+user-rsp-in-scratch');
    // A seed whose first run fails, after many actions.
    const words = ['fuzz', '--entry', image, '--design', 'mainline', '--seconds', '50', '--seed', '1-37'];
    const ended = await ptiCheck(folder, [...words, '--workers', '1', '--save', 'kept', '--json'], 'shrinking');
    const answer = read(fuzzAnswer, ended);
    expect(ended.code).toBe(1);
    expect(answer).toMatchObject({ verdict: 'violated', property: 'resume-is-exact', shrinkingStopped: true });
    expect(answer).not.toHaveProperty('replay');
    expect(filesBelow(path.join(folder, 'kept')).map((file) => path.join('kept', file))).toEqual([
      answer.counterexample,
    ]);
    expect((await session.run(['replay', answer.counterexample ?? ''])).code).toBe(0);
  });

  test('before the first run has ended: no verdict', async () => {
    const ended = await ptiCheck(
      folder,
      ['fuzz', '--design', 'mainline', '--seconds', '50', '--workers', '1', '--json'],
      'seed',
    );
    expect(ended.code).toBe(3);
    expect(read(fuzzAnswer, ended)).toMatchObject({ verdict: 'unknown', runs: 0 });
  });
});
