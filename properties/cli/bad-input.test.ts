/**
 * Whatever is wrong with a command line or a file: exit code 2, one sentence on standard error, nothing on standard
 * output, and no file written or changed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readElf } from '../../emulator/elf/elf-image';
import { mainline } from '../../model/designs/mainline';
import { designText } from '../designs/design-text';
import { imageFile } from '../designs/images';
import { type Ended, emptyFolder, filesBelow, ptiCheck, Session } from './testing/pti-check';

const { folder, remove } = emptyFolder();
const session = new Session(folder);
afterAll(async () => {
  await session.close();
  remove();
});

/** e_machine of AArch64 (ELF-64 header, byte 18). */
const MACHINE_AT = 18;
const AARCH64 = 183;
/** fsin: a legal instruction that no kernel entry needs. */
const FSIN = [0xd9, 0xfe];

function image(name: string, edit: (bytes: Buffer) => Buffer): string {
  writeFileSync(path.join(folder, name), edit(readFileSync(imageFile('mainline'))));
  return name;
}

function file(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return name;
}

function withUnimplemented(bytes: Buffer): Buffer {
  const { segments, sections } = readElf(bytes, 'mainline');
  const start = sections.find((section) => section.name === '.user.text')?.addr ?? 0;
  const segment = segments.find((s) => start >= s.vaddr && start < s.vaddr + s.filesz);
  if (segment === undefined) throw new RangeError('no user text in the image');
  bytes.set(FSIN, bytes.indexOf(segment.data) + start - segment.vaddr);
  return bytes;
}

const corpus = path.resolve(__dirname, '../../counterexamples/corpus');
const withRules = filesBelow(corpus).find((name) => name.startsWith('scheduled-out-on-own-stack--')) ?? '';
const saved = readFileSync(path.join(corpus, withRules), 'utf8');

const otherMachine = image('arm.elf', (bytes) => {
  bytes.writeUInt16LE(AARCH64, MACHINE_AT);
  return bytes;
});
const noManifest = image('plain.elf', (bytes) => {
  bytes.write('manifest.versioX', bytes.indexOf('manifest.version'));
  return bytes;
});
const cutImage = image('cut.elf', (bytes) => bytes.subarray(0, 5000));
const unimplemented = image('fsin.elf', withUnimplemented);
const notAnElf = file('text.elf', 'hello');
const truncated = file('truncated.json', saved.slice(0, saved.length / 2));
const damaged = file('damaged.json', saved.replace('"step"', '"stop"'));
const newer = file('newer.json', saved.replace('"version": 1', '"version": 7'));
const noRule = file('no-rule.json', saved.replace(/"rule": "[a-z0-9-]+"/, '"rule": "return-by-magic"'));
const noThread = file('no-thread.json', saved.replace(/"rule": "[a-z0-9-]+"/, '"rule": "switch-to", "args": [4]'));
const foreign = file('foreign.json', '{"name": "something else"}');
const ownDesign = file('own-design.json', designText(mainline));

/** What is typed, and a part of the sentence that answers it. */
const CASES: readonly (readonly [words: string, part: string])[] = [
  ['dance', '"dance"'],
  ['verfy', 'did you mean verify?'],
  ['fuzz --sed 3', 'did you mean --seed?'],
  ['verify --design mainlin', 'did you mean mainline?'],
  ['export --to spin', 'promela'],
  ['verify --design missing.json', 'missing.json'],
  [`verify --design ${foreign}`, `${foreign}:1: `],
  [`fuzz --design ${ownDesign}`, '--entry'],
  ['why --step load-kernel-cr4', 'did you mean load-kernel-cr3?'],
  ['designs --export mainlin', 'did you mean mainline?'],
  ['fuzz --colour', 'colour'],
  ['fuzz --design mainline+no-such-mutant', '"mainline+no-such-mutant"'],
  ['fuzz --runs 0', '--runs'],
  ['fuzz --runs 1e3', '"1e3"'],
  ['fuzz --runs 5 --seconds 5', 'both'],
  ['fuzz --shard 5/3', '"5/3"'],
  ['fuzz --tasks 4', 'max_tasks'],
  ['fuzz --design mainline --cpus 0', 'max_cpus'],
  ['fuzz --design mainline --mms two', '"two"'],
  ['fuzz --seed a --seed b', 'once'],
  ['fuzz --save /dev/null/here', '--save'],
  ['fuzz --save /proc/here', '--save'],
  ['fuzz --entry missing.elf', 'missing.elf'],
  [`fuzz --entry ${notAnElf}`, 'ELF'],
  [`fuzz --entry ${otherMachine}`, 'AArch64'],
  [`fuzz --entry ${noManifest}`, 'manifest'],
  [`fuzz --entry ${cutImage}`, cutImage],
  [`fuzz --entry ${unimplemented}`, 'fsin'],
  ['verify --design mainline+user-rsp-in-scratch', 'abstract'],
  ['verify --cpus', 'cpus'],
  ['verify --threads 0', '--threads'],
  ['verify --nmis -1', '--nmis'],
  ['verify --irqs 16', '"16"'],
  ['export --to promela --irqs 1.5', '"1.5"'],
  ['replay', 'replay --help'],
  ['replay missing.json', 'missing.json'],
  [`replay ${truncated}`, 'end of the file'],
  [`replay ${damaged}`, damaged],
  [`replay ${newer}`, 'version 7'],
  [`replay ${foreign}`, foreign],
  [`replay ${noRule}`, '"return-by-magic"'],
  [`replay ${noThread}`, 'switch-to thread'],
  [`replay ${new Array(7).fill('missing.json').join(' ')} ./missing.json`, 'missing.json'],
];

/**
 * One of each kind of mistake (a word, a flag, an image, a file), as processes of their own; a process for each would
 * take most of the time.
 */
const ALONE = ['dance', 'fuzz --tasks 4', `fuzz --entry ${unimplemented}`, `replay ${truncated}`];

let ended: Ended[];
let alone: Ended[];
let before: string[];
beforeAll(async () => {
  before = filesBelow(folder);
  const split = (lines: readonly string[]) => lines.map((words) => words.split(' '));
  [ended, alone] = await Promise.all([
    session.all(split(CASES.map(([words]) => words))),
    Promise.all(split(ALONE).map((words) => ptiCheck(folder, words))),
  ]);
});

test.each(CASES.map(([words, part], i) => [words, part, i] as const))('pti-check %s', (_words, part, i) => {
  const { code, stdout, stderr } = ended[i];
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stderr).toContain(part);
  expect(stderr).not.toMatch(/\bat .*:\d+|Error/);
});

test('a process of its own answers the same', () => {
  const inOne = ALONE.map((line) => ended[CASES.findIndex(([words]) => words === line)]);
  // How the command is called again differs: `node FILE`.
  const sentence = ({ stderr, ...rest }: Ended) => ({ ...rest, stderr: stderr.replace(/node \S+\.js/, 'pti-check') });
  expect(alone.map(sentence)).toEqual(inOne.map(sentence));
});

test('nothing is written and nothing that was there is lost', () => {
  expect(filesBelow(folder)).toEqual(before);
  expect(readFileSync(path.join(folder, damaged), 'utf8')).toBe(saved.replace('"step"', '"stop"'));
});
