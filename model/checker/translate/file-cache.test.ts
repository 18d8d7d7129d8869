/**
 * Promises: nothing that is read from a file changes an answer or is executed. A file that was damaged in any way,
 * written under another name, or sealed by somebody who knows how, is not used, and one line says so; a folder that
 * others can write to is not used either; and where there is no folder, everything works without.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entryModel } from '../../entry-model';
import { ruleFiles } from '../../rule-files';
import { loadedAnew } from '../../testing/loaded-anew';
import { exploreCompiled } from '../compiled/explore-compiled';
import { explore } from '../search/explore';
import { cachePath, keep, recall } from './file-cache';
import { readSourceJson } from './source-json';
import { contentHash, sourceProgram, translate } from './source-program';
import { Malformed, WordReader } from './words';

const TINY = { cpus: 2, tasks: 2, mms: 1, nesting: 1, nmis: 0, irqs: 1 };
const before = process.env.XDG_CACHE_HOME;
const said: string[] = [];
let home: string;

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'pti-check-cache-'));
  process.env.XDG_CACHE_HOME = home;
  said.length = 0;
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});

afterEach(() => {
  jest.restoreAllMocks();
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  fs.rmSync(home, { recursive: true, force: true });
});

const pathOf = (name: string) => join(cachePath() ?? '', name);
const names = () => fs.readdirSync(cachePath() ?? '').sort();

/** Violated in a few hundred states: both searches run, so every kind of file is written but that of learnt steps. */
function answer() {
  const model = entryModel('mainline+cr3-through-rsp', TINY) ?? entryModel('deferred-percpu', TINY);
  if (model === undefined) throw new Error('no such design');
  return { search: exploreCompiled(model, { memoryMiB: 64 }), direct: explore(model) };
}

const flip = (at: number, bit: number) => (bytes: Buffer) => {
  bytes[at < 0 ? bytes.length + at : at] ^= 1 << bit;
  return bytes;
};

const DAMAGES: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ['a bit of the seal', flip(0, 0)],
  ['the last bit of the seal', flip(31, 7)],
  ['the first bit of the content', flip(32, 0)],
  ['a digit in the middle', (bytes) => flip(bytes.length >> 1, 1)(bytes)],
  ['the last bit', flip(-1, 7)],
  ['no last byte', (bytes) => bytes.subarray(0, -1)],
  ['half a file', (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ['half a seal', (bytes) => bytes.subarray(0, 16)],
  ['an empty file', () => Buffer.alloc(0)],
  ['a byte more', (bytes) => Buffer.concat([bytes, Buffer.from('0')])],
  ['zeros in its place', (bytes) => Buffer.alloc(bytes.length)],
  ['no seal', (bytes) => bytes.subarray(32)],
];

test.each(DAMAGES)('a file with %s is not read, is removed, and a line says so', (_, damage) => {
  const content = Buffer.from(JSON.stringify({ states: 1234567890 }).repeat(3));
  keep('some.json', content);
  expect(recall('some.json', (bytes) => Buffer.from(bytes))).toEqual(content);
  fs.writeFileSync(pathOf('some.json'), damage(fs.readFileSync(pathOf('some.json'))));
  expect(recall('some.json', () => 'read')).toBeUndefined();
  expect(said).toEqual([`pti-check: ${pathOf('some.json')} is damaged; what it held is computed anew\n`]);
  expect(names()).toEqual([]);
});

test('a file under the name of another one, of another kind or version, is damaged', () => {
  keep(`rules-${'a'.repeat(32)}.json`, Buffer.from('old'));
  for (const name of [`rules-${'b'.repeat(32)}.json`, `steps-${'a'.repeat(32)}.trees`]) {
    fs.copyFileSync(pathOf(`rules-${'a'.repeat(32)}.json`), pathOf(name));
    expect(recall(name, () => 'read')).toBeUndefined();
  }
  expect(said).toHaveLength(2);
});

test('a file is written whole, readable by the user only, and not left half written where that fails', () => {
  keep('whole', Buffer.from('content'));
  if (process.platform !== 'win32') expect(fs.statSync(pathOf('whole')).mode & 0o777).toBe(0o600);
  fs.mkdirSync(pathOf('a-folder/inner'), { recursive: true });
  keep('a-folder', Buffer.from('content'));
  expect(names()).toEqual(['a-folder', 'whole']);
});

describe('a search with files', () => {
  test('answers the same when they are damaged, exchanged or full of code, which is never executed', () => {
    const first = answer();
    expect(first.search).toEqual(first.direct);
    const kept = names();
    expect(kept.map((name) => name.replace(/-.*?(\.\w+)?$/, '$1'))).toEqual(
      expect.arrayContaining(['code.trees', 'steps.trees', 'values']),
    );
    expect(answer().search).toEqual(first.search);
    expect(said).toEqual([]);

    const mine = kept.filter((name) => !name.startsWith('rules'));
    for (const name of mine) fs.writeFileSync(pathOf(name), flip(100, 3)(fs.readFileSync(pathOf(name))));
    expect(answer().search).toEqual(first.search);
    expect(said).toHaveLength(mine.length);

    const bytes = mine.map((name) => fs.readFileSync(pathOf(name)));
    mine.forEach((name, i) => void fs.writeFileSync(pathOf(name), bytes[(i + 1) % bytes.length]));
    expect(answer().search).toEqual(first.search);
    expect(said).toHaveLength(2 * mine.length);

    // Sealed, as by somebody who can write to the folder.
    const planted = '(() => { globalThis.planted = 1; })()  ';
    for (const name of mine) keep(name, Buffer.from(planted.repeat(20)));
    expect(answer().search).toEqual(first.search);
    expect(said).toHaveLength(3 * mine.length);
    expect(said.at(-1)).toContain('is not of the form expected');
    expect(globalThis).not.toHaveProperty('planted');
  });

  test('needs no folder, and says once that there is none', () => {
    const file = join(home, 'file');
    fs.writeFileSync(file, '');
    process.env.XDG_CACHE_HOME = file;
    const { search, direct } = answer();
    expect(search).toEqual(direct);
    said.length = 0;
    const fresh = loadedAnew<typeof import('./file-cache')>(require, './file-cache');
    fresh.keep('some', Buffer.from('content'));
    expect(fresh.recall('some', () => 'read')).toBeUndefined();
    expect(said).toEqual([expect.stringMatching(/^pti-check: nothing is kept for the next run: .*\n$/)]);
  });
});

test('a folder that others can write to is not looked at', () => {
  if (process.platform === 'win32') return;
  keep('some', Buffer.from('content'));
  expect(recall('some', () => 'read')).toBe('read');
  const other = join(home, 'other');
  fs.mkdirSync(join(other, 'pti-check'), { recursive: true });
  fs.chmodSync(join(other, 'pti-check'), 0o722);
  process.env.XDG_CACHE_HOME = other;
  keep('some', Buffer.from('content'));
  expect(names()).toEqual([]);
  expect(recall('some', () => 'read')).toBeUndefined();
});

test('no folder of the package is used, and a relative XDG_CACHE_HOME is ignored', () => {
  process.env.XDG_CACHE_HOME = 'node_modules/.cache';
  expect(cachePath()).not.toContain('node_modules');
});

describe('the translation of the rules', () => {
  // Translated here whatever is kept: or no test would run the translator while files are warm.
  const program = translate(ruleFiles());

  test('made now is the one that is kept, and survives its file', () => {
    expect(program).toEqual(sourceProgram(ruleFiles()));
    expect(readSourceJson(Buffer.from(JSON.stringify(program)))).toEqual(program);
    expect(Object.keys(program.rules).length).toBeGreaterThan(30);
    expect(ruleFiles().length).toBeGreaterThan(5);
  });

  const json = JSON.stringify(program);
  test.each([
    ['code as the name of a field', json.replace(/"field":"\w+"/, '"field":"x] = globalThis.planted = 1; //"')],
    ['code as the name of a local', json.replace(/"kind":"local","name":"\w+"/, '"kind":"local","name":"c;evil()"')],
    ['code as an integer', json.replace(/"kind":"int","value":\d+/, '"kind":"int","value":"evil()"')],
    ['half an integer', json.replace(/"kind":"int","value":\d+/, '"kind":"int","value":0.5')],
    ['an operator that is none', json.replace('"operator":"==="', '"operator":"="')],
    ['a kind that is none', json.replace('"kind":"reject"', '"kind":"accept"')],
    ['a key too many', json.replace('"kind":"reject"', '"kind":"reject","value":1')],
    ['a rule under another name', json.replace(/"name":"(\w+)","origin"/, '"name":"other","origin"')],
    ['a prototype', json.replace('{"rules":{', '{"rules":{"__proto__":{"name":"x"},')],
    ['a list', '[]'],
    ['half of it', json.slice(0, json.length / 2)],
  ])('is refused with %s', (_, text) => {
    expect(text).not.toBe(json);
    expect(() => readSourceJson(Buffer.from(text))).toThrow(Malformed);
  });
});

test('words are read as the numbers that they may be, or not at all', () => {
  const reader = () => new WordReader(Int32Array.of(2, 0, 1, -5));
  const read = reader();
  expect(read.list(() => read.truth())).toEqual([false, true]);
  expect(read.any()).toBe(-5);
  expect(() => read.any()).toThrow(Malformed);
  expect(() => reader().truth()).toThrow(Malformed);
  expect(() => reader().end()).toThrow(Malformed);
  expect(contentHash()).toMatch(/^[0-9a-f]{32}$/);
});
