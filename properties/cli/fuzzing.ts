/**
 * One campaign as `fuzz` reports it, in JSON and in words.
 */
import { saveCounterexample } from '../../counterexamples/store';
import type { Bounds } from '../../model/schema-types';
import { type CampaignPhase, type CampaignRequest, type CampaignResult, runCampaign } from '../campaign-pool/campaign';
import type { CoverageCount, Opened } from '../campaign-pool/tasks';
import type { WorkerPool } from '../campaign-pool/worker-pool';
import type { Failure } from '../exploration/campaign';
import { explain } from '../report/explain';
import { boundsInWords } from '../report/names';
import { counted, grouped } from '../report/numbers';
import type { Verdict } from './exit-codes';
import { commandName, quoted, rounded } from './output';

/** What `fuzz --json` answers for one design; the keys are a contract. */
export interface FuzzResult {
  readonly design: string;
  readonly seed: string;
  readonly bounds: Bounds;
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
  readonly seconds: number;
  readonly verdict: Exclude<Verdict, 'deadlock'>;
  readonly property?: string;
  readonly actionsFound?: number;
  readonly actionsShrunk?: number;
  readonly shortest?: number;
  readonly counterexample?: string;
  readonly replay?: { readonly seed: number; readonly path: string };
  readonly coverage: CoverageCount;
  readonly vacuous: readonly string[];
  readonly unchecked: Opened['unchecked'];
}

/** The result and what only people are told. `campaign` is undefined when the campaign was stopped before it began. */
export interface Fuzzed {
  readonly result: FuzzResult;
  readonly campaign: CampaignResult | undefined;
  readonly request: CampaignRequest;
}

/** Runs a campaign and saves what it finds into `folder`. Without a folder nothing is saved here. */
export async function fuzzSubject(
  pool: WorkerPool,
  request: CampaignRequest,
  folder: string | undefined,
  onProgress: (progress: CampaignPhase) => void,
): Promise<Fuzzed> {
  const campaign = await runCampaign(pool, request, onProgress);
  const saved =
    campaign?.found === undefined || folder === undefined
      ? undefined
      : saveCounterexample(folder, campaign.found.counterexample).path;
  return { result: resultOf(request, campaign, saved), campaign, request };
}

/** The same result with the file that its counterexample is now in. */
export function savedAs(fuzzed: Fuzzed, folder: string): Fuzzed {
  const { campaign, request } = fuzzed;
  if (campaign?.found === undefined) return fuzzed;
  return {
    ...fuzzed,
    result: resultOf(request, campaign, saveCounterexample(folder, campaign.found.counterexample).path),
  };
}

const NO_BOUNDS: Bounds = { cpus: 0, tasks: 0, mms: 0, nesting: 0, nmis: 0, irqs: 0 };
const NOTHING: CampaignResult = {
  bounds: NO_BOUNDS,
  runs: 0,
  steps: 0,
  instructions: 0,
  coverage: { hit: 0, of: 0 },
  vacuous: [],
  unchecked: [],
  found: undefined,
  interrupted: true,
  seconds: 0,
};

function resultOf({ subject, seed }: CampaignRequest, campaign: CampaignResult = NOTHING, saved?: string): FuzzResult {
  const { bounds, runs, steps, instructions, coverage, vacuous, unchecked, found } = campaign;
  return {
    design: subject.design,
    seed,
    bounds,
    runs,
    steps,
    instructions,
    seconds: rounded(campaign.seconds),
    verdict: verdictOf(campaign),
    ...(found === undefined ? {} : failureKeys(found.failure)),
    ...(saved === undefined ? {} : { counterexample: saved }),
    ...(found?.failure.replay === undefined ? {} : { replay: found.failure.replay }),
    coverage,
    // Where a run failed, nobody asks what the others would have reached.
    vacuous: found === undefined ? vacuous.map((walk) => walk.name) : [],
    unchecked,
  };
}

/** A failure says more than a situation that was not reached, and that more than silence. */
function verdictOf({ found, runs, interrupted, vacuous }: CampaignResult): FuzzResult['verdict'] {
  if (found !== undefined) return found.failure.kind;
  if (interrupted && runs === 0) return 'unknown';
  return vacuous.length > 0 ? 'vacuous' : 'holds';
}

function failureKeys({
  property,
  found,
  shrunk,
  shortest,
}: Failure): Pick<FuzzResult, 'property' | 'actionsFound' | 'actionsShrunk' | 'shortest'> {
  return {
    ...(property === undefined ? {} : { property }),
    actionsFound: found,
    actionsShrunk: shrunk,
    ...(shortest === undefined ? {} : { shortest }),
  };
}

export function campaignProgress(design: string, { phase, done, of }: CampaignPhase): string {
  const amount = of === undefined ? grouped(done) : `${grouped(done)} of ${grouped(of)}`;
  switch (phase) {
    case 'directed':
      return `fuzz ${design}: directed walk ${amount}`;
    case 'runs':
      return `fuzz ${design}: run ${amount}`;
    case 'sweep':
      return `fuzz ${design}: sweep of every instruction boundary`;
  }
}

/** The campaign for people: verdict, what was done, what was found and how to see it again. */
export function fuzzInWords(fuzzed: Fuzzed): string[] {
  const { result, campaign } = fuzzed;
  if (campaign === undefined) return [`${result.design}: no verdict: interrupted before the first run`];
  const done = `${counted(result.runs, 'run')}, ${counted(result.steps, 'action')}, ${counted(result.instructions, 'instruction')}, ${result.seconds} s`;
  return [
    `${title(fuzzed)}: ${headline(result, campaign)}`,
    `  done      ${done}`,
    `  sweep     ${sweepInWords(campaign)}`,
    `  bounds    ${boundsInWords(result.bounds)}`,
    ...(campaign.found === undefined ? [] : failureInWords(fuzzed, campaign.found.failure)),
    ...(campaign.found === undefined
      ? campaign.vacuous.map((walk) => `  vacuous   ${walk.name} was not reached: ${walk.why}`)
      : []),
    ...campaign.unchecked.map(({ property, symbol }) => `  unchecked ${property}: the image has no symbol ${symbol}`),
    `  seed      ${result.seed}`,
    `  again     ${command(fuzzed)}`,
  ];
}

/** A user's own image is named by its file; the design is only its judge. */
function title({ request: { subject } }: Fuzzed): string {
  return subject.elf === undefined ? subject.design : `${subject.elf.name} (judged as ${subject.design})`;
}

function headline({ verdict, property }: FuzzResult, campaign: CampaignResult): string {
  switch (verdict) {
    case 'holds':
      return campaign.interrupted ? 'held as far as it got (interrupted)' : 'held in every run';
    case 'violated':
      return `${property} is violated`;
    case 'diverged':
      return `the code left its abstract machine, in the field ${campaign.found?.failure.field ?? 'unknown'}`;
    case 'vacuous':
      return 'held in every run, but what the runs have to reach was not reached';
    case 'unknown':
      return 'no verdict: interrupted before the first run had ended';
  }
}

function sweepInWords({ coverage: { hit, of }, found, interrupted }: CampaignResult): string {
  if (of > 0) return `${grouped(hit)} of ${grouped(of)} (instruction boundary, event) pairs hit`;
  if (found !== undefined) return 'not done, because a run failed before';
  return interrupted ? 'not done, because it was interrupted' : 'nothing to sweep';
}

function failureInWords({ result }: Fuzzed, failure: Failure): string[] {
  const by =
    failure.strategy === 'random'
      ? `run ${failure.run}`
      : failure.strategy === 'sweep'
        ? 'the sweep'
        : 'the state after boot';
  const provably =
    failure.shortest === failure.shrunk
      ? ', the fewest that the abstract machine needs'
      : '; shrunk by delta debugging, perhaps not the shortest';
  return [
    `  found     ${failure.message}`,
    ...(failure.property === undefined ? [] : [`  meaning   ${explain(failure.property).violated}`]),
    `  trace     ${counted(failure.shrunk, 'action')}${provably} (found by ${by} after ${grouped(failure.found)})`,
    ...(result.counterexample === undefined
      ? []
      : [
          `  saved     ${result.counterexample}`,
          `  watch it  ${commandName()} replay --step ${quoted(result.counterexample)}`,
        ]),
    ...(failure.replay === undefined
      ? []
      : [`  fast-check { seed: ${failure.replay.seed}, path: "${failure.replay.path}" }`]),
  ];
}

/** The command that does exactly this again. */
function command({ request, campaign }: Fuzzed): string {
  const { subject, seed, shard } = request;
  const parts = [`${commandName()} fuzz`, `--design ${subject.design}`];
  if (subject.elf !== undefined) parts.push(`--entry ${quoted(subject.elf.name)}`);
  parts.push(`--seed ${quoted(seed)}`, `--runs ${Math.max(1, campaign?.runs ?? 1)}`);
  if (shard.of > 1) parts.push(`--shard ${shard.index}/${shard.of}`);
  return parts.join(' ');
}
