/**
 * A campaign: random runs, and between them the directed walks of the `sometimes` properties; then, if nothing failed,
 * the sweep; then, if something did, it is shrunk. Runs are handed out in chunks of consecutive numbers, in order, and
 * a chunk that was handed out is finished; so the runs that were done are always 0 .. n-1, and what is reported (the
 * lowest failing run, and the counts up to it) depends on the seed and the budget, not on the number of workers or on
 * which of them was faster. A failure is told as soon as it is found; shrinking may be cut short, and what it had
 * reached is the answer.
 */
import type { Bounds } from '../../model/checker/language/schema-types';
import { RunTally } from './run-tally';
import type { Directed } from './sometimes';
import type { SubjectName } from './subject';
import type { CoverageCount, Found, Opened, Provenance } from './tasks';
import { WorkerLostError, type WorkerPool } from './worker-pool';

/** Runs of a campaign that was given neither a number nor a time. */
export const DEFAULT_RUNS = 400;

/**
 * Runs in one task: long enough that sending it costs nothing, short enough that a time limit is met and a failure
 * stops the rest soon.
 */
const CHUNK = 4;

/**
 * Directed walks get at most this part of the time that workers have spent, so that they leave the random runs theirs.
 */
const DIRECTED_SHARE = 1 / 4;

/** Longest shrinking of a campaign that was given a number of runs, seconds. */
export const SHRINKING_SECONDS = 60;
/** A campaign that was given a time may overrun it by this part to shrink what it has found, */
export const SHRINKING_OVERRUN = 0.15;
/** and may shrink for so long in any case, seconds. */
const LEAST_SHRINKING_SECONDS = 1;
/**
 * How long a worker may take to notice that shrinking has to end, ms: the search of the abstract machine does not look
 * up while it loads.
 */
const HALT_GRACE_MS = 500;

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

type Vacuous = Extract<Directed, { kind: 'unreachable' }>;

export interface CampaignResult {
  readonly bounds: Bounds;
  /** Whole runs, up to and including the first that failed; steps and instructions are theirs. */
  readonly runs: number;
  readonly steps: number;
  readonly instructions: number;
  readonly coverage: CoverageCount;
  readonly vacuous: readonly Vacuous[];
  /** `sometimes` properties whose directed walks did not fit into the time. */
  readonly unasked: readonly string[];
  readonly unchecked: Opened['unchecked'];
  readonly found: Found | undefined;
  readonly interrupted: boolean;
  /** Why the campaign ended before its time: its workers died. One sentence. */
  readonly lost?: string;
  /** Wall time of the campaign alone. */
  readonly seconds: number;
}

export type CampaignPhase =
  | {
      readonly phase: 'runs';
      readonly done: number;
      readonly of: number | undefined;
      readonly directed: { readonly done: number; readonly of: number };
    }
  | { readonly phase: 'sweep' }
  | { readonly phase: 'shrinking'; readonly best: Found };

/** What a campaign tells while it is under way. */
interface CampaignListener {
  readonly onProgress?: (progress: CampaignPhase) => void;
  /** A failure, as it was found; told again for one of a lower run, which takes its place. */
  readonly onFound?: (found: Found) => void;
}

interface Running {
  readonly pool: WorkerPool;
  readonly request: CampaignRequest;
  readonly listener: CampaignListener;
  readonly started: number;
}

/**
 * Runs a campaign. Undefined when it was stopped before the image was booted. Throws BadInputError for an image that
 * cannot be used.
 */
export async function runCampaign(
  pool: WorkerPool,
  request: CampaignRequest,
  listener: CampaignListener = {},
): Promise<CampaignResult | undefined> {
  const running = { pool, request, listener, started: performance.now() };
  const opened = await pool.run({ kind: 'open', subject: request.subject });
  if (opened === undefined) return undefined;
  const walks = new Walks(running, opened.sometimes);
  await walks.run();
  const { found: failing, ...counts } = walks.tally.end();
  const swept = failing === undefined && walks.lost === undefined ? await sweepAll(running) : {};
  const found = failing ?? swept.found;
  const lost = walks.lost ?? swept.lost;
  return {
    bounds: opened.bounds,
    ...counts,
    coverage: swept.coverage ?? { hit: 0, of: 0 },
    vacuous: walks.vacuous,
    unasked: walks.unasked,
    unchecked: opened.unchecked,
    found: found === undefined ? undefined : await shrink(running, found),
    interrupted: pool.stopped,
    ...(lost === undefined ? {} : { lost }),
    seconds: (performance.now() - running.started) / 1000,
  };
}

/** Random runs and directed walks. Every worker gets the next task as soon as it is free. */
class Walks {
  readonly tally = new RunTally();
  readonly vacuous: Vacuous[] = [];
  /** Directed walks that have no answer yet. */
  readonly unasked: string[];
  lost: string | undefined;
  private readonly running: Running;
  private readonly directed: number;
  private readonly total: number;
  private readonly deadline: number;
  private readonly last = new Int32Array(new SharedArrayBuffer(4)).fill(NONE);
  private next = 0;
  private directedDone = 0;
  /** Time of workers, ms. */
  private readonly spent = { directed: 0, random: 0 };

  constructor(running: Running, sometimes: readonly string[]) {
    const { request, started } = running;
    const { budget } = request;
    this.running = running;
    this.directed = sometimes.length;
    this.unasked = [...sometimes];
    this.total = 'runs' in budget ? budget.runs : NONE;
    this.deadline = 'seconds' in budget ? started + budget.seconds * 1000 : Number.POSITIVE_INFINITY;
  }

  async run(): Promise<void> {
    const lane = async () => {
      for (let task = this.choose(); task !== undefined; task = this.choose()) {
        const began = performance.now();
        try {
          await (task === 'random' ? this.chunk() : this.walk());
        } catch (error) {
          if (!(error instanceof WorkerLostError)) throw error;
          this.lost = error.message;
        }
        this.spent[task] += performance.now() - began;
        this.tell();
      }
    };
    await Promise.all(Array.from({ length: this.running.pool.size }, lane));
  }

  private choose(): 'directed' | 'random' | undefined {
    if (this.running.pool.stopped || this.lost !== undefined || this.next > this.lastRun) return undefined;
    const isInTime = performance.now() < this.deadline;
    const isRandomLeft = this.next < this.total && (isInTime || this.next === 0);
    const isDirectedLeft = this.unasked.length > 0 && isInTime && this.lastRun === NONE;
    if (isRandomLeft && (this.isDirectedShareUsed || !isDirectedLeft)) return 'random';
    return isDirectedLeft ? 'directed' : undefined;
  }

  /** The last run that is worth its time. */
  private get lastRun(): number {
    return Atomics.load(this.last, 0);
  }

  private get isDirectedShareUsed(): boolean {
    const { directed, random } = this.spent;
    return directed > DIRECTED_SHARE * (directed + random);
  }

  private async walk(): Promise<void> {
    const { pool, request } = this.running;
    const name = this.unasked.shift() as string;
    const walk = await pool.run({ kind: 'directed', subject: request.subject, name });
    if (walk === undefined) this.unasked.push(name);
    else this.directedDone++;
    if (walk?.kind === 'unreachable') this.vacuous.push(walk);
  }

  private async chunk(): Promise<void> {
    const { pool, request, listener } = this.running;
    const { subject, seed, date, shard } = request;
    const first = this.next;
    const count = Math.min(CHUNK, this.total - first);
    this.next += count;
    const which = { first, count, offset: shard.index - 1, stride: shard.of };
    const task = { kind: 'runs', subject, seed, date, ...which, last: this.last } as const;
    const answer = await pool.run(task);
    const found = answer === undefined ? undefined : this.tally.add(first, count, answer);
    if (found !== undefined) listener.onFound?.(found);
  }

  private tell(): void {
    const { request, listener } = this.running;
    const of = 'runs' in request.budget ? request.budget.runs : undefined;
    const directed = { done: this.directedDone, of: this.directed };
    listener.onProgress?.({ phase: 'runs', done: this.tally.done, of, directed });
  }
}

async function sweepAll({
  pool,
  request,
  listener,
}: Running): Promise<{ coverage?: CoverageCount; found?: Found; lost?: string }> {
  const { subject, seed, date } = request;
  listener.onProgress?.({ phase: 'sweep' });
  try {
    const swept = await pool.run({ kind: 'sweep', subject, seed, date });
    if (swept?.found !== undefined) listener.onFound?.(swept.found);
    return swept ?? {};
  } catch (error) {
    if (error instanceof WorkerLostError) return { lost: error.message };
    throw error;
  }
}

/**
 * Shrinks what was found, within the time that is left for it. What comes too late, or dies with its worker, leaves the
 * best so far.
 */
async function shrink(running: Running, found: Found): Promise<Found> {
  const { pool, request, listener } = running;
  const { subject, seed, date } = request;
  const halt = new Int32Array(new SharedArrayBuffer(4));
  let best = found;
  const better = (next: Found) => {
    best = next;
    listener.onProgress?.({ phase: 'shrinking', best });
  };
  better(found);
  const allowed = shrinkingMs(running);
  const timers = [setTimeout(() => Atomics.store(halt, 0, 1), allowed)];
  const tooLate = new Promise<undefined>((resolve) => {
    timers.push(setTimeout(() => resolve(undefined), allowed + HALT_GRACE_MS));
  });
  const task = { kind: 'shrink', subject, seed, date, failed: found.failed, halt } as const;
  const shrunk = pool.runTelling(task, better).catch((error: unknown) => {
    if (error instanceof WorkerLostError) return undefined;
    throw error;
  });
  try {
    return (await Promise.race([shrunk, tooLate])) ?? best;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

/** What is left of the budget, and a little more. */
function shrinkingMs({ request: { budget }, started }: Running): number {
  if ('runs' in budget) return SHRINKING_SECONDS * 1000;
  const left = started + budget.seconds * 1000 * (1 + SHRINKING_OVERRUN) - performance.now();
  return Math.max(left, LEAST_SHRINKING_SECONDS * 1000);
}
