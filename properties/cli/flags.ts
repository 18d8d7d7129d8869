/**
 * Flags that several commands share, and how they are declared: values are read as text, and arguments.ts says what
 * they mean.
 */
import type { Argv } from 'yargs';
import { VERIFY_BOUNDS } from '../../model/entry-model';
import { BadInputError } from '../bad-input';
import { MACHINE_BOUNDS } from '../designs/bounds';

/** A flag with a value. yargs makes a list of a flag that is given twice; which of the two was meant nobody knows. */
export const VALUE = { type: 'string', requiresArg: true, coerce: once } as const;

/**
 * A flag with a number: the help says so, but the value stays the text that was typed, so that arguments.ts can name it
 * when it is none (yargs would make NaN of it, and 1000 of 1e3).
 */
export const NUMBER = { string: true, number: true, requiresArg: true, coerce: once } as const;

function once(value: string | readonly string[]): string {
  if (typeof value === 'string') return value;
  throw new BadInputError(
    `expected each flag once, found one with the values ${value.map((v) => JSON.stringify(v)).join(' and ')}; leave out all but one`,
  );
}

export function jsonFlag<T>(yargs: Argv<T>): Argv<T> {
  return yargs.option('json', {
    type: 'boolean',
    default: false,
    describe: 'answer with one JSON object on standard output',
  });
}

export function designFlag<T>(yargs: Argv<T>): Argv<T> {
  return yargs.option('design', {
    ...VALUE,
    describe: 'a design, or a mutant such as mainline+sti-on-trampoline; without it: all designs',
  });
}

/** Files with properties of the user's. */
export function propertyFlag<T>(yargs: Argv<T>): Argv<T> {
  return yargs.option('property', {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    describe: 'a JavaScript file with a property of your own, which is run as code; may be given several times',
  });
}

/** What the guest is booted with. */
export function bootFlags<T>(yargs: Argv<T>): Argv<T> {
  const { cpus, tasks, mms } = MACHINE_BOUNDS;
  return yargs
    .option('cpus', { ...NUMBER, describe: `number of CPUs (${cpus}, or as many as the image can boot: its max_cpus)` })
    .option('tasks', { ...NUMBER, describe: `number of user tasks (${tasks}, or its max_tasks)` })
    .option('mms', {
      ...NUMBER,
      describe: `number of address spaces (${mms}, or its max_mms); task t lives in address space t mod mms`,
    });
}

export function boundFlags<T>(yargs: Argv<T>, otherwise = VERIFY_BOUNDS): Argv<T> {
  return yargs
    .option('cpus', { ...NUMBER, describe: 'number of CPUs (as the image of the design says: 2)' })
    .option('tasks', { ...NUMBER, describe: 'number of user tasks (2); task t lives in address space t mod mms' })
    .option('mms', { ...NUMBER, describe: 'number of address spaces (1)' })
    .option('nesting', {
      ...NUMBER,
      describe: `contexts that a task can have open at a time, or any (${otherwise.nesting})`,
    })
    .option('nmis', { ...NUMBER, describe: `most NMIs in a trace, or any (${otherwise.nmis})` })
    .option('irqs', { ...NUMBER, describe: `most interrupts in a trace, or any (${otherwise.irqs})` });
}
