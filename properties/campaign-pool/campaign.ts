/**
 * A campaign: the directed walks of the `sometimes` properties, then random runs, then, if none failed, the sweep. Runs are handed out in chunks of
 * consecutive numbers, in order, and a chunk that was handed out is finished; so the runs that were done are always 0 .. n-1, and what is reported (the lowest
 * failing run, and the counts up to it) depends on the seed and the budget, not on the number of workers or on which of them was faster.
 */
import type { Bounds } from '../../model/schema-types';
import type { Directed } from '../exploration/sometimes';
import type { SubjectName } from '../exploration/subject';
import type { CoverageCount, Found, Opened, Provenance, RunDone } from './tasks';
import type { WorkerPool } from './worker-pool';

/** Runs of a campaign that was given neither a number nor a time. */
export const DEFAULT_RUNS = 400;

/** Runs in one task: long enough that sending it costs nothing, short enough that a time limit is met and a failure stops the rest soon. */
const CHUNK = 4;

/** Larger than any run number. */
const NONE = 2 ** 31 - 1;

export type Budget = { readonly runs: number } | { readonly seconds: number };

/** Runs r with r mod `of` = index - 1. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export interface CampaignRequest extends Provenance {
  readonly subject: SubjectName;
  /** Runs of this shard, or seconds for everything. */
  readonly budget: Budget;
  readonly shard: Shard;
}

export type Vacuous = Extract<Directed, { kind: 'unreachable' }>;

export interface CampaignResult {
  readonly bounds: Bounds;
  /** Whole runs, up to and including the first that failed; steps and instructions are theirs. */
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
  readonly coverage: CoverageCount;
  readonly vacuous: readonly Vacuous[];
  readonly unchecked: Opened['unchecked'];
  readonly found: Found | undefined;
  readonly interrupted: boolean;
  /** Wall time of the campaign alone. */
  readonly seconds: number;
}

export type CampaignPhase = {
  readonly phase: 'directed' | 'runs' | 'sweep';
  readonly done: number;
  readonly of: number | undefined;
};

interface Running {
  readonly pool: WorkerPool;
  readonly request: CampaignRequest;
  readonly onProgress: (progress: CampaignPhase) => void;
  readonly started: number;
}

/** Runs a campaign. Undefined when it was stopped before the image was booted. Throws BadInputError for an image that cannot be used. */
export async function runCampaign(
  pool: WorkerPool,
  request: CampaignRequest,
  onProgress: (progress: CampaignPhase) => void = () => {},
): Promise<CampaignResult | undefined> {
  const running = { pool, request, onProgress, started: performance.now() };
  const opened = await pool.run({ kind: 'open', subject: request.subject });
  if (opened === undefined) return undefined;
  const vacuous = await directedWalks(running, opened.sometimes);
  const random = await randomRuns(running);
  const swept = random.found === undefined ? await sweepAll(running) : undefined;
  return {
    bounds: opened.bounds,
    runs: random.runs.length,
    steps: sum(random.runs, (run) => run.steps),
    instructions: sum(random.runs, (run) => run.instructions),
    coverage: swept?.coverage ?? { hit: 0, of: 0 },
    vacuous,
    unchecked: opened.unchecked,
    found: random.found ?? swept?.found,
    interrupted: pool.stopped,
    seconds: (performance.now() - running.started) / 1000,
  };
}

function sum(runs: readonly RunDone[], of: (run: RunDone) => number): number {
  return runs.reduce((total, run) => total + of(run), 0);
}

async function directedWalks({ pool, request, onProgress }: Running, names: readonly string[]): Promise<Vacuous[]> {
  let done = 0;
  const walks = names.map(async (name) => {
    const walk = await pool.run({ kind: 'directed', subject: request.subject, name });
    onProgress({ phase: 'directed', done: ++done, of: names.length });
    return walk;
  });
  const ended = await Promise.all(walks);
  return ended.filter((walk): walk is Vacuous => walk?.kind === 'unreachable');
}

/** Every worker gets the next chunk as soon as it is free. */
async function randomRuns(running: Running): Promise<{ runs: RunDone[]; found: Found | undefined }> {
  const { pool, request, onProgress, started } = running;
  const { budget } = request;
  const total = 'runs' in budget ? budget.runs : NONE;
  const deadline = 'seconds' in budget ? started + budget.seconds * 1000 : Number.POSITIVE_INFINITY;
  const lowestFailing = new Int32Array(new SharedArrayBuffer(4)).fill(NONE);
  const done: RunDone[] = [];
  const found = new Map<number, Found>();
  let next = 0;
  const inTime = () => next === 0 || performance.now() < deadline;
  const lane = async () => {
    while (!pool.stopped && next < total && inTime() && Atomics.load(lowestFailing, 0) === NONE) {
      const first = next;
      next = Math.min(first + CHUNK, total);
      const answer = await pool.run({ ...chunkOf(request, first, next - first), lowestFailing });
      if (answer === undefined) return;
      done.push(...answer.runs);
      if (answer.found !== undefined) found.set(answer.runs[answer.runs.length - 1].k, answer.found);
      onProgress({ phase: 'runs', done: done.length, of: 'runs' in budget ? budget.runs : undefined });
    }
  };
  await Promise.all(Array.from({ length: pool.size }, lane));
  const lowest = Math.min(NONE, ...found.keys());
  return { runs: done.filter((run) => run.k <= lowest), found: found.get(lowest) };
}

function chunkOf({ subject, seed, date, shard }: CampaignRequest, first: number, count: number) {
  return { kind: 'runs', subject, seed, date, first, count, offset: shard.index - 1, stride: shard.of } as const;
}

async function sweepAll({
  pool,
  request,
  onProgress,
}: Running): Promise<{ coverage: CoverageCount; found?: Found } | undefined> {
  const { subject, seed, date } = request;
  if (pool.stopped) return undefined;
  onProgress({ phase: 'sweep', done: 0, of: undefined });
  return pool.run({ kind: 'sweep', subject, seed, date });
}
