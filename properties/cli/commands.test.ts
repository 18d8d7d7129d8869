/**
 * The commands as a script sees them: JSON, exit codes, files. They run from dist/, which `npm test` builds first: most
 * in one process, and where a signal makes a difference in one of their own.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCertificate } from '../../model/checker/certificate/certificate';
import { imageFile } from '../designs/images';
import {
  checkAnswer,
  designsAnswer,
  fuzzAnswer,
  proveAnswer,
  read,
  replayAnswer,
  verifyAnswer,
  whyAnswer,
} from './testing/answers';
import { emptyFolder, filesBelow, ptiCheck, Session } from './testing/pti-check';

const { folder, remove } = emptyFolder();
const session = new Session(folder);
afterAll(async () => {
  await session.close();
  remove();
});

/** Bounds that are quickly searched, and translated: less than the default ones. */
const FEW_EVENTS = ['--nesting', '2', '--nmis', '1', '--irqs', '2'];
/** States of mainline at nesting 2 without NMIs and IRQs, all of them. */
const UNREDUCED = 10_848;

test('designs lists each design with what it costs', async () => {
  const ended = await session.run(['designs', '--json']);
  const { designs } = read(designsAnswer, ended);
  expect(ended.code).toBe(0);
  const facts = designs.map((d) => [d.id, d.expected, d.extraBytesPerTask]);
  expect(facts).toEqual([
    ['mainline', 'safe', 0],
    ['deferred-percpu', 'unsafe', 0],
    ['deferred-pertask', 'safe', 4096],
    ['asm-return', 'safe', 0],
    ['no-pti', 'unsafe', 0],
  ]);
  const pages = Object.fromEntries(designs.map((d) => [d.id, d.userTablePages]));
  expect(pages['no-pti']).toBeGreaterThan(pages.mainline);
});

test('verify answers with a verdict, a size and the shortest trace', async () => {
  const calls = [
    ['--design', 'deferred-percpu'],
    ['--design', 'mainline', '--cpus', '1', '--tasks', '1', '--nesting', '2', '--threads', '2'],
    ['--design', 'mainline', '--memory', '1', ...FEW_EVENTS],
    ['--design', 'mainline', '--nesting', '2', '--nmis', '0', '--irqs', '0', '--symmetry', '--por'],
  ];
  const words = calls.map((call) => ['verify', '--json', ...call]);
  // The first as a process of its own, as most people run it.
  const ended = [await ptiCheck(folder, words[0]), ...(await session.all(words.slice(1)))];
  const [unsafe, small, full, reduced] = ended.map((one) => read(verifyAnswer, one));
  expect(ended.map((one) => one.code)).toEqual([1, 0, 3, 0]);
  expect(unsafe).toMatchObject({
    verdict: 'violated',
    property: 'scheduled-out-on-own-stack',
    depth: unsafe.trace?.length,
    bounds: { nesting: 'any', nmis: 'any', irqs: 'any' },
  });
  expect(small).toMatchObject({ verdict: 'holds', threads: 2, reductions: [] });
  expect(small.bounds).toEqual({ cpus: 1, tasks: 1, mms: 1, nesting: 2, nmis: 'any', irqs: 'any' });
  expect(small).not.toHaveProperty('trace');
  expect(full).toMatchObject({ verdict: 'unknown' });
  expect(reduced).toMatchObject({ verdict: 'holds', threads: 1, reductions: ['symmetry', 'por'] });
  expect(reduced.states).toBeLessThan(UNREDUCED);
});

test('prove answers with the size of the invariant, or with the shortest trace at the smallest bounds', async () => {
  const ended = await session.all([
    ['prove', '--design', 'mainline', '--certificate', 'safe.certificate', '--json'],
    ['prove', '--design', 'mainline+on-cpu-released-early', '--certificate', 'none.certificate', '--json'],
  ]);
  const [safe, unsafe] = ended.map((one) => read(proveAnswer, one));
  expect(ended.map((one) => one.code)).toEqual([0, 1]);
  expect(safe).toMatchObject({ verdict: 'proved', views: 5774, sleepers: 11, nesting: 6 });
  expect(safe.crossing).toEqual(['switch-mm', 'switch-to']);
  expect(unsafe).toMatchObject({ verdict: 'violated', property: 'stack-is-legal', bounds: { cpus: 2, tasks: 1 } });
  expect(unsafe.trace).toHaveLength(7);
  expect(unsafe.certificate).toMatchObject({ isWritten: false });
  expect(existsSync(path.join(folder, 'none.certificate'))).toBe(false);
  const { views, tasks, idle } = readCertificate(readFileSync(path.join(folder, 'safe.certificate'), 'utf8'));
  expect([views.length, tasks.length + idle.length]).toEqual([5774, 11]);
});

describe('replay', () => {
  const corpus = path.resolve(__dirname, '../../counterexamples/corpus');
  const headline =
    filesBelow(corpus).find((file) => file.startsWith('scheduled-out-on-own-stack--deferred-percpu--')) ?? '';

  /** A copy of the headline case with something changed. */
  function edited(name: string, edit: (saved: ReturnType<typeof JSON.parse>) => void): string {
    const saved = JSON.parse(readFileSync(path.join(corpus, headline), 'utf8'));
    edit(saved);
    writeFileSync(path.join(folder, name), JSON.stringify(saved));
    return name;
  }

  test('says how each file ended, and exits as the worst of them', async () => {
    const passes = edited('passes.json', (saved) => {
      saved.actions.pop();
      saved.expected.step = saved.actions.length;
      saved.expected.fingerprints.pop();
    });
    const foreign = edited('other-states.json', (saved) => {
      saved.expected.fingerprints[1] = '0123456789abcdef';
    });
    const older = edited('other-image.json', (saved) => {
      saved.image.sha256 = '0'.repeat(64);
      saved.expected.fingerprints[1] = '0123456789abcdef';
    });
    const newer = edited('newer.json', (saved) => {
      saved.version = 2;
    });
    const calls = [[older], [older, passes], [passes, foreign], [foreign, newer, older]];
    const ended = await session.all(calls.map((files) => ['replay', '--json', ...files]));
    expect(ended.map((one) => one.code)).toEqual([0, 1, 4, 2]);
    const verdicts = ended.map((one) => read(replayAnswer, one).results.map((result) => result.verdict));
    expect(verdicts).toEqual([
      ['reproduced'],
      ['reproduced', 'passed'],
      ['passed', 'diverged'],
      ['diverged', 'invalid', 'reproduced'],
    ]);
    expect(read(replayAnswer, ended[0]).results[0].message).toContain('image has changed');
  });
});

test('a design of somebody is verified, judges an image, and goes into what is saved', async () => {
  const exported = await session.run(['designs', '--export', 'mainline']);
  const design = JSON.parse(exported.stdout);
  design.name = 'no-window';
  design.fromUser.syscall.enter.splice(1, 1);
  writeFileSync(path.join(folder, 'mine.json'), JSON.stringify(design));
  const entry = ['--entry', imageFile('mainline'), '--runs', '3', '--workers', '1', '--save', 'own'];
  const [verified, proved, fuzzed] = await session.all([
    ['verify', '--design', 'mine.json', '--cpus', '1', ...FEW_EVENTS, '--json'],
    ['prove', '--design', 'mine.json', '--json'],
    ['fuzz', '--design', 'mine.json', '--seed', 'z', ...entry, '--json'],
  ]);
  const answer = read(verifyAnswer, verified);
  expect(answer).toMatchObject({ design: 'mine.json', verdict: 'holds' });
  expect(answer.again).toContain('verify --design mine.json');
  expect(read(proveAnswer, proved)).toMatchObject({ design: 'mine.json', verdict: 'proved' });
  // The image reads CR3 into rsp, and this design does not.
  const { verdict, counterexample = '' } = read(fuzzAnswer, fuzzed);
  expect(verdict).toBe('diverged');
  rmSync(path.join(folder, 'mine.json'));
  const replayed = await session.run(['replay', counterexample]);
  expect(replayed.code).toBe(0);
});

test('why names the property that needs a step, and saves the design without it for verify', async () => {
  const small = ['--cpus', '1', '--tasks', '1', '--mms', '1', ...FEW_EVENTS];
  const ended = await session.run([
    'why',
    '--step',
    'restore-user-gs',
    ...small,
    '--workers',
    '1',
    '--save',
    'rows',
    '--json',
  ]);
  expect(ended.code).toBe(0);
  const { itself, rows } = read(whyAnswer, ended);
  expect(itself).toEqual({ verdict: 'holds' });
  const [{ leftOut, exchangedWith, exchanged }] = rows;
  expect(rows).toMatchObject([{ sequence: 'kernel nmi return', step: 'restore-user-gs', place: 1 }]);
  expect(leftOut).toMatchObject({ verdict: 'violated', property: 'resume-is-exact', depth: leftOut?.trace?.length });
  // The IRETQ to the repeat with GS not restored: the repeat finds nothing that it could put back.
  expect([exchangedWith, exchanged]).toMatchObject(['repeat-nmi', { verdict: 'deadlock', property: 'no-deadlock' }]);
  const files = filesBelow(path.join(folder, 'rows'));
  expect(files).toEqual([
    'mainline--kernel-nmi-return--restore-user-gs-after-repeat-nmi.json',
    'mainline--kernel-nmi-return--without-restore-user-gs.json',
  ]);
  const saved = path.join('rows', files[1]);
  const [replayed, bad] = await session.all([
    ['verify', '--design', saved, ...small, '--json'],
    ['why', '--design', saved, '--step', 'restore-user-cr4'],
  ]);
  expect(read(verifyAnswer, replayed)).toMatchObject({ verdict: 'violated', trace: leftOut?.trace });
  expect(bad.code).toBe(2);
});

test('a property of a file is asked by fuzz and by replay, which is refused without the file', async () => {
  const moments = '{ userModeReached: (_scene, cpu) => (cpu.index === 1 ? "expected CPU 0, found 1" : undefined) }';
  const property = `{ slug: 'cpu-zero-only', promise: 'p', violated: 'Not on CPU 0.', moments: ${moments} }`;
  writeFileSync(path.join(folder, 'own.mjs'), `export default ${property};`);
  writeFileSync(path.join(folder, 'none.cjs'), 'module.exports = { slug: "Not one" };');
  const words = ['fuzz', '--design', 'mainline', '--seed', 'z', '--runs', '1', '--workers', '1', '--save', 'asked'];
  // A process keeps the property that it has loaded.
  const other = new Session(folder);
  const [found, none] = await other.all([
    [...words, '--property', 'own.mjs', '--json'],
    [...words, '--property', 'none.cjs'],
  ]);
  const { property: slug, again, counterexample = '' } = read(fuzzAnswer, found);
  expect([slug, again.includes('--property own.mjs')]).toEqual(['cpu-zero-only', true]);
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('expected a slug of lower-case words')]);
  const without = await session.run(['replay', counterexample]);
  expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('name its file with --property')]);
  const replayed = await other.run(['replay', '--step', '--property', 'own.mjs', counterexample]);
  await other.close();
  expect(replayed.code).toBe(0);
  expect(replayed.stdout).toContain('Not on CPU 0.');
});

test('-h, -v and the completion of a shell', async () => {
  const asked = [['-v'], ['fuzz', '-h'], ['completion'], ['--get-yargs-completions', 'pti-check', 'fuzz', '--s']];
  const designs = ['--get-yargs-completions', 'pti-check', 'verify', '--design', 'main'];
  const ended = await session.all([...asked, ['--get-yargs-completions', 'pti-check', ''], designs]);
  expect(ended.map((one) => [one.code, one.stderr])).toEqual(ended.map(() => [0, '']));
  const [version, help, script, flags, commands, ids] = ended.map((one) => one.stdout);
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(help).toMatch(/--runs .*\[number\]/);
  expect(script).toContain('complete -o');
  expect(flags.split('\n')).toEqual(expect.arrayContaining(['--seed', '--shard', '--save']));
  expect(commands.trim().split('\n')).toEqual([
    'verify',
    'prove',
    'fuzz',
    'kernel',
    'why',
    'replay',
    'designs',
    'export',
    'completion',
  ]);
  expect(ids.split('\n')).toEqual(expect.arrayContaining(['mainline', 'mainline+sti-on-trampoline']));
});

test('NO_COLOR and FORCE_COLOR say whether a replay has colours', async () => {
  const corpus = path.resolve(__dirname, '../../counterexamples/corpus');
  const words = ['replay', '--step', path.join(corpus, filesBelow(corpus)[0])];
  const forced = await session.run(words, { FORCE_COLOR: '1' });
  const plain = await session.run(words, { FORCE_COLOR: '1', NO_COLOR: '1' });
  expect(forced.stdout).toContain('\x1b[');
  expect(plain.stdout).not.toContain('\x1b[');
  expect(plain.stdout).toContain('FAILS');
});

test('after Ctrl-C, bare pti-check answers with what it has', async () => {
  const ended = await ptiCheck(folder, ['--json', '--seed', 'z'], 'seed z');
  expect(ended.code).toBe(3);
  expect(read(checkAnswer, ended).results.map((result) => result.fuzz.verdict)).toContain('unknown');
});
