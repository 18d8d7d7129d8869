/** All vectors of the conformance corpus; corpus.test.ts replays a share of them. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readCorpus } from './corpus-file';
import { Replay } from './replay';

const VECTORS = path.join(__dirname, 'vectors');

test.each(readdirSync(VECTORS))('every vector of %s is what the emulator does', (name) => {
  const file = readCorpus(readFileSync(path.join(VECTORS, name)));
  const replay = new Replay(file);
  for (const vector of file.vectors)
    expect({ name: vector.name, final: replay.run(vector) }).toEqual({ name: vector.name, final: vector.final });
});
