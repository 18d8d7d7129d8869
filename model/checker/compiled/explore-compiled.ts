/**
 * The exhaustive search of a model by compiled code: the same question and the same answer as explore(), faster and
 * with less memory. A first search only counts and judges, on several threads and reduced if so asked. If it meets a
 * violation or a deadlock, a second one, never reduced, goes over the levels in the order of explore(), and keeps them
 * to rebuild the trace, so that verdict, counts and trace are those of explore().
 */
import type { Transient } from '../language/schema-types';
import { type Model, ruleInstances } from '../model';
import { type Exploration, type ExploreOptions, explore, withoutLimit } from '../search/explore';
import { makeJudge } from '../search/judge';
import { partialOrderOf } from '../search/partial-order';
import { applyInstance } from '../search/successors';
import { type BulkAnswer, exploreInBulk } from './bulk/explore-bulk';
import { CompiledModel, type CompileOptions, isFamiliar } from './compiled-model';
import { type Capacities, FIRST_CAPACITIES, roomier } from './components';
import { Crew } from './crew';
import { LearnableModel, WORTH_REMEMBERING } from './learnable';
import { OrderedSearch, type Stop } from './ordered-search';
import { ParallelSearch, type ParallelStop } from './parallel-search';
import { estimateStates, type Observed, Reporter } from './progress';
import { pathTo } from './trace';

/** What a compiled search is asked, and what it may use. */
export interface CompiledOptions<S> extends ExploreOptions<S>, CompileOptions {
  /** Threads of the search (1). The answer is the same with any number. */
  readonly threads?: number;
  /** Take states together where the model allows it: much faster, and the answer has no depth. */
  readonly bulk?: boolean;
  /**
   * Look for a violation among the first states by direct execution, before anything is translated, unless a search of
   * the same has been compiled before: most violations are near. The answer is the same.
   */
  readonly probe?: boolean;
  /**
   * Room for values of components to begin with; a search that needs more begins anew with more.
   *
   * @internal
   */
  readonly capacities?: Capacities;
}

const DEFAULT_MEMORY_MIB = 2048;

interface Limits {
  readonly memoryBytes: number;
  readonly stopAtDepth: number | undefined;
  readonly reportsDeadlock: boolean;
}

function limitsOf<S>(options: CompiledOptions<S>): Limits {
  const { memoryMiB = DEFAULT_MEMORY_MIB, stopAtDepth, deadlock, property } = options;
  return { memoryBytes: memoryMiB * 2 ** 20, stopAtDepth, reportsDeadlock: deadlock ?? property === undefined };
}

function threadsOf<S>({ threads = 1 }: CompiledOptions<S>): number {
  return threads;
}

function countsOf({ states, transitions, depth }: Required<Pick<Exploration, 'states' | 'transitions' | 'depth'>>) {
  return { states, transitions, depth };
}

function costsOf({ peakBytes, joined }: ParallelSearch) {
  return { bytes: peakBytes, joined };
}

/** What a search that has run out of memory would have needed, by the estimate of its states; if there is one. */
function needOf(search: ParallelSearch, { neededBytes }: BulkAnswer): Pick<Exploration, 'neededMiB'> {
  if (neededBytes !== undefined) return { neededMiB: Math.ceil(neededBytes / 2 ** 20) };
  const states = estimateStates(search.sizes);
  if (states === undefined) return {};
  return { neededMiB: Math.ceil((search.bytes / search.states) * (Math.max(states, search.states) / 2 ** 20)) };
}

/** What a probe may take: some thousand states. Four times as much is a quarter of a second of a search that holds. */
const PROBE_MIB = 0.5;
/**
 * What a search by direct execution may take where something is known to be wrong: half a million states, or five
 * seconds. So long takes it to print, compile and warm up the code of a search in order.
 */
const SUSPECT_MIB = 32;
/** States up to which that is enough. */
const SUSPECT_STATES = 300_000;

/** A violation or a deadlock among the first states, if probes are asked for and one finds any. */
function probed<S extends Transient, D>(
  model: Model<S, D>,
  options: CompiledOptions<S>,
  mebibytes: number,
): Exploration | undefined {
  const { probe = false, memoryMiB = DEFAULT_MEMORY_MIB, shouldStop, onProgress, stopAtDepth, deadlock } = options;
  if (!probe) return undefined;
  const found = explore(model, {
    memoryMiB: Math.min(mebibytes, memoryMiB),
    ...(shouldStop === undefined ? {} : { shouldStop }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(stopAtDepth === undefined ? {} : { stopAtDepth }),
    ...(deadlock === undefined ? {} : { deadlock }),
  });
  return found.trace === undefined ? undefined : found;
}

/** The answer of a search in bulk, if the model and the options allow it. */
function inBulk<S extends Transient, D>(
  crew: Crew,
  model: Model<S, D>,
  options: CompiledOptions<S>,
  reporter: Reporter,
): BulkAnswer {
  const { bulk = false, symmetry, por, stopAtDepth } = options;
  if (!bulk || symmetry || por || stopAtDepth !== undefined) return {};
  const { memoryBytes, reportsDeadlock } = limitsOf(options);
  const poll = (search: Observed) => reporter.poll(search);
  return exploreInBulk(model, options, crew, { threads: threadsOf(options), memoryBytes, reportsDeadlock, poll });
}

interface Counted {
  readonly search: ParallelSearch;
  readonly stop: ParallelStop;
}

/**
 * A reduced search keeps its states one by one, a plain one in blocks: where there is no room for the one, there may be
 * for the other.
 */
function countWithRoom<S extends Transient, D>(
  crew: Crew,
  model: Model<S, D>,
  options: CompiledOptions<S>,
  reporter: Reporter,
): Counted & Pick<Exploration, 'reductions'> {
  const asked = count(crew, model, options, reporter);
  if (asked.stop.kind !== 'memory' || !(options.symmetry || options.por)) return asked;
  const plain = count(crew, model, { ...options, symmetry: false, por: false }, reporter);
  return plain.stop.kind === 'memory' ? asked : { ...plain, reductions: [] };
}

/** Searches until the layout has a code for everything that is met, and there is room for it. */
function count<S extends Transient, D>(
  crew: Crew,
  model: Model<S, D>,
  options: CompiledOptions<S>,
  reporter: Reporter,
): Counted {
  const learnable = new LearnableModel(model, options.por ? partialOrderOf(model) : undefined, options);
  const { compiled } = learnable;
  const known =
    options.capacities === undefined
      ? learnable.recall('blocks', FIRST_CAPACITIES)
      : { capacities: options.capacities, steps: undefined };
  let hashes = false;
  for (let { capacities, steps } = known; ; ) {
    const initial = compiled.initial();
    const poll = (observed: Observed) => reporter.poll(observed);
    const limits = { ...limitsOf(options), threads: hashes ? 1 : threadsOf(options), hashes, poll };
    const search = new ParallelSearch(learnable.learnable(capacities), crew, limits, steps);
    const stop = search.run(initial);
    // What has been learnt of other values, or for other capacities, is worth nothing.
    if (stop.kind === 'recompile' || stop.kind === 'full') steps = undefined;
    if (stop.kind === 'recompile') compiled.widenFor(stop.before, stop.instance);
    else if (stop.kind === 'full') capacities = roomier(capacities, stop.what);
    else if (stop.kind === 'reserve') hashes = true;
    else {
      // Only of a complete search: a thread that was stopped may have been about to write. A hash table has no regions,
      // and another search may need those of the steps that it knows.
      const isWorth = stop.kind === 'done' && !hashes && search.states >= WORTH_REMEMBERING;
      const learnt = isWorth ? search.learnt() : undefined;
      if (learnt !== undefined) learnable.remember('blocks', learnt.capacities, learnt.steps);
      return { search, stop };
    }
  }
}

/** The search in the order of explore(). */
class Ordered<S extends Transient, D> {
  private readonly compiled: CompiledModel<S, D>;
  private readonly options: CompiledOptions<S>;
  private readonly reporter: Reporter;

  constructor(model: Model<S, D>, options: CompiledOptions<S>, reporter: Reporter) {
    this.options = options;
    this.reporter = reporter;
    this.compiled = new CompiledModel(model, { ...options, symmetry: false });
  }

  run(): Exploration {
    const { model } = this.compiled;
    const { property } = this.options;
    const judge = makeJudge(model, property, property !== undefined);
    const judged = (stop: Stop) => {
      if (stop.kind === 'bad-state') return judge(this.compiled.unpack(stop.state));
      if (stop.kind !== 'failed-step') return 0;
      const after = applyInstance(model, this.compiled.unpack(stop.before), ruleInstances(model)[stop.instance]);
      return after === undefined ? 0 : judge(after);
    };
    const { search, stop } = this.search((each) => judged(each) > 0);
    const counts = countsOf(search);
    switch (stop.kind) {
      case 'done':
        return { verdict: 'holds', ...counts };
      case 'deadlock':
        return { verdict: 'deadlock', ...this.traced(search, pathTo(this.compiled, search, stop.state, search.depth)) };
      case 'bad-state':
        return {
          verdict: 'violated',
          property: judged(stop),
          ...this.traced(search, pathTo(this.compiled, search, stop.state, depthOf(search))),
        };
      case 'failed-step': {
        const path = [...pathTo(this.compiled, search, stop.before, search.depth), stop.instance];
        return { verdict: 'violated', property: judged(stop), ...this.traced(search, path) };
      }
      case 'recompile':
        throw new Error('a search does not end so');
      default:
        return { verdict: 'unknown', reason: stop.kind, ...counts };
    }
  }

  private search(isEnd: (stop: Stop) => boolean): { search: OrderedSearch<S, D>; stop: Stop } {
    for (;;) {
      const initial = this.compiled.initial();
      const search: OrderedSearch<S, D> = new OrderedSearch(this.compiled, {
        ...limitsOf(this.options),
        isEnd,
        poll: () => this.reporter.poll(search),
      });
      const stop = search.run(initial);
      if (stop.kind !== 'recompile') return { search, stop };
      this.compiled.widenFor(stop.before, stop.instance);
    }
  }

  private traced(search: OrderedSearch<S, D>, path: readonly number[]) {
    const instances = ruleInstances(this.compiled.model);
    const { states, transitions } = search;
    return { states, transitions, depth: path.length, trace: path.map((number) => instances[number]) };
  }
}

/** A bad state is a successor of the level that is being expanded, or the initial state. */
function depthOf<S extends Transient, D>(search: OrderedSearch<S, D>): number {
  return search.levels.length === 0 ? 0 : search.depth + 1;
}

/** The search that only counts and judges; undefined where it has met a violation or a deadlock that is not near. */
function countAndJudge<S extends Transient, D>(
  crew: Crew,
  model: Model<S, D>,
  options: CompiledOptions<S>,
  reporter: Reporter,
): Exploration | undefined {
  const bulk = inBulk(crew, model, options, reporter);
  if (bulk.exploration !== undefined) return bulk.exploration;
  const near = bulk.isSuspect ? probed(model, options, SUSPECT_MIB) : undefined;
  if (near !== undefined) return near;
  const { search, stop, reductions } = countWithRoom(crew, model, options, reporter);
  const found = {
    ...countsOf(search),
    ...costsOf(search),
    ...(reductions === undefined ? {} : { reductions }),
  };
  switch (stop.kind) {
    case 'done':
      return { verdict: 'holds', ...found };
    case 'depth':
    case 'interrupted':
      return { verdict: 'unknown', reason: stop.kind, ...found };
    case 'memory':
      return { verdict: 'unknown', reason: 'memory', ...needOf(search, bulk), ...found };
    default:
      if (bulk.isSuspect || search.states > SUSPECT_STATES) return undefined;
      return probed(model, options, SUSPECT_MIB);
  }
}

/**
 * The same question and the same answer as `explore`, by generated code. The model has to name its `ruleFiles`. Blocks
 * this thread meanwhile. Throws RangeError where the model cannot be translated as it is, and TranslationError, with
 * file and line, for what is outside of the rule language.
 */
export function exploreCompiled<S extends Transient, D>(
  model: Model<S, D>,
  options: CompiledOptions<S> = {},
): Exploration {
  // A goal is a function of unpacked states: there is nothing to compile.
  if (options.goal !== undefined || options.goalTransition !== undefined) return explore(model, options);
  const reporter = new Reporter(options);
  const ordered = () => withoutLimit(model, new Ordered(model, options, reporter).run());
  // A search for one property passes many violations, and has to look at each: only the search in order can do that.
  if (options.property !== undefined) return ordered();
  const near = options.probe && isFamiliar(model, options) ? undefined : probed(model, options, PROBE_MIB);
  if (near !== undefined) return near;
  const crew = new Crew(threadsOf(options) - 1);
  try {
    const counted = countAndJudge(crew, model, options, reporter);
    if (counted !== undefined) return counted;
  } finally {
    crew.dismiss();
  }
  return ordered();
}
