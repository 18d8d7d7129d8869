/**
 * Promise: a check of a kernel in the thread of the command line hears Ctrl-C: it answers with what it has, as one that
 * has no verdict, and a second Ctrl-C ends it at once.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { NO_VERDICT } from './exit-codes';

const PROGRAM = path.resolve(__dirname, '../../dist/properties/cli/testing/check-in-turns.js');

/** Runs the check, presses Ctrl-C where it says the one and then the other text, and answers how it has ended. */
function interrupted(words: readonly string[], presses: readonly { after: string; wait: number }[]) {
  return new Promise<{ code: number | null; signal: string | null; stdout: string }>((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...words]);
    let stdout = '';
    let stderr = '';
    let pressed = 0;
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
      for (; pressed < presses.length && stderr.includes(presses[pressed].after); pressed++)
        setTimeout(() => child.kill('SIGINT'), presses[pressed].wait);
    });
    child.on('close', (code, signal) => resolve({ code, signal, stdout }));
  });
}

test('one Ctrl-C is answered with what was done', async () => {
  const ended = await interrupted([], [{ after: 'a run begins', wait: 0 }]);
  expect(ended).toEqual({ code: NO_VERDICT, signal: null, stdout: JSON.stringify({ swept: 1, runs: 1 }) });
});

test('a second one ends work that does not stop', async () => {
  const presses = [
    { after: 'a run begins', wait: 0 },
    { after: 'interrupted', wait: 800 },
  ];
  expect(await interrupted(['endless'], presses)).toEqual({ code: NO_VERDICT, signal: null, stdout: '' });
});
