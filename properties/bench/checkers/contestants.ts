/**
 * The checkers that are compared, each with the fastest flags that leave its search exact and its counts ours: no
 * partial-order reduction, no symmetry, no hash compaction, and SPIN's -o2, without which it drops variables that are
 * never read. SPIN's two ways to keep states in less memory are slower, and here for the memory. What is timed is the
 * search alone; translation and compilation come before.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { LEARNT } from '../../../model/checker/compiled/learnable';
import { type ExportLanguage, exportModel } from '../../../model/checker/translate/export';
import { forget } from '../../../model/checker/translate/file-cache';
import { BOOT } from '../../../model/checker/translate/promela/to-promela';
import { type EntryModel, entryModel } from '../../../model/entry-model';
import { type Answer, RUMUR_FLAGS, readRumur, readSpin, readSpinVector } from './checker-output';
import { type Command, runProcess } from './run-process';
import { DESIGN, type Size, slotsLog } from './sizes';

const run = promisify(execFile);

/** A checker that is ready to search one size. */
export interface Prepared {
  readonly command: Command;
  /** How it was made and is called, for people who want to do the same. */
  readonly recipe: string;
  /** Before each run, and not timed. */
  reset?(): void | Promise<void>;
  read(output: string): Answer;
  /** Bytes of a state vector, where the checker says how many. */
  vector?(output: string): number;
}

export interface Contestant {
  readonly id: string;
  readonly name: string;
  /** Programs that have to be installed. */
  readonly tools: readonly string[];
  prepare(size: Size, folder: string): Promise<Prepared>;
}

const OPTIMISED = ['-O3', '-march=native', '-w'];
const SPIN_TOOLS = ['spin', 'gcc'];
const RUMUR_TOOLS = ['rumur', 'gcc'];

/**
 * Beyond what any state takes in SPIN: its heap is divided among the cores in advance, and only what is written costs
 * anything.
 */
const SPIN_HEAP_PER_STATE = 200;

const COMMAND_LINE = path.resolve(__dirname, '../../cli/main.js');

export function modelOf({ bounds }: Size): EntryModel {
  const model = entryModel(DESIGN, bounds);
  if (model === undefined) throw new Error(`expected a model of ${DESIGN}, found none`);
  return model;
}

/** The exported model in a file of the folder; answers its text. */
function exported(size: Size, to: ExportLanguage, folder: string, name: string): string {
  const text = exportModel(modelOf(size), DESIGN, to);
  writeFileSync(path.join(folder, name), text);
  return text;
}

function recipe(...commands: readonly (readonly string[])[]): string {
  return commands.map((words) => words.join(' ')).join(' && ');
}

/**
 * The translation is kept from one run to the next, as the other checkers keep what was compiled. The steps that a
 * search has learnt, which they have no like of, are forgotten before each run, or kept as they are for everybody else
 * (`again`).
 */
function ours(threads: number, again = false): Contestant {
  return {
    id: `ours-${threads}${again ? '-again' : ''}`,
    name: `pti-check verify, ${threads} thread${threads === 1 ? '' : 's'}${again ? ', again' : ''}`,
    tools: [],
    async prepare(size, folder) {
      const bounds = Object.entries(size.bounds).flatMap(([name, value]) => [`--${name}`, `${value}`]);
      const limits = ['--memory', `${size.memoryMiB}`, '--threads', `${threads}`];
      const words = ['verify', '--design', DESIGN, ...bounds, ...limits, '--json'];
      const command = { file: process.execPath, args: [COMMAND_LINE, ...words], folder };
      const prepared = { command, recipe: recipe(['pti-check', ...words]), read: readOurs };
      await runProcess(command);
      const reset = async () => {
        if (again) await runProcess(command);
        else forget(LEARNT);
      };
      return { ...prepared, reset };
    },
  };
}

/** No states: the answer is for any number of CPUs, tasks and events. */
const proof: Contestant = {
  id: 'prove',
  name: 'pti-check prove, any size',
  tools: [],
  async prepare(_size, folder) {
    const words = ['prove', '--design', DESIGN, '--json'];
    const command = { file: process.execPath, args: [COMMAND_LINE, ...words], folder };
    const prepared = { command, recipe: recipe(['pti-check', ...words]), read: readProof };
    await runProcess(command);
    return prepared;
  },
};

function readProof(output: string): Answer {
  const { verdict } = JSON.parse(output) as Answer;
  return { verdict: verdict === 'proved' ? 'holds' : verdict };
}

function readOurs(output: string): Answer {
  const { verdict, states, transitions, bytes } = JSON.parse(output) as Answer &
    Required<Pick<Answer, 'states' | 'transitions'>>;
  return { verdict, states, transitions, ...(bytes === undefined ? {} : { bytes }) };
}

async function compileSpin(folder: string, flags: readonly string[]): Promise<string[]> {
  const words = ['gcc', ...flags, '-DSAFETY', '-DNOREDUCE', '-DNOBOUNDCHECK', '-o', 'pan', 'pan.c'];
  await run(words[0], words.slice(1), { cwd: folder });
  return words;
}

/**
 * `-DNOBOUNDCHECK` leaves out checks of indices, which saves time. `flags` gives the rest, once the bytes of the state
 * vector are known.
 */
function spin(
  id: string,
  how: string,
  flags: (size: Size, vector: number) => string[],
  runFlags: string[],
): Contestant {
  return {
    id,
    name: `SPIN, ${how}`,
    tools: SPIN_TOOLS,
    async prepare(size, folder) {
      const text = exported(size, 'promela', folder, 'model.pml');
      const translate = ['spin', '-o2', '-a', 'model.pml'];
      await run(translate[0], translate.slice(1), { cwd: folder });
      const compile = await compileSpin(folder, [...OPTIMISED, ...flags(size, await spinVector(folder))]);
      const args = [`-w${slotsLog(size)}`, `-m${size.searchDepth}`, ...runFlags];
      return {
        command: { file: path.join(folder, 'pan'), args, folder },
        recipe: recipe(translate, compile, ['./pan', ...args]),
        read: (output) => readSpin(output, text.includes(BOOT) ? 1 : 0),
        vector: readSpinVector,
      };
    },
  };
}

/** What a search that goes no deeper than one step says of its states. */
async function spinVector(folder: string): Promise<number> {
  await compileSpin(folder, ['-O0', '-w', PLAIN]);
  const { stdout } = await run('./pan', ['-w10', '-m2'], { cwd: folder });
  return readSpinVector(stdout);
}

/** Leaves out the squeezing of padding out of states, which saves time. */
const PLAIN = '-DNOCOMP';

/** The room for a state in the queues between the cores; SPIN's default of 1024 bytes is slower. */
function twoCores(size: Size, vector: number): string[] {
  const heapMiB = Math.ceil((SPIN_HEAP_PER_STATE * size.states + 8 * 2 ** slotsLog(size)) / 2 ** 20);
  return [PLAIN, '-DNCORE=2', `-DVMAX=${Math.ceil(vector / 8) * 8}`, `-DMEMLIM=${heapMiB + 512}`];
}

function rumur(threads: number): Contestant {
  return {
    id: `rumur-${threads}`,
    name: `rumur, ${threads} thread${threads === 1 ? '' : 's'}`,
    tools: RUMUR_TOOLS,
    async prepare(size, folder) {
      exported(size, 'murphi', folder, 'model.m');
      // The set of states is made as large as it will be, and no way back to the initial state is kept.
      const set = ['--set-capacity', `${8 * 2 ** slotsLog(size)}`, '--set-expand-threshold', '85'];
      const lean = ['--counterexample-trace', 'off', ...set];
      const files = ['--output', 'model.c', 'model.m'];
      const translate = ['rumur', ...RUMUR_FLAGS, '--threads', `${threads}`, ...lean, ...files];
      await run(translate[0], translate.slice(1), { cwd: folder });
      const wide = process.arch === 'x64' ? ['-mcx16'] : [];
      const compile = ['gcc', '-std=c11', ...OPTIMISED, ...wide, '-o', 'model', 'model.c', '-lpthread'];
      await run(compile[0], compile.slice(1), { cwd: folder });
      return {
        command: { file: path.join(folder, 'model'), args: [], folder },
        recipe: recipe(translate, compile, ['./model']),
        read: readRumur,
      };
    },
  };
}

/** Ours with one thread first: what the others are compared with. */
export const CONTESTANTS: readonly Contestant[] = [
  ours(1),
  ours(2),
  ours(1, true),
  ours(2, true),
  proof,
  spin('spin-dfs', 'depth first', () => [PLAIN], []),
  spin('spin-bfs', 'breadth first', () => [PLAIN, '-DBFS'], []),
  spin('spin-2', 'depth first, 2 cores', twoCores, ['-z10']),
  spin('spin-collapse', 'depth first, collapsed', () => ['-DCOLLAPSE'], []),
  spin('spin-ma', 'depth first, minimised automaton', (_size, vector) => [`-DMA=${vector}`], []),
  rumur(1),
  rumur(2),
];
