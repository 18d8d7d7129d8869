/** Where the rules and the invariants of the entry model are written. */
import { join } from 'node:path';
import { modelFolder, sourcesIn } from './checker/translate/origin';

/** Their files; `root` is a model/ folder with TypeScript in it. */
export function ruleFiles(root = modelFolder()): string[] {
  return [...sourcesIn(join(root, 'rules')), join(root, 'invariants.ts')];
}
