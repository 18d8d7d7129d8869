/**
 * What is said beside the answer: the command to type again, and that work goes on.
 */
import path from 'node:path';
import { nameOfCall, ProgressLine } from './output';

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

describe('progress where there is no terminal', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** A standard error that is a file. */
  function log(): { readonly stream: NodeJS.WriteStream; readonly lines: string[] } {
    const lines: string[] = [];
    const stream = { isTTY: false, write: (line: string) => lines.push(line) } as unknown as NodeJS.WriteStream;
    return { stream, lines };
  }

  test('is a line every 30 s, with what is known then, until the work is done', () => {
    const { stream, lines } = log();
    const progress = new ProgressLine(stream);
    let run = 0;
    progress.show(() => `run ${++run}`);
    jest.advanceTimersByTime(29_999);
    expect(lines).toEqual([]);
    progress.show(() => 'run 70');
    jest.advanceTimersByTime(1);
    expect(lines).toEqual(['30 s: run 70\n']);
    jest.advanceTimersByTime(60_000);
    expect(lines).toEqual(['30 s: run 70\n', '60 s: run 70\n', '90 s: run 70\n']);
    progress.clear();
    jest.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(3);
    expect(run).toBe(0);
  });

  test('leaves no timer behind', () => {
    const started = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    const { stream } = log();
    const progress = new ProgressLine(stream);
    progress.show(() => 'run 1');
    progress.clear();
    expect(started).toHaveBeenCalledTimes(1);
    expect(stopped).toHaveBeenCalledWith(started.mock.results[0].value);
  });
});
