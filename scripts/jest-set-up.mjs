/**
 * What each worker of Jest does first: it makes Node load TypeScript. The runner imports a test file, which requires the
 * rest.
 */
import Module, { createRequire, register } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

createRequire(import.meta.url)('./register.js');
register('./import-typescript.mjs', import.meta.url);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const load = Module._extensions['.ts'];
const MUCH = 2 ** 31;

/**
 * Before each test file: gives back what searches of earlier files have reserved. Each reserves gigabytes that it does not
 * use, mappings that lie side by side become one, and Linux does not fork a process with one larger than all RAM (ENOMEM).
 */
Module._extensions['.ts'] = (module, filename) => {
  if (filename.endsWith('.test.ts') && process.memoryUsage().arrayBuffers > MUCH) collect();
  load(module, filename);
};
