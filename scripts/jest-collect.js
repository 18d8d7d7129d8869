// biome-ignore-all lint/style/noCommonJs: Jest loads a set-up file as it is
/**
 * Before each test file: gives back what searches of earlier files have reserved. Each reserves gigabytes that it does not
 * use, mappings that lie side by side become one, and Linux does not fork a process with one larger than all RAM (ENOMEM).
 */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

const MUCH = 2 ** 31;

if (process.memoryUsage().arrayBuffers > MUCH) {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
