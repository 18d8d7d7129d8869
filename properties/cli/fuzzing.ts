/**
 * One campaign as `fuzz` reports it, in JSON and in words.
 */

import { replaceCounterexample, type Saved, saveCounterexample } from '../../counterexamples/store';
import type { Bounds } from '../../model/checker/language/schema-types';
import { badInputMessage } from '../bad-input';
import { type CampaignPhase, type CampaignRequest, type CampaignResult, runCampaign } from '../campaign/dispatch';
import type { Failure } from '../campaign/failure';
import { type CoverageCount, type Found, type Opened, RUNS_AFTER_DIVERGENCE } from '../campaign/tasks';
import type { WorkerPool } from '../campaign/worker-pool';
import { MACHINE_BOUNDS } from '../designs/bounds';
import { explain, propertyLabel } from '../report/explain';
import { boundsInWords } from '../report/names';
import { counted, grouped } from '../report/numbers';
import type { Verdict } from './exit-codes';
import { commandName, propertyWords, quoted, rounded } from './output';

/** A campaign with a time that ended fewer random runs than this says so: its silence means little. */
const FEW_RUNS = 50;

/** What `fuzz --json` answers for one design; the keys are a contract. */
export interface FuzzResult {
  readonly design: string;
  readonly seed: string;
  readonly bounds: Bounds;
  /** Whole random runs, up to and including the first that failed; steps and instructions are theirs. */
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
  readonly seconds: number;
  readonly verdict: Exclude<Verdict, 'deadlock'>;
  /** Slug of the violated property. */
  readonly property?: string;
  /** Field of the abstract machine in which the code left it. */
  readonly field?: string;
  /** The failure in one sentence: what was expected, what was found. */
  readonly message?: string;
  /** Number of the random run that failed; absent for a failure of the sweep. */
  readonly run?: number;
  readonly actionsFound?: number;
  readonly actionsShrunk?: number;
  readonly shortest?: number;
  /** Shrinking was cut short, by the time or by a signal: `actionsShrunk` is how far it got. */
  readonly shrinkingStopped?: true;
  /** The file in which the failure is saved. */
  readonly counterexample?: string;
  /** For stock fast-check; absent where shrinking was cut short. */
  readonly replay?: { readonly seed: number; readonly path: string };
  readonly coverage: CoverageCount;
  readonly vacuous: readonly string[];
  /** Situations that the campaign has to reach and had no time to look for; absent if there are none. */
  readonly unasked?: readonly string[];
  readonly unchecked: Opened['unchecked'];
  /** So few runs fitted into the time that their silence means little. */
  readonly few?: true;
  /** What qualifies the answer, in words: too few runs, workers that died, a file that could not be written. */
  readonly note?: string;
  /** The command that does this again. */
  readonly again: string;
}

/** The result and what only people are told. `campaign` is undefined when the campaign was stopped before it began. */
export interface Fuzzed {
  readonly result: FuzzResult;
  readonly campaign: CampaignResult | undefined;
  readonly request: CampaignRequest;
}

/** Where the failure of a campaign is kept: in one file, from the moment that it is found. */
class Keeper {
  private readonly folder: string | undefined;
  private saved: Saved | undefined;
  /** Why there is no file. */
  problem: string | undefined;

  constructor(folder: string | undefined) {
    this.folder = folder;
  }

  /** Saves a failure in the place of the one before. A full disk must not take the answer with it. */
  keep({ counterexample }: Found): void {
    if (this.folder === undefined) return;
    try {
      this.saved =
        this.saved === undefined
          ? saveCounterexample(this.folder, counterexample)
          : replaceCounterexample(this.folder, this.saved, counterexample);
      this.problem = undefined;
    } catch (error) {
      const message = badInputMessage(error);
      if (message === undefined) throw error;
      this.problem = message;
    }
  }

  get file(): string | undefined {
    return this.saved?.path;
  }
}

/**
 * Runs a campaign and saves what it finds into `folder`: at once as it was found, and shrunk in its place. Without a
 * folder nothing is saved here. `onFound` gets a line for people when there is a failure.
 */
export async function fuzzSubject(
  pool: WorkerPool,
  request: CampaignRequest,
  folder: string | undefined,
  onProgress: (progress: CampaignPhase) => void,
  onFound: (line: string, verdict: Failure['kind']) => void = () => {},
): Promise<Fuzzed> {
  const keeper = new Keeper(folder);
  const campaign = await runCampaign(pool, request, {
    onProgress,
    onFound: (found) => {
      keeper.keep(found);
      onFound(foundInWords(request, found.failure, keeper), found.failure.kind);
    },
  });
  if (campaign?.found !== undefined) keeper.keep(campaign.found);
  return { result: resultOf(request, campaign, keeper), campaign, request };
}

/** The same result with the file that its counterexample is now in. */
export function savedAs(fuzzed: Fuzzed, folder: string): Fuzzed {
  const { campaign, request } = fuzzed;
  if (campaign?.found === undefined) return fuzzed;
  const keeper = new Keeper(folder);
  keeper.keep(campaign.found);
  return { ...fuzzed, result: resultOf(request, campaign, keeper) };
}

const NO_BOUNDS: Bounds = { cpus: 0, tasks: 0, mms: 0, nesting: 0, nmis: 0, irqs: 0 };
const NOTHING: CampaignResult = {
  bounds: NO_BOUNDS,
  runs: 0,
  steps: 0,
  instructions: 0,
  coverage: { hit: 0, of: 0 },
  vacuous: [],
  unasked: [],
  unchecked: [],
  found: undefined,
  interrupted: true,
  seconds: 0,
};

function resultOf(request: CampaignRequest, campaign: CampaignResult = NOTHING, keeper?: Keeper): FuzzResult {
  const { bounds, runs, steps, instructions, coverage, vacuous, unasked, unchecked, found } = campaign;
  const few = isFew(request, campaign);
  const notes = notesOn(request, campaign, keeper);
  return {
    design: request.subject.design,
    seed: request.seed,
    bounds,
    runs,
    steps,
    instructions,
    seconds: rounded(campaign.seconds),
    verdict: verdictOf(campaign),
    ...(found === undefined ? {} : failureKeys(found.failure)),
    ...(keeper?.file === undefined ? {} : { counterexample: keeper.file }),
    ...(found?.failure.replay === undefined ? {} : { replay: found.failure.replay }),
    coverage,
    // Where a run failed, nobody asks what the others would have reached.
    vacuous: found === undefined ? vacuous.map((walk) => walk.name) : [],
    ...(found === undefined && unasked.length > 0 ? { unasked } : {}),
    unchecked,
    ...(few ? { few } : {}),
    ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
    again: command(request, campaign),
  };
}

/** Only of a campaign that was given a time: who asks for ten runs knows that they are ten. */
function isFew({ budget }: CampaignRequest, { runs, found }: CampaignResult): boolean {
  return 'seconds' in budget && found === undefined && runs < FEW_RUNS;
}

function notesOn(request: CampaignRequest, campaign: CampaignResult, keeper: Keeper | undefined): string[] {
  const time = campaign.interrupted ? 'before the interrupt' : 'in the time that was given';
  return [
    ...(isFew(request, campaign)
      ? [`only ${counted(campaign.runs, 'run')} ended ${time}, and fewer than ${FEW_RUNS} mean little`]
      : []),
    ...(campaign.lost === undefined ? [] : [campaign.lost]),
    ...(keeper?.problem === undefined ? [] : [`the failure was not saved: ${keeper.problem}`]),
  ];
}

/** A failure says more than a situation that was not reached, and that more than silence. */
function verdictOf({ found, runs, interrupted, lost, vacuous }: CampaignResult): FuzzResult['verdict'] {
  if (found !== undefined) return found.failure.kind;
  if (lost !== undefined || (interrupted && runs === 0)) return 'unknown';
  return vacuous.length > 0 ? 'vacuous' : 'holds';
}

function failureKeys({ property, field, message, strategy, run, found, shrunk, shortest, unfinished }: Failure) {
  return {
    ...(property === undefined ? {} : { property }),
    ...(field === undefined ? {} : { field }),
    message,
    ...(strategy === 'sweep' ? {} : { run }),
    actionsFound: found,
    actionsShrunk: shrunk,
    ...(shortest === undefined ? {} : { shortest }),
    ...(unfinished === undefined ? {} : { shrinkingStopped: unfinished }),
  };
}

/** One line, the moment that a failure is found. */
function foundInWords(request: CampaignRequest, failure: Failure, { file, problem }: Keeper): string {
  const { property, field, found } = failure;
  const what =
    property === undefined
      ? `leaves its abstract machine in the field ${field}`
      : `violates ${propertyLabel(property)} ${property}`;
  const kept = file === undefined ? [] : [`saved ${file}`];
  const lost = problem === undefined ? [] : [`not saved: ${problem}`];
  return [
    `${title(request)}: ${finder(failure)} ${what} after ${counted(found, 'action')}`,
    ...kept,
    ...lost,
    failure.kind === 'diverged' && failure.strategy === 'random'
      ? `looking for a violation in the next ${RUNS_AFTER_DIVERGENCE} runs`
      : 'shrinking',
  ].join('; ');
}

function finder({ strategy, run }: Failure): string {
  switch (strategy) {
    case 'random':
      return `run ${run}`;
    case 'sweep':
      return 'the sweep';
    case 'initial-state':
      return 'the state after boot';
  }
}

export function campaignProgress(design: string, progress: CampaignPhase): string {
  switch (progress.phase) {
    case 'runs': {
      const { done, of, directed } = progress;
      const amount = of === undefined ? grouped(done) : `${grouped(done)} of ${grouped(of)}`;
      const walks = directed.done < directed.of ? `, directed walk ${directed.done} of ${directed.of}` : '';
      return `fuzz ${design}: run ${amount}${walks}`;
    }
    case 'sweep':
      return `fuzz ${design}: sweep of every instruction boundary`;
    case 'shrinking': {
      const { found, shrunk } = progress.best.failure;
      const far =
        shrunk === found ? counted(found, 'action') : `${grouped(found)} actions to ${grouped(shrunk)} so far`;
      return `fuzz ${design}: shrinking ${far}`;
    }
  }
}

/** The campaign for people: verdict, what was done, what was found and how to see it again. */
export function fuzzInWords(fuzzed: Fuzzed): string[] {
  const { result, campaign } = fuzzed;
  if (campaign === undefined) return [`${result.design}: no verdict: interrupted before the first run`];
  const done = `${counted(result.runs, 'run')}, ${counted(result.steps, 'action')}, ${counted(result.instructions, 'instruction')}, ${result.seconds} s`;
  return [
    `${title(fuzzed.request)}: ${headline(result, campaign)}`,
    `  done      ${done}`,
    `  sweep     ${sweepInWords(campaign)}`,
    `  bounds    ${boundsInWords(result.bounds)}`,
    ...(campaign.found === undefined ? [] : failureInWords(fuzzed, campaign.found.failure)),
    ...(campaign.found === undefined
      ? campaign.vacuous.map((walk) => `  vacuous   ${walk.name} was not reached: ${walk.why}`)
      : []),
    ...(result.unasked === undefined ? [] : [`  unasked   no time was left to look for ${result.unasked.join(', ')}`]),
    ...(result.note === undefined ? [] : [`  note      ${result.note}`]),
    ...campaign.unchecked.map(({ property, symbol }) => `  unchecked ${property}: the image has no symbol ${symbol}`),
    `  seed      ${result.seed}`,
    `  again     ${result.again}`,
  ];
}

/** A user's own image is named by its file; the design is only its judge. */
function title({ subject }: CampaignRequest): string {
  return subject.elf === undefined ? subject.design : `${subject.elf.name} (judged as ${subject.design})`;
}

function headline(result: FuzzResult, campaign: CampaignResult): string {
  const { verdict, property } = result;
  switch (verdict) {
    case 'holds':
      if (campaign.interrupted) return 'held as far as it got (interrupted)';
      return result.few ? `held, in no more than ${counted(result.runs, 'run')}` : 'held in every run';
    case 'violated':
      return `${property} is violated`;
    case 'diverged':
      return `the code left its abstract machine, in the field ${campaign.found?.failure.field ?? 'unknown'}`;
    case 'vacuous':
      return 'held in every run, but what the runs have to reach was not reached';
    case 'unknown':
      return campaign.lost === undefined
        ? 'no verdict: interrupted before the first run had ended'
        : 'no verdict: its workers died';
  }
}

function sweepInWords({ coverage: { hit, of }, found, interrupted }: CampaignResult): string {
  if (of > 0) return `${grouped(hit)} of ${grouped(of)} (instruction boundary, event) pairs hit`;
  if (found !== undefined) return 'not done, because a run failed before';
  return interrupted ? 'not done, because it was interrupted' : 'nothing to sweep';
}

function failureInWords({ result, campaign, request }: Fuzzed, failure: Failure): string[] {
  return [
    `  found     ${failure.message}`,
    ...(failure.property === undefined ? [] : [`  meaning   ${explain(failure.property).violated}`]),
    `  trace     ${counted(failure.shrunk, 'action')}${howShort(failure, campaign)} (found by ${finder(failure)} after ${grouped(failure.found)})`,
    ...(result.counterexample === undefined
      ? []
      : [
          `  saved     ${result.counterexample}`,
          `  watch it  ${[`${commandName()} replay --step ${quoted(result.counterexample)}`, ...propertyWords(request.subject.properties)].join(' ')}`,
        ]),
    ...(failure.replay === undefined
      ? []
      : [`  fast-check { seed: ${failure.replay.seed}, path: "${failure.replay.path}" }`]),
  ];
}

function howShort({ shortest, shrunk, unfinished }: Failure, campaign: CampaignResult | undefined): string {
  if (shortest === shrunk) return ', the fewest that the abstract machine needs';
  if (unfinished === undefined) return '; shrunk by delta debugging, perhaps not the shortest';
  return `; shrinking was stopped early, by ${campaign?.interrupted ? 'the interrupt' : 'the end of its time'}`;
}

/** The command that does exactly this again. */
function command(request: CampaignRequest, campaign: CampaignResult): string {
  const { subject, seed, shard } = request;
  const parts = [`${commandName()} fuzz`, `--design ${subject.design}`];
  if (subject.elf !== undefined) parts.push(`--entry ${quoted(subject.elf.name)}`);
  parts.push(...propertyWords(subject.properties));
  // The other bounds are what the command has without them.
  const boot = subject.boot ?? campaign.bounds;
  for (const bound of ['cpus', 'tasks', 'mms'] as const)
    if (boot[bound] !== MACHINE_BOUNDS[bound]) parts.push(`--${bound} ${boot[bound]}`);
  parts.push(`--seed ${quoted(seed)}`, `--runs ${Math.max(1, campaign.runs)}`);
  if (shard.of > 1) parts.push(`--shard ${shard.index}/${shard.of}`);
  return parts.join(' ');
}
