import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bochs, BochsError, bochsVersion } from './bochs-process';

/** Answers as Bochs 2.7 does when it reads from a pipe: it repeats each line that it is sent, after its prompt. */
const DEBUGGER = `#!${process.execPath}
let n = 1;
function execute(line) {
  const place = /^show "cpu0.(.*)"$/.exec(line)?.[1];
  if (place === 'RAX') console.log('show param name: <cpu0.RAX>\\nRAX = 0x1234');
  if (line.startsWith('restore')) console.log('restoring param (cpu0) state');
  if (line === 's 1') process.exit(3);
}
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  console.log('<bochs:' + n++ + '> ' + line);
  const path = /^source (.*)$/.exec(line)?.[1];
  if (path !== undefined) require('fs').readFileSync(path, 'utf8').split('\\n').forEach(execute);
});
`;

let folder: string;
let program: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pti-check-bochs-test-'));
  program = join(folder, 'bochs');
  writeFileSync(program, DEBUGGER);
  chmodSync(program, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function withBochs(use: (bochs: Bochs) => Promise<void>): Promise<void> {
  const bochs = await Bochs.start(program);
  try {
    await use(bochs);
  } finally {
    bochs.stop();
  }
}

test('a place of the state is what Bochs shows; one that it does not know is an error', () =>
  withBochs(async (bochs) => {
    bochs.setCpu(new Map([['CS.selector', '0x10']]));
    expect(await bochs.cpu(['RAX'])).toEqual(new Map([['RAX', '0x1234']]));
    await expect(bochs.cpu(['RAX', 'RBX'])).rejects.toThrow('expected "RBX" in the state of Bochs, found none');
  }));

test('a Bochs that ends in the middle is an error with what it said', () =>
  withBochs(async (bochs) => {
    bochs.step();
    await expect(bochs.cpu(['RAX'])).rejects.toThrow(/ended with status 3: <bochs:\d+> source/);
    await expect(bochs.cpu(['RAX'])).rejects.toThrow(BochsError);
  }));

test('a program that cannot be run has no version and does not start', async () => {
  expect(bochsVersion(join(folder, 'none'))).toBeUndefined();
  await expect(Bochs.start(join(folder, 'none'))).rejects.toThrow(/could not be started/);
});
