// biome-ignore-all lint/style/noCommonJs: Jest loads a transformer as it is
/**
 * What Jest runs of a TypeScript file: what the build made of it, where that is newer, else what esbuild makes of the
 * file alone. That is how tests are run, which nobody imports. esbuild exports by getters, and in the second context of
 * a process V8 no longer inlines these, so that the emulator would be three times as slow in every test file of a
 * worker but the first: hence the build for all else.
 */
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { transformSync, version } = require('esbuild');
const { built } = require('./built');

module.exports = {
  getCacheKey(source, file) {
    const made = built(file);
    const parts = [file, source, version, made === undefined ? '' : readFileSync(made, 'utf8')];
    return createHash('sha256').update(parts.join('\0')).update(readFileSync(__filename)).digest('hex');
  },
  process(source, file) {
    const made = built(file);
    if (made !== undefined) return { code: readFileSync(made, 'utf8'), map: readFileSync(`${made}.map`, 'utf8') };
    return transformSync(source, {
      loader: 'ts',
      format: 'cjs',
      target: 'node20',
      sourcefile: file,
      sourcemap: 'external',
    });
  },
};
