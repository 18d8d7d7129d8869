// biome-ignore-all lint/style/noCommonJs: Node loads a hook as it is
/**
 * How scripts load TypeScript: what the build made of a file, where that is newer, else what esbuild makes of it. The
 * build writes exported numbers out (decision 33), so that the emulator is ten times as fast.
 */
const { readFileSync } = require('node:fs');
const Module = require('node:module');
require('esbuild-register');
const { built } = require('./built');

const load = Module._extensions['.ts'];

Module._extensions['.ts'] = (module, filename) => {
  const made = built(filename);
  if (made === undefined) load(module, filename);
  else module._compile(readFileSync(made, 'utf8'), filename);
};
