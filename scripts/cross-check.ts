/**
 * The abstract machine, searched by four checkers: direct execution of its rules, the compiled search, SPIN and rumur.
 * For every design at three bounds (with --mutants: for every mutant that the model can express, too) they must agree
 * on the verdict, on the numbers of states and transitions where it holds, and on the length of a shortest trace and
 * the property where it does not. The compiled search on two threads and with each reduction must give the same verdict
 * and the same trace, and the counts of direct execution with that reduction; what partial-order reduction claims of
 * private steps is tested by executing them. Run by scripts/cross-check.sh, which looks for the tools first.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exploreCompiled } from '../model/checker/compiled/explore-compiled';
import type { Bounds } from '../model/checker/language/schema-types';
import { type Exploration, explore } from '../model/checker/search/explore';
import { partialOrderOf } from '../model/checker/search/partial-order';
import { auditPartialOrder } from '../model/checker/search/partial-order-audit';
import { exportModel } from '../model/checker/translate/export';
import { BOOT } from '../model/checker/translate/promela/to-promela';
import { DESIGN_NAMES } from '../model/design-config';
import { type EntryModel, entryModel } from '../model/entry-model';
import { modelPropertySlug } from '../model/property-names';
import { type Answer, RUMUR_FLAGS, readRumur, readSpin } from '../properties/bench/checkers/checker-output';
import { searchBounds } from '../properties/designs/bounds';
import { MUTANTS } from '../properties/designs/registry';
import { alignedTable } from '../properties/report/aligned-table';
import { boundsInWords } from '../properties/report/names';

const run = promisify(execFile);

/** Small enough for seconds, and each leaves out something else: the second CPU, the events, the second task. */
const BOUNDS: readonly Bounds[] = [
  { cpus: 1, tasks: 2, mms: 2, nesting: 3, nmis: 1, irqs: 1 },
  { cpus: 2, tasks: 2, mms: 2, nesting: 2, nmis: 0, irqs: 0 },
  { cpus: 2, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 1 },
];

/** What our searches may reserve: the checkers beside them need to be started. */
const MEMORY_MIB = 128;

const MUTANT_BOUNDS = { cpus: 2, tasks: 2, mms: 1 };

/**
 * Where the claims of the partial-order reduction are tested of mutants, whose own bounds are too large for that: a
 * race for a task, and an NMI that faults.
 */
const MUTANT_AUDITS: readonly Bounds[] = [
  { cpus: 2, tasks: 1, mms: 1, nesting: 2, nmis: 0, irqs: 0 },
  { cpus: 1, tasks: 1, mms: 1, nesting: 2, nmis: 1, irqs: 1 },
];

interface Case {
  readonly design: string;
  readonly model: EntryModel;
  /** The same at bounds at which every pair of steps can be tried. */
  readonly audited: readonly EntryModel[];
}

type Checker = (example: Case, folder: string) => Promise<Answer>;

function modelsOf(design: string, bounds: readonly Bounds[]): EntryModel[] {
  return bounds.map((each) => entryModel(design, each)).filter((model) => model !== undefined);
}

function casesOf(withMutants: boolean): Case[] {
  const designs = DESIGN_NAMES.flatMap((design) =>
    modelsOf(design, BOUNDS).map((model) => ({ design, model, audited: [model] })),
  );
  const mutants = MUTANTS.flatMap(({ id }) =>
    modelsOf(id, [searchBounds(id, MUTANT_BOUNDS)]).map((model) => ({
      design: id,
      model,
      audited: modelsOf(id, MUTANT_AUDITS),
    })),
  );
  return [...designs, ...(withMutants ? mutants : [])];
}

function answerOf({ verdict, property, states, transitions, trace }: Exploration): Answer {
  if (verdict === 'holds') return { verdict, states, transitions };
  const name = property === undefined ? '' : ` ${modelPropertySlug(property)}`;
  return { verdict: `${verdict}${name}`, steps: trace?.length ?? -1 };
}

/** The rules translated by ts-morph into packed code, which is what `verify` runs. */
const compiled: Checker = async ({ model }) => answerOf(exploreCompiled(model, { memoryMiB: MEMORY_MIB }));

/** Breadth first, so that its trace is a shortest one; -o2 because SPIN drops variables that are never read. */
const spin: Checker = async ({ design, model }, folder) => {
  const text = exportModel(model, design, 'promela');
  writeFileSync(join(folder, 'model.pml'), text);
  await run('spin', ['-o2', '-a', 'model.pml'], { cwd: folder });
  await run('gcc', ['-O0', '-w', '-DSAFETY', '-DNOREDUCE', '-DBFS', '-o', 'pan', 'pan.c'], { cwd: folder });
  return readSpin((await run('./pan', ['-w20'], { cwd: folder })).stdout, text.includes(BOOT) ? 1 : 0);
};

const rumur: Checker = async ({ design, model }, folder) => {
  writeFileSync(join(folder, 'model.m'), exportModel(model, design, 'murphi'));
  await run('rumur', [...RUMUR_FLAGS, '--threads', '1', '--output', 'model.c', 'model.m'], { cwd: folder });
  await run('gcc', ['-std=c11', '-O0', '-w', '-mcx16', '-o', 'model', 'model.c', '-lpthread'], { cwd: folder });
  // Its exit code says that there is an error; what it is stands in the output.
  const { stdout } = await run('./model', [], { cwd: folder }).catch((error: { stdout: string }) => error);
  return readRumur(stdout);
};

const CHECKERS: Readonly<Record<string, Checker>> = { compiled, spin, rumur };

/** What the compiled search is asked besides, and what direct execution is asked to compare it with. */
const VARIANTS = {
  '2 threads': { compiled: { threads: 2 }, direct: {} },
  symmetry: { compiled: { symmetry: true }, direct: { symmetry: true } },
  por: { compiled: { por: true }, direct: { por: true } },
} as const;
const BOTH = { symmetry: true, por: true } as const;

/** Verdict, property and trace: what no reduction may change. */
function conclusion({ verdict, property, trace }: Exploration): string {
  return JSON.stringify({ verdict, property, trace });
}

/** 'same', or what is not. Reductions of direct execution are judged, too. */
function variantsJudged({ model }: Case, plain: Exploration): string[] {
  const expected = conclusion(plain);
  const found = Object.values(VARIANTS).map((variant) => {
    const ours = exploreCompiled(model, { memoryMiB: MEMORY_MIB, ...variant.compiled });
    const reference = Object.keys(variant.direct).length === 0 ? plain : explore(model, variant.direct);
    if (conclusion(ours) !== expected) return `DIFFERENT: ${conclusion(ours)}`;
    if (conclusion(reference) !== expected) return `DIFFERENT by direct execution: ${conclusion(reference)}`;
    const [counted, wanted] = [inWords(answerOf(ours)), inWords(answerOf(reference))];
    return counted === wanted ? 'same' : `DIFFERENT: ${counted}, by direct execution ${wanted}`;
  });
  const both = exploreCompiled(model, { memoryMiB: MEMORY_MIB, ...BOTH });
  return [...found, conclusion(both) === expected ? 'same' : `DIFFERENT: ${conclusion(both)}`];
}

/** Tries what partial-order.ts claims, on every state of the unreduced search. */
function auditJudged({ audited }: Case): string {
  const findings = audited.flatMap((model) => auditPartialOrder(partialOrderOf(model)).findings);
  return findings.length === 0 ? 'hold' : `DIFFERENT: ${findings.join('; ')}`;
}

const OWN_HEADS = [...Object.keys(VARIANTS), 'symmetry and por', 'claims of por'];

function inWords({ verdict, states, transitions, steps }: Answer): string {
  return steps === undefined
    ? `${verdict}: ${states} states, ${transitions} transitions`
    : `${verdict} in ${steps} steps`;
}

/**
 * SPIN judges the invariants of a state when it expands it, so a rule's requirement that fails up to one step later can
 * come before. That too is a violation, and the state with the broken invariant is still there.
 */
function invariantComesLate(model: EntryModel, expected: Answer, found: Answer): boolean {
  const isInvariant = model.invariants.some(({ name }) => expected.verdict === `violated ${name}`);
  const [soonest, steps] = [expected.steps ?? Infinity, found.steps ?? -1];
  return isInvariant && found.verdict.startsWith('violated') && (steps === soonest || steps === soonest + 1);
}

function judged(name: string, { model }: Case, expected: Answer, found: Answer): string {
  if (inWords(expected) === inWords(found)) return 'same';
  if (name === 'spin' && invariantComesLate(model, expected, found)) return `same, first found ${inWords(found)}`;
  return `DIFFERENT: ${inWords(found)}`;
}

async function compare(example: Case, checkers: readonly string[], folder: string): Promise<string[]> {
  const others = checkers.map((name) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    return CHECKERS[name](example, own);
  });
  const plain = explore(example.model);
  const expected = answerOf(plain);
  // On this thread, while the checkers beside it are compiled and run.
  const own = [...variantsJudged(example, plain), auditJudged(example)];
  const verdicts = (await Promise.all(others)).map((answer, i) => judged(checkers[i], example, expected, answer));
  return [example.design, boundsInWords(example.model.bounds), inWords(expected), ...own, ...verdicts];
}

async function main(words: readonly string[]): Promise<void> {
  const checkers = Object.keys(CHECKERS).filter((name) => words.includes(name));
  const folder = mkdtempSync(join(tmpdir(), 'cross-check-'));
  try {
    const rows: string[][] = [];
    for (const example of casesOf(words.includes('--mutants'))) rows.push(await compare(example, checkers, folder));
    const heads = ['design', 'bounds', 'direct execution', ...OWN_HEADS, ...checkers];
    console.log(
      alignedTable(
        heads,
        heads.map(() => 'left'),
        rows,
      ).join('\n'),
    );
    const bad = rows.filter((row) => row.some((cell) => cell.startsWith('DIFFERENT'))).length;
    console.log(
      `${rows.length} models searched by direct execution, ${checkers.join(', ')}: ${bad === 0 ? 'all agree' : `${bad} DIFFER`}`,
    );
    process.exitCode = bad === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main(process.argv.slice(2));
