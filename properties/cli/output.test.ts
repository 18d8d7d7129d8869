/**
 * What is said beside the answer: the command to type again.
 */
import path from 'node:path';
import { nameOfCall } from './output';

describe('the command to type again is the one that was typed', () => {
  const CLONE = path.resolve('/home/u/pti-check');
  const PROJECT = path.resolve('/home/u/project');
  const INSTALLED = path.join(PROJECT, 'node_modules/pti-check');
  const BIN = path.join(PROJECT, 'node_modules/.bin/pti-check');
  const MAIN = 'dist/properties/cli/main.js';

  test.each<[how: string, name: string, file: string, env: Record<string, string>, cwd: string, root: string]>([
    ['by npx', 'npx pti-check', BIN, { npm_command: 'exec', npm_lifecycle_event: 'npx' }, PROJECT, INSTALLED],
    [
      'by npm start in a clone',
      'npm start --',
      path.join(CLONE, MAIN),
      { npm_lifecycle_event: 'start', npm_package_json: path.join(CLONE, 'package.json') },
      CLONE,
      CLONE,
    ],
    [
      'by the start script of a project that installed it',
      'npx pti-check',
      BIN,
      { npm_lifecycle_event: 'start', npm_package_json: path.join(PROJECT, 'package.json') },
      PROJECT,
      INSTALLED,
    ],
    ['by node, in a clone', `node ${path.normalize(MAIN)}`, path.join(CLONE, MAIN), {}, CLONE, CLONE],
    [
      'by its name, installed for everybody',
      'pti-check',
      path.resolve('/usr/local/bin/pti-check'),
      { PATH: ['/usr/bin', '/usr/local/bin'].map((folder) => path.resolve(folder)).join(path.delimiter) },
      PROJECT,
      path.resolve('/usr/local/lib/node_modules/pti-check'),
    ],
    ['by its file', './node_modules/.bin/pti-check', BIN, {}, PROJECT, INSTALLED],
    ['by a file above', '../node_modules/.bin/pti-check', BIN, {}, path.join(PROJECT, 'found'), INSTALLED],
  ])('%s: %s', (_how, name, file, env, cwd, root) => expect(nameOfCall(file, env, cwd, root)).toBe(name));
});
