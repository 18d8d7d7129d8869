/**
 * The exhaustive search of a model by compiled code: the same question and the same answer as explore(), faster and with less memory. A first search
 * only counts and judges. If it meets a violation or a deadlock, a second one goes over the same levels in the order of explore(), and keeps them to
 * rebuild the trace, so that verdict, counts and trace are those of explore(), whatever the first search was run on.
 */
import type { Transient } from '../../schema-types';
import { type Exploration, type ExploreOptions, explore } from '../explore';
import { makeJudge } from '../judge';
import type { Model } from '../machine';
import { ruleInstances } from '../machine';
import { applyInstance } from '../walk';
import { CompiledModel, type CompileOptions } from './compiled-model';
import { ParallelSearch, type ParallelStop } from './parallel-search';
import { Reporter } from './progress';
import { Engine, type EngineOptions, type Stop } from './search-engine';
import { pathTo } from './trace';

export interface CompiledOptions<S> extends ExploreOptions<S>, CompileOptions {
  readonly threads?: number;
}

const DEFAULT_MEMORY_MIB = 2048;

type Run = Pick<EngineOptions, 'names' | 'history' | 'isEnd'>;

class CompiledSearch<S extends Transient, D> {
  private readonly compiled: CompiledModel<S, D>;
  private readonly options: CompiledOptions<S>;
  private readonly reporter: Reporter;

  constructor(model: Model<S, D>, options: CompiledOptions<S>) {
    this.options = options;
    this.reporter = new Reporter(options);
    this.compiled = new CompiledModel(model, options);
  }

  run(): Exploration {
    // A search for one property passes many violations, and has to look at each: only the search in order can do that.
    if (this.options.property !== undefined) return this.inOrder();
    const { engine, stop } =
      (this.options.threads ?? 1) > 1
        ? this.searchInParallel()
        : this.search({ names: false, history: false, isEnd: () => true });
    switch (stop.kind) {
      case 'done':
        return { verdict: 'holds', ...countsOf(engine) };
      case 'depth':
      case 'memory':
      case 'interrupted':
        return { verdict: 'unknown', reason: stop.kind, ...countsOf(engine) };
      default:
        return this.inOrder();
    }
  }

  /** Runs until the layout has a code for everything that is met. */
  private search(run: Run): { engine: Engine<S, D>; stop: Stop } {
    for (;;) {
      const initial = this.compiled.initial();
      const engine: Engine<S, D> = new Engine(this.compiled, {
        ...run,
        ...this.limits(),
        poll: () => this.reporter.poll(engine),
      });
      const stop = engine.run(initial);
      if (stop.kind !== 'recompile') return { engine, stop };
      this.compiled.widenFor(stop.before, stop.instance);
    }
  }

  private searchInParallel(): { engine: ParallelSearch<S, D>; stop: ParallelStop } {
    for (;;) {
      const initial = this.compiled.initial();
      const engine = new ParallelSearch(this.compiled, {
        ...this.limits(),
        threads: this.options.threads ?? 1,
        poll: (search) => this.reporter.poll(search),
      });
      const stop = engine.run(initial);
      if (stop.kind !== 'recompile') return { engine, stop };
      this.compiled.widenFor(stop.before, stop.instance);
    }
  }

  private limits() {
    const { memoryMiB = DEFAULT_MEMORY_MIB, stopAtDepth, deadlock, property } = this.options;
    return { memoryBytes: memoryMiB * 2 ** 20, stopAtDepth, reportsDeadlock: deadlock ?? property === undefined };
  }

  private inOrder(): Exploration {
    const { model } = this.compiled;
    const { property } = this.options;
    const judge = makeJudge(model, property, property !== undefined);
    const judged = (stop: Stop) => {
      if (stop.kind === 'bad-state') return judge(this.compiled.unpack(stop.state));
      if (stop.kind !== 'failed-step') return 0;
      const after = applyInstance(model, this.compiled.unpack(stop.before), ruleInstances(model)[stop.instance]);
      return after === undefined ? 0 : judge(after);
    };
    const { engine, stop } = this.search({ names: true, history: true, isEnd: (each) => judged(each) > 0 });
    const counts = countsOf(engine);
    switch (stop.kind) {
      case 'done':
        return { verdict: 'holds', ...counts };
      case 'deadlock':
        return { verdict: 'deadlock', ...this.traced(engine, pathTo(this.compiled, engine, stop.state, engine.depth)) };
      case 'bad-state':
        return {
          verdict: 'violated',
          property: judged(stop),
          ...this.traced(engine, pathTo(this.compiled, engine, stop.state, this.depthOf(engine))),
        };
      case 'failed-step': {
        const path = [...pathTo(this.compiled, engine, stop.before, engine.depth), stop.instance];
        return { verdict: 'violated', property: judged(stop), ...this.traced(engine, path) };
      }
      case 'recompile':
        throw new Error('a search does not end so');
      default:
        return { verdict: 'unknown', reason: stop.kind, ...counts };
    }
  }

  /** A bad state is a successor of the level that is being expanded, or the initial state. */
  private depthOf(engine: Engine<S, D>): number {
    return engine.levels.length === 0 ? 0 : engine.depth + 1;
  }

  private traced(engine: Engine<S, D>, path: readonly number[]) {
    const instances = ruleInstances(this.compiled.model);
    const { states, transitions } = engine;
    return { states, transitions, depth: path.length, trace: path.map((number) => instances[number]) };
  }
}

function countsOf({ states, transitions, depth }: Pick<Exploration, 'states' | 'transitions' | 'depth'>) {
  return { states, transitions, depth };
}

export function exploreCompiled<S extends Transient, D>(
  model: Model<S, D>,
  options: CompiledOptions<S> = {},
): Exploration {
  // A goal is a function of unpacked states: there is nothing to compile.
  if (options.goal !== undefined || options.goalTransition !== undefined) return explore(model, options);
  return new CompiledSearch(model, options).run();
}
