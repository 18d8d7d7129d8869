// biome-ignore-all lint/style/noCommonJs: Node loads a hook as it is
/**
 * How scripts and tests load TypeScript: what the build made of a file, where that is newer, else what esbuild makes of
 * it. The build writes exported numbers out (decision 33), so that the emulator is ten times as fast. A module that is
 * loaded anew is not compiled anew. Stack traces name the lines of sources.
 */
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { Script } = require('node:vm');
const { transformSync } = require('esbuild');
const sourceMaps = require('source-map-support');
const { built } = require('./built');

/** By file: what V8 made of it, and where its lines come from (a file with a map, or a map). */
const compiled = new Map();

function compile(filename) {
  const made = built(filename);
  const { code, map } = made === undefined ? transformed(filename) : { code: readFileSync(made, 'utf8') };
  const script = new Script(Module.wrap(code), { filename });
  return { script, made, map };
}

function transformed(filename) {
  return transformSync(readFileSync(filename, 'utf8'), {
    loader: 'ts',
    format: 'cjs',
    target: 'node20',
    sourcefile: filename,
    sourcemap: 'external',
  });
}

sourceMaps.install({
  environment: 'node',
  handleUncaughtExceptions: false,
  retrieveSourceMap(filename) {
    const { made, map } = compiled.get(filename) ?? {};
    if (made !== undefined) return { url: made, map: readFileSync(`${made}.map`, 'utf8') };
    return map === undefined ? null : { url: filename, map };
  },
});

Module._extensions['.ts'] = (module, filename) => {
  if (!compiled.has(filename)) compiled.set(filename, compile(filename));
  const { script } = compiled.get(filename);
  const load = script.runInThisContext();
  load.call(module.exports, module.exports, Module.createRequire(filename), module, filename, path.dirname(filename));
};
