// biome-ignore-all lint/style/noCommonJs: Jest and Node load it as it is
const { statSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

/** What the build made of a TypeScript file; undefined where it has made nothing, or the file has been written since. */
function built(file) {
  const made = path.join(root, 'dist', path.relative(root, file)).replace(/\.ts$/, '.js');
  const stat = statSync(made, { throwIfNoEntry: false });
  return stat === undefined || stat.mtimeMs < statSync(file).mtimeMs ? undefined : made;
}

module.exports = { built };
