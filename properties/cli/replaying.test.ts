/**
 * What a replay answers for one file.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Action } from '../../counterexamples/format';
import { imageHash } from '../../counterexamples/format';
import { listCounterexamples, readCounterexample, saveCounterexample } from '../../counterexamples/store';
import { imageFile } from '../designs/images';
import { replayFile } from './replaying';
import { emptyFolder } from './testing/pti-check';

const corpus = listCounterexamples(path.resolve(__dirname, '../../counterexamples/corpus'));
const { folder, remove } = emptyFolder();
afterAll(remove);

test('a step that no rule describes is no unknown rule', () => {
  const file = corpus.find((name) => readFileSync(name, 'utf8').includes('"rule": "any"')) ?? '';
  expect(replayFile(file, false).result.verdict).toBe('reproduced');
});

test('a divergence that is reproduced is answered with its field and its sentence', () => {
  const bytes = readFileSync(imageFile('mainline'));
  const step: Action = { action: 'step', cpu: 0, rule: 'any' };
  const saved = readCounterexample(corpus[0]);
  const { path: file } = saveCounterexample(folder, {
    format: saved.format,
    version: saved.version,
    bounds: saved.bounds,
    origin: saved.origin,
    property: 'refinement',
    design: 'asm-return',
    image: { sha256: imageHash(bytes), elf: bytes.toString('base64') },
    actions: [step, step, step],
    expected: {
      kind: 'diverged',
      property: 'refinement',
      step: 3,
      field: 'stack[0]',
      message: '',
      fingerprints: [],
    },
  });
  const { result } = replayFile(file, true);
  expect(result).toMatchObject({ verdict: 'reproduced', field: 'stack[0]', step: 3 });
  expect(result.message).toContain('rsp: user stack -> no stack (a CR3 value)');
  expect(result.steps?.map((one) => one.outcome)).toEqual(['done', 'done', 'diverged']);
});
