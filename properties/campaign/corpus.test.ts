/**
 * Promise: every saved case fails today as it did when it was saved: same property, at the same action, and through the
 * same states as long as the image is the same one.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { designName, imageHash } from '../../counterexamples/format';
import { listCounterexamples, readCounterexample } from '../../counterexamples/store';
import { packageFolder } from '../../model/checker/package-folder';
import { imageFile } from '../designs/images';
import '../testing/jest';
import { Subject } from './subject';

const CORPUS = path.join(packageFolder(), 'counterexamples', 'corpus');
const files = listCounterexamples(CORPUS);

test('the headline case is in the corpus', () => {
  expect(files.map((file) => path.basename(file))).toContainEqual(
    expect.stringMatching(/^scheduled-out-on-own-stack--deferred-percpu--/),
  );
});

test.each(files.map((file) => path.basename(file)))('%s reproduces', (name) => {
  const saved = readCounterexample(path.join(CORPUS, name));
  const { cpus, tasks, mms } = saved.bounds;
  const subject = new Subject({ design: designName(saved), boot: { cpus, tasks, mms } });
  expect(subject).toReproduce(saved, path.join('counterexamples', 'corpus', name));
  if (imageHash(readFileSync(imageFile(designName(saved)))) !== saved.image.sha256) return;
  subject.system.reset();
  const prints = [subject.system.fingerprint()];
  for (const action of saved.actions) {
    subject.system.perform(action);
    prints.push(subject.system.fingerprint());
  }
  expect(prints).toEqual(saved.expected.fingerprints);
});
