#!/usr/bin/env node
/** The program that `pti-check` is: one command line in a process of its own. */
import { inlineMore } from '../engine';
import { runCommandLine } from './command-line';

inlineMore();

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', () => process.exit());
void runCommandLine(process.argv.slice(2)).then(exitWhenWritten);

/** Nothing is left to do; without this call node would still take its heap apart. */
function exitWhenWritten(): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}
