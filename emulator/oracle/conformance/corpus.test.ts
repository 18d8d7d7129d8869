import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type CorpusFile, corpusSchema, readCorpus, writeCorpus } from './corpus-file';
import { Replay } from './replay';

const VECTORS = path.join(__dirname, 'vectors');
/** One of so many vectors of a file is replayed here, and all of them in corpus.searches.test.ts. */
const SHARE = 5;

const names = readdirSync(VECTORS);
const files = new Map(
  names.map((name): [string, CorpusFile] => [name, readCorpus(readFileSync(path.join(VECTORS, name)))]),
);

test('the corpus has thousands of vectors of tens of kinds', () => {
  const vectors = [...files.values()].flatMap((file) => file.vectors);
  expect(vectors.length).toBeGreaterThan(5000);
  expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
  expect(files.size).toBeGreaterThanOrEqual(50);
});

test.each(names)('%s is what the emulator does', (name) => {
  const file = files.get(name) as CorpusFile;
  const replay = new Replay(file);
  for (const [i, vector] of file.vectors.entries()) {
    if (i % SHARE === 0)
      expect({ name: vector.name, final: replay.run(vector) }).toEqual({ name: vector.name, final: vector.final });
  }
});

test('a file says of each difference from QEMU whose behaviour is expected, and names no other', () => {
  for (const { vectors, differences } of files.values()) {
    const named = vectors.flatMap(({ qemu }) => (qemu === 'not compared' ? [] : qemu));
    expect([...new Set(named)].sort()).toEqual(Object.keys(differences).sort());
  }
});

test('a file that is read and written is the same', () => {
  const written = gunzipSync(writeCorpus(files.get('swapgs.json.gz') as CorpusFile));
  expect(written.toString()).toBe(gunzipSync(readFileSync(path.join(VECTORS, 'swapgs.json.gz'))).toString());
});

test('the published schema is the one that files are checked against', () => {
  const published = readFileSync(path.resolve(__dirname, '../../../docs/conformance.schema.json'), 'utf8');
  expect(JSON.parse(published)).toEqual(corpusSchema());
});

test('a file of another format is refused', () => {
  const file = files.get('swapgs.json.gz') as CorpusFile;
  expect(() => readCorpus(gzipSync(JSON.stringify({ ...file, format: 'another' })))).toThrow(/format/);
});

test('a scene that ends in a shutdown is no vector', () => {
  const file = files.get('swapgs.json.gz') as CorpusFile;
  // swapgs at CPL 3 is #GP, whose gate is beyond the limit, as that of #DF is.
  const initial = { registers: { ...file.base.registers, cs: '0x33', ss: '0x2b', 'idtr.limit': '0x5f' }, memory: [] };
  expect(new Replay(file).run({ initial, events: [], steps: 1 })).toBeUndefined();
});

test('a vector with another outcome is told from what the emulator does', () => {
  const file = files.get('swapgs.json.gz') as CorpusFile;
  const [vector] = file.vectors;
  const without = { ...vector, steps: vector.steps + 1 };
  expect(new Replay(file).run(without)).not.toEqual(vector.final);
});
