#!/usr/bin/env node
/** The program that `pti-check` is: one command line in a process of its own. */
import { inlineMore } from '../engine';
import { prepareFor } from './preparing';

const words = process.argv.slice(2);
inlineMore();
prepareFor(words[0]);

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', () => process.exit());
// biome-ignore lint/style/noCommonJs: loaded when workers have been started, which load meanwhile
const { runCommandLine } = require('./command-line') as typeof import('./command-line');
void runCommandLine(words).then(exitWhenWritten);

/** Nothing is left to do; without this call node would still take its heap apart. */
function exitWhenWritten(): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}
