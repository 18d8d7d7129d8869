/**
 * Bare `pti-check`: every design, on both machines at the same bounds, against what it declares, and the abstract one
 * for systems of any size, too. Searches, proofs and campaigns share the workers; a card a design says how it came out,
 * as soon as all of its parts are done.
 */
import type { Argv } from 'yargs';
import { badInputMessage } from '../bad-input';
import { defaultWorkers, type WorkerPool } from '../campaign/worker-pool';
import { MACHINE_BOUNDS, START_BOUNDS } from '../designs/bounds';
import { DESIGNS, type Design } from '../designs/registry';
import { type Result, resultCard } from '../report/result-card';
import type { CommandBody } from './command-body';
import { extraBytesPerTask } from './design-facts';
import { exitCode, gravest, HOLDS, VIOLATED } from './exit-codes';
import { jsonFlag, VALUE } from './flags';
import { DEFAULT_SAVE, freshSeed, today } from './fuzz-command';
import { campaignProgress, type Fuzzed, type FuzzResult, fuzzInWords, fuzzSubject, savedAs } from './fuzzing';
import { commandName, note, ProgressLine, say, sayJson, sinceStart } from './output';
import { type ProveResult, proofInWords, proveDesign } from './proof-result';
import { searchDesign, searchProgress } from './search';
import { reductionsInCounts, type Searched, searchInWords, type VerifyResult } from './search-result';
import { withPool } from './with-pool';

/** Random runs for each design. */
const RUNS = 400;

interface CheckFlags {
  readonly seed?: string | undefined;
  readonly json: boolean;
}

/** One design, checked in three ways. */
interface Checked {
  readonly design: Design;
  readonly searched: Searched;
  readonly proved: ProveResult;
  readonly fuzzed: Fuzzed;
}

function options(yargs: Argv): Argv<CheckFlags> {
  return jsonFlag(yargs).option('seed', {
    ...VALUE,
    describe: 'any text; the same seed gives the same result (random, and printed)',
  }) as unknown as Argv<CheckFlags>;
}

async function check(flags: CheckFlags): Promise<void> {
  const seed = flags.seed ?? freshSeed();
  const progress = new Map<string, string>();
  const line = new ProgressLine();
  const show = (key: string, text: string) => {
    progress.set(key, text);
    line.show(() => [...progress.values()].join(' | '));
  };
  const all = await withPool(defaultWorkers(), (pool) => {
    note(`checking ${DESIGNS.length} designs on both machines, seed ${seed}; this takes up to a minute`);
    return checkAll(pool, seed, show, (checked) => {
      if (flags.json) return;
      line.clear();
      say([...cardOf(checked), '']);
    });
  });
  line.clear();
  answer(flags, seed, all);
}

/**
 * One thread a search: what fills the cores is that searches and campaigns run side by side. All searches and proofs
 * are queued before the first campaign, so that the longest of them does not begin last. `onChecked` hears of each
 * design when it is done.
 */
async function checkAll(
  pool: WorkerPool,
  seed: string,
  show: (key: string, text: string) => void,
  onChecked: (checked: Checked) => void,
): Promise<Checked[]> {
  const searches = DESIGNS.map(({ id }) =>
    searchDesign(pool, { design: id, bounds: START_BOUNDS }, (p) => show('model', searchProgress(id, p))),
  );
  const proofs = DESIGNS.map(({ id }) => proveDesign(pool, { design: id }));
  const plan = { seed, date: today(), budget: { runs: RUNS }, shard: { index: 1, of: 1 } };
  const campaigns = DESIGNS.map(({ id }) =>
    fuzzSubject(pool, { subject: { design: id, boot: MACHINE_BOUNDS }, ...plan }, undefined, (p) =>
      show('emulator', campaignProgress(id, p)),
    ),
  );
  const checks = DESIGNS.map(async (design, i) => {
    const [searched, proved, fuzzed] = await Promise.all([searches[i], proofs[i], campaigns[i]]);
    const checked = saveIfUnexpected({ design, searched, proved, fuzzed });
    onChecked(checked);
    return checked;
  });
  return Promise.all(checks);
}

type PartResult = VerifyResult | ProveResult | FuzzResult;

function agrees({ expected, property }: Design, result: PartResult): boolean {
  return expected === 'safe'
    ? result.verdict === 'holds' || result.verdict === 'proved'
    : result.verdict === 'violated' && result.property === property;
}

function resultsOf({ searched, proved, fuzzed }: Checked): PartResult[] {
  return [searched.result, proved, fuzzed.result];
}

function asDeclared(checked: Checked): boolean {
  return resultsOf(checked).every((result) => agrees(checked.design, result));
}

/**
 * A safe design fails as what was found; an unsafe one that holds, or fails otherwise, contradicts its declaration as
 * much as a violation does.
 */
function checkedExitCode(checked: Checked): number {
  if (asDeclared(checked)) return HOLDS;
  const codes = resultsOf(checked).map((result) => exitCode(result.verdict));
  if (checked.design.expected === 'safe') return gravest(codes);
  const others = codes.filter((code) => code !== VIOLATED && code !== HOLDS);
  return others.length > 0 ? gravest(others) : VIOLATED;
}

/** What was expected is known already and leaves no file behind. */
function saveIfUnexpected(checked: Checked): Checked {
  if (asDeclared(checked)) return checked;
  try {
    return { ...checked, fuzzed: savedAs(checked.fuzzed, DEFAULT_SAVE) };
  } catch (error) {
    // The answer matters more than the file, and the seed finds it again.
    note(badInputMessage(error) ?? String(error));
    return checked;
  }
}

function resultOf(checked: Checked): Result {
  const { design, searched, proved, fuzzed } = checked;
  const { verdict, property, states, mostStates, bounds } = searched.result;
  const { result } = fuzzed;
  const traceLength = result.actionsShrunk ?? searched.result.trace?.length;
  return {
    design: design.id,
    declared: { expected: design.expected, property: design.property },
    model: { verdict, property, states, mostStates, bounds, reductions: reductionsInCounts(searched.result) },
    proof: proved,
    emulator: {
      verdict: result.verdict,
      property: result.property,
      runs: result.runs,
      actions: result.steps,
      instructions: result.instructions,
    },
    sweep: result.coverage.of === 0 ? undefined : result.coverage,
    extraBytesPerTask: extraBytesPerTask(design.id),
    traceLength,
    asDeclared: asDeclared(checked),
  };
}

function jsonOf(checked: Checked) {
  const { design, searched, proved, fuzzed } = checked;
  const { id, expected, property } = design;
  return {
    design: id,
    expected,
    ...(property === undefined ? {} : { property }),
    asDeclared: asDeclared(checked),
    extraBytesPerTask: extraBytesPerTask(id),
    verify: searched.result,
    prove: proved,
    fuzz: fuzzed.result,
  };
}

function answer(flags: CheckFlags, seed: string, all: readonly Checked[]): void {
  process.exitCode = gravest(all.map(checkedExitCode));
  if (flags.json) sayJson({ results: all.map(jsonOf) });
  else say([...all.flatMap(seeItBreak), conclusion(all, seed)]);
}

/** Nothing contradicts the declaration yet, but something was not looked at to its end. */
function isOpen(checked: Checked): boolean {
  const wrong = resultsOf(checked).filter((result) => !agrees(checked.design, result));
  return wrong.length > 0 && wrong.every((result) => result.verdict === 'unknown');
}

/** What contradicts the declaration is told in full. */
function cardOf(checked: Checked): string[] {
  const card = resultCard(resultOf(checked));
  if (isOpen(checked) || asDeclared(checked)) return card;
  return [
    ...card,
    '',
    ...searchInWords(checked.searched),
    ...proofInWords(checked.proved),
    ...fuzzInWords(checked.fuzzed),
  ];
}

function seeItBreak(checked: Checked): string[] {
  const { id, expected } = checked.design;
  if (expected === 'safe' || !asDeclared(checked)) return [];
  return [`See ${id} break:`, `  ${commandName()} fuzz --design ${id}`, `  ${commandName()} replay --step FILE`];
}

function conclusion(all: readonly Checked[], seed: string): string {
  const names = (some: readonly Checked[]) => some.map((checked) => checked.design.id).join(', ');
  const open = all.filter(isOpen);
  const unexpected = all.filter((checked) => !isOpen(checked) && !asDeclared(checked));
  const parts = [
    ...(unexpected.length > 0 ? [`Not as declared: ${names(unexpected)}`] : []),
    ...(open.length > 0 ? [`No verdict: ${names(open)}`] : []),
    ...(unexpected.length + open.length === 0 ? ['Every design came out as declared'] : []),
  ];
  return `${parts.join('. ')} (seed ${seed}, ${sinceStart().toFixed(1)} s).`;
}

export const checkCommand: CommandBody<CheckFlags> = {
  builder: options,
  handler: check,
};
