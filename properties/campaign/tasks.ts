/**
 * What is sent to a worker and what comes back: plain data only. A task names its subject and its run numbers; where
 * and when it is done changes nothing in its answer.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Counterexample } from '../../counterexamples/format';
import type { CompiledProgress } from '../../model/checker/compiled/progress';
import type { Bounds, OpenBounds } from '../../model/checker/language/schema-types';
import type { Cutoff } from '../../model/checker/prove/cutoff';
import type { ObstacleInWords } from '../../model/checker/prove/obstacle-words';
import type { Proof } from '../../model/checker/prove/prove';
import type { Exploration, Progress } from '../../model/checker/search/explore';
import type { DesignTable } from '../../model/designs/design-table';
import type { EntryCoverage } from '../linux/entry-coverage';
import type { EntryMutant, MutantVerdict } from '../linux/entry-mutants';
import type { SweptExcursion } from '../linux/event-sweep';
import type { ExcursionName } from '../linux/excursions';
import type { KernelFailure } from '../linux/kernel-system';
import type { KernelSource } from '../linux/open-kernel';
import type { RandomRun } from '../linux/random-interleaving';
import type { Unchecked } from '../refinement/unchecked';
import type { Failure } from './failure';
import type { FailedWalk } from './run';
import type { Directed } from './sometimes';
import type { SubjectName } from './subject';

/** Reads the image, boots it, and says what a campaign on it consists of. */
interface OpenTask {
  readonly kind: 'open';
  readonly subject: SubjectName;
}

/** One directed walk, by the name of its `sometimes` property. */
export interface DirectedTask {
  readonly kind: 'directed';
  readonly subject: SubjectName;
  readonly name: string;
}

/** What goes into a counterexample file beside the failure. */
export interface Provenance {
  readonly seed: string;
  /** Day of the campaign, ISO 8601. */
  readonly date: string;
}

/** Runs `offset + k * stride` for k = first .. first + count - 1, up to the first that fails. */
export interface RunsTask extends Provenance {
  readonly kind: 'runs';
  readonly subject: SubjectName;
  readonly first: number;
  readonly count: number;
  readonly offset: number;
  readonly stride: number;
  /**
   * One word, shared by all workers: the last k that is worth running. It is the lowest that violates a property, or
   * some runs behind the lowest that diverges.
   */
  readonly last: Int32Array;
}

export interface SweepTask extends Provenance {
  readonly kind: 'sweep';
  readonly subject: SubjectName;
}

/** Shrinks what a run or the sweep has found. */
export interface ShrinkTask extends Provenance {
  readonly kind: 'shrink';
  readonly subject: SubjectName;
  readonly failed: FailedWalk;
  /** One word; not zero: answer with the best so far. */
  readonly halt: Int32Array;
  /** Where to send each better one, so that it is not lost with the worker. */
  readonly progress?: MessagePort;
}

/** How the abstract machine is searched. None of it changes the verdict, but that memory may run out. */
interface SearchMeans {
  /** Without it, what the search takes by itself. */
  readonly memoryMiB?: number | undefined;
  /** Default: 1. */
  readonly threads?: number;
  /** Keep one state of each set that renaming makes equal. */
  readonly symmetry?: boolean;
  /** Partial-order reduction: leave out interleavings that cannot matter. */
  readonly por?: boolean;
}

/** What is searched, and how. */
export interface SearchRequest extends SearchMeans {
  readonly design: string;
  /** The design itself, where it is none of ours. */
  readonly table?: DesignTable;
  readonly bounds: OpenBounds;
}

/** Exhaustive search of the abstract machine. */
export interface SearchTask extends SearchRequest {
  readonly kind: 'search';
  /** Where to send progress, if anybody listens. */
  readonly progress?: MessagePort;
}

/** The proof that no system of any size violates a property. */
export interface ProveTask {
  readonly kind: 'prove';
  /** Ask, too, whether a small system has everything that the proof has. */
  readonly cutoff?: boolean;
  /** Ask, too, for the certificate of the proof. */
  readonly certificate?: boolean;
  readonly design: string;
  /** The design itself, where it is none of ours. */
  readonly table?: DesignTable;
}

/** Sweeps of a booted Linux kernel. */
interface KernelSweepTask {
  readonly kind: 'kernel-sweep';
  readonly kernel: KernelSource;
  readonly excursion: ExcursionName;
}

export type CampaignTask = OpenTask | DirectedTask | RunsTask | SweepTask | ShrinkTask;
/** A random interleaving. */
interface KernelRunTask {
  readonly kind: 'kernel-run';
  readonly kernel: KernelSource;
  readonly seed: string;
}

/** Shrinks what a sweep or a run has found. */
interface KernelShrinkTask {
  readonly kind: 'kernel-shrink';
  readonly kernel: KernelSource;
  readonly failure: KernelFailure;
}

/** What an excursion executes of entry code, events included. */
interface KernelCoverTask {
  readonly kind: 'kernel-cover';
  readonly kernel: KernelSource;
  readonly excursion: ExcursionName;
}

/** An instruction of entry code is left out. */
interface KernelMutantTask {
  readonly kind: 'kernel-mutant';
  readonly kernel: KernelSource;
  readonly mutant: EntryMutant;
}

export type KernelTask = KernelSweepTask | KernelRunTask | KernelShrinkTask | KernelCoverTask | KernelMutantTask;
export type Task = CampaignTask | SearchTask | ProveTask | KernelTask;

/** Polled by tasks that take long. */
export type ShouldStop = () => boolean;

export interface Opened {
  readonly bounds: Bounds;
  /** Names of the `sometimes` properties that concern the subject. */
  readonly sometimes: readonly string[];
  /** What cannot be checked, because the image does not say where to look. */
  readonly unchecked: readonly Unchecked[];
}

/** A failure, the file that it becomes, and what to shrink it from. */
export interface Found {
  readonly failed: FailedWalk;
  readonly failure: Failure;
  readonly counterexample: Counterexample;
}

/** One run that ended. */
export interface RunDone {
  readonly k: number;
  readonly steps: number;
  readonly instructions: number;
}

export interface RunsDone {
  readonly runs: readonly RunDone[];
  /** The violation of the last of them, not shrunk. */
  readonly found?: Found;
  /** The first that left the abstract machine and violated nothing, not shrunk. Later runs may violate a property. */
  readonly diverged?: { readonly k: number; readonly found: Found };
}

/**
 * Runs that a campaign makes after the first divergence, in search of a violation: that a property fails says more than
 * that the code is not its abstract machine.
 */
export const RUNS_AFTER_DIVERGENCE = 100;

/** (boundary, event) pairs. */
export interface CoverageCount {
  readonly hit: number;
  readonly of: number;
}

export interface SweepDone {
  readonly coverage: CoverageCount;
  /** Not shrunk. */
  readonly found?: Found;
}

/** How a search ended. `seconds` is its own time, without the wait for a free worker. */
export interface SearchAnswer {
  readonly exploration: Exploration;
  readonly seconds: number;
}

/** How a proof came out; docs/proof.md says what its parts are. */
export interface Proved {
  readonly verdict: Proof['verdict'];
  /** Values of a CPU with the thread that it runs, and of a thread that sleeps, up to renaming. */
  readonly views: number;
  readonly sleepers: number;
  /** Contexts that a thread has open at most. */
  readonly nesting: number;
  /** CPUs that are kept together. */
  readonly cpusOfView: number;
  /** Rules that ask for more than one CPU with its thread. */
  readonly crossing: readonly string[];
  /** Of the verdict `proved`, if it was asked for. */
  readonly cutoff?: Cutoff;
  /** Of the verdict `proved`, if it was asked for: docs/certificate.md has its format. */
  readonly certificate?: string;
  /** Of the verdict `violated`: the smallest bounds that show it, and the search there. */
  readonly bounds?: Bounds;
  readonly exploration?: Exploration;
  /** Of the verdict `unknown`. */
  readonly obstacle?: ObstacleInWords;
  readonly seconds: number;
}

/** The answer to a task, by its kind. */
export interface Answers {
  readonly open: Opened;
  readonly directed: Directed;
  readonly runs: RunsDone;
  readonly sweep: SweepDone;
  readonly shrink: Found;
  readonly search: SearchAnswer;
  readonly prove: Proved;
  readonly 'kernel-sweep': SweptExcursion;
  readonly 'kernel-run': RandomRun;
  readonly 'kernel-shrink': KernelFailure;
  readonly 'kernel-cover': EntryCoverage;
  readonly 'kernel-mutant': MutantVerdict;
}

/** What the worker function gets: the task, and the word that asks all workers to stop. */
export interface Envelope {
  readonly task: Task;
  readonly stop: Int32Array;
}

/** An error class does not survive the way between threads, so bad input comes back as data. */
export type Reply =
  | { readonly kind: 'answer'; readonly answer: Answers[Task['kind']] }
  | { readonly kind: 'bad-input'; readonly message: string };

/** What a task of that kind tells while it is under way. */
export interface Progresses {
  readonly shrink: Found;
  readonly search: SearchProgress;
}

export type SearchProgress = Progress & Partial<Pick<CompiledProgress, 'estimate'>>;
