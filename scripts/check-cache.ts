/**
 * Damages files of the cache, one random byte at a time, and asks for the same answer again (check-cache.sh). Each
 * command has a cache of its own, warm before each damage; the answer to compare with is that of a run without any.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(__dirname, '..', 'dist', 'properties', 'cli', 'main.js');
const SMALL = ['--nesting', '1', '--nmis', '1', '--irqs', '1'];
const ALWAYS = ['--json', '--threads', '1'];
const COMMANDS: readonly (readonly string[])[] = [
  ['verify', '--design', 'mainline', ...ALWAYS],
  ['verify', '--design', 'mainline', ...SMALL, '--symmetry', '--por', ...ALWAYS],
  ['verify', '--design', 'deferred-percpu', ...SMALL, ...ALWAYS],
];

const [rounds = '200', seed = '1'] = process.argv.slice(2);

/** A number below the limit, from the seed and the names of the choice. */
function chosen(limit: number, ...names: readonly (string | number)[]): number {
  const hash = createHash('sha256')
    .update([seed, ...names].join('/'))
    .digest();
  return hash.readUInt32LE(0) % limit;
}

function run(command: readonly string[], cache: string) {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...command], { env, encoding: 'utf8' });
  const { seconds: _seconds, bytes: _bytes, ...answer } = stdout === '' ? {} : JSON.parse(stdout);
  return { status, stderr, answer: JSON.stringify({ status, ...answer }) };
}

function subjectOf(command: readonly string[], number: number, folder: string) {
  const noFolder = join(folder, 'a-file');
  writeFileSync(noFolder, '');
  const expected = run(command, noFolder).answer;
  const cache = join(folder, `warm-${number}`);
  mkdirSync(cache);
  for (const state of ['cold', 'warm'])
    if (run(command, cache).answer !== expected)
      throw new Error(
        `${command.join(' ')}: expected the answer of a run without a cache, found another with a ${state} one`,
      );
  return { command, cache, expected, files: readdirSync(join(cache, 'pti-check')).sort() };
}

const folder = mkdtempSync(join(tmpdir(), 'check-cache-'));
try {
  const subjects = COMMANDS.map((command, i) => subjectOf(command, i, folder));
  const damaged = join(folder, 'damaged');
  const counts = { runs: 0, 'changed answers': 0, 'exits 70': 0, 'not read': 0 };
  for (; counts.runs < Number(rounds); counts.runs++) {
    const { command, cache, expected, files } = subjects[chosen(subjects.length, counts.runs, 'command')];
    const name = files[chosen(files.length, counts.runs, 'file')];
    cpSync(cache, damaged, { recursive: true });
    const file = join(damaged, 'pti-check', name);
    const bytes = readFileSync(file);
    const at = chosen(bytes.length, counts.runs, 'byte');
    const change = 1 + chosen(255, counts.runs, 'change');
    bytes[at] ^= change;
    writeFileSync(file, bytes);
    const { status, stderr, answer } = run(command, damaged);
    const wrong = answer !== expected || status === 70;
    if (answer !== expected) counts['changed answers']++;
    if (status === 70) counts['exits 70']++;
    if (!stderr.includes(`${name} is damaged`)) counts['not read']++;
    if (wrong) console.log(`${command.join(' ')}: byte ${at} of ${name} xor ${change}\n${stderr}`);
    rmSync(damaged, { recursive: true });
  }
  for (const [what, count] of Object.entries(counts)) console.log(`${String(count).padStart(6)} ${what}`);
  process.exitCode = counts['changed answers'] + counts['exits 70'] === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
