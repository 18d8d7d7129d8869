/**
 * `node -r esbuild-register scripts/refresh-fingerprints.ts`: after the emulator or an image was corrected, writes the
 * fingerprints of the states and the hash of the image anew into the cases of counterexamples/corpus. Only a case that
 * still fails by the same property, at the same action of the same trace, is touched, and nothing else in it; any other
 * is an error.
 */
import fs from 'node:fs';
import path from 'node:path';
import { type Action, designName, imageHash } from '../counterexamples/format';
import { serializeCounterexample } from '../counterexamples/serialize';
import { listCounterexamples, readCounterexample } from '../counterexamples/store';
import { packageFolder } from '../model/checker/package-folder';
import { replayCase } from '../properties/campaign/case';
import { Subject } from '../properties/campaign/subject';
import { imageFile } from '../properties/designs/images';

const CORPUS = path.join(packageFolder(), 'counterexamples', 'corpus');

function fingerprints({ system }: Subject, actions: readonly Action[]): string[] {
  system.reset();
  const prints = [system.fingerprint()];
  for (const action of actions) {
    system.perform(action);
    prints.push(system.fingerprint());
  }
  return prints;
}

for (const file of listCounterexamples(CORPUS)) {
  const saved = readCounterexample(file);
  const subject = new Subject({ design: designName(saved) });
  const { verdict, step } = replayCase(subject, saved);
  if (verdict !== 'reproduced' || step !== saved.expected.step)
    throw new Error(`${file}: expected the same failure at step ${saved.expected.step}, found ${verdict} at ${step}`);
  const expected = { ...saved.expected, fingerprints: fingerprints(subject, saved.actions) };
  const image = { ...saved.image, sha256: imageHash(fs.readFileSync(imageFile(designName(saved)))) };
  const text = serializeCounterexample({ ...saved, image, expected });
  if (text === fs.readFileSync(file, 'utf8')) continue;
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
  console.log(`refreshed ${path.basename(file)}`);
}
