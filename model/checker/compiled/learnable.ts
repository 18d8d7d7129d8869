/**
 * From a model to what a search can learn its steps from, reduced if so asked. Who interacts with whom is found out
 * once and kept in a file.
 */
import { createHash } from 'node:crypto';
import type { Transient } from '../language/schema-types';
import { type Model, type PartialOrder, type Rule, ruleInstances } from '../model';
import { type Renaming, renamed, renamings } from '../search/symmetry';
import { keep, recall } from '../translate/file-cache';
import { contentHash } from '../translate/source-program';
import { bytesIn, Malformed, WordReader, wordsIn } from '../translate/words';
import { interactionOf } from './code/interaction';
import { privateTrees } from './code/private';
import { renamerText } from './code/renaming';
import { CompiledModel, type CompileOptions } from './compiled-model';
import { CAPACITIES, type Capacities, type Capacity, makeMasks, makeSlots } from './components';
import type { ComponentRenaming, Learnable, PrivateSteps } from './lesson';
import { type Counts, type Generated, generatedWords, readGenerated, stepTrees } from './step-code';

/** Which search has learnt, or is to go on from that: what they keep differs. */
type SearchKind = 'blocks' | 'bulk';

interface Recalled {
  readonly capacities: Capacities;
  readonly steps: Int32Array | undefined;
}

/** States of a search that is long enough for its steps to be kept for the next one. */
export const WORTH_REMEMBERING = 100_000;
/** How the names of files with learnt steps end. */
export const LEARNT = '.learnt';
/** Of each capacity: an array of so many entries can still be made. */
const MOST_ROOM = 2 ** 26;

/** What is found out about the steps, and the words in which that is kept. */
interface Kept {
  readonly generated: Generated;
  readonly words: Int32Array;
}

function withWords(generated: Generated): Kept {
  return { generated, words: generatedWords(generated) };
}

/** Capacities and steps as one piece. */
function learntWords(capacities: Capacities, steps: Int32Array): Int32Array {
  const words = new Int32Array(CAPACITIES.length + steps.length);
  words.set(CAPACITIES.map((what) => capacities[what]));
  words.set(steps, CAPACITIES.length);
  return words;
}

function readLearnt(words: Int32Array): Recalled {
  const reader = new WordReader(words);
  const room = CAPACITIES.map((what) => [what, reader.next(1, MOST_ROOM)] as const);
  const capacities = Object.fromEntries(room) as Record<Capacity, number>;
  if ((capacities.crossings & (capacities.crossings - 1)) !== 0)
    throw new Malformed(`expected a power of two as the room for crossings, found ${capacities.crossings}`);
  return { capacities, steps: reader.rest() };
}

export class LearnableModel<S extends Transient, D> {
  readonly compiled: CompiledModel<S, D>;
  private readonly order: PartialOrder<S, D> | undefined;
  private readonly options: CompileOptions;

  /** `order`: with partial-order reduction, what the model says about it. */
  constructor(model: Model<S, D>, order: PartialOrder<S, D> | undefined, options: CompileOptions) {
    this.options = options;
    this.order = order;
    this.compiled = new CompiledModel(order?.model ?? model, options);
  }

  /** For the layout that the compiled model has now. */
  learnable(capacities: Capacities): Learnable {
    const { layout, model } = this.compiled;
    this.compiled.keep();
    const { cpus, tasks } = model.bounds;
    const threads = model.running === undefined ? 0 : tasks + cpus;
    const { generated, words } = this.generated();
    const { footprints, shared } = generated;
    return {
      trees: stepTrees(generated, words, layout, this.counts()),
      footprints,
      masks: makeMasks(layout, cpus, threads, shared, model.running),
      slots: makeSlots(cpus, threads, capacities),
      capacities,
      tasks,
      por: this.order && this.privateSteps(this.order),
      renamings: this.options.symmetry ? renamings(model.bounds).map((r) => this.renaming(r, threads)) : [],
    };
  }

  /** A name for what is generated for the present layout. */
  private name(): string {
    const { program, layout, model } = this.compiled;
    const of = JSON.stringify([program, layout.cells, model.running, this.order?.replaced]);
    return `steps-${createHash('sha256').update(contentHash()).update(of).digest('hex').slice(0, 32)}`;
  }

  private counts(): Counts {
    const { model } = this.compiled;
    const { cpus, tasks } = model.bounds;
    const isPrivate = this.order === undefined ? 0 : cpus;
    return { instances: ruleInstances(model).length, cpus, threads: tasks + cpus, isPrivate };
  }

  /** What an earlier search has learnt, and the room that it needed; `otherwise`: the room if there was none. */
  recall(kind: SearchKind, otherwise: Capacities): Recalled {
    const name = this.memoryName(kind);
    const recalled = name === undefined ? undefined : recall(name, (content) => readLearnt(wordsIn(content)));
    return recalled ?? { capacities: otherwise, steps: undefined };
  }

  /** Keeps what has been learnt, for the next search. */
  remember(kind: SearchKind, capacities: Capacities, steps: Int32Array): void {
    const name = this.memoryName(kind);
    if (name !== undefined) keep(name, bytesIn(learntWords(capacities, steps)));
  }

  private memoryName(kind: SearchKind): string | undefined {
    if (this.options.sources !== undefined) return undefined;
    return `${this.name()}${this.options.symmetry ? '-renamed' : ''}${kind === 'bulk' ? '-bulk' : ''}${LEARNT}`;
  }

  private generated(): Kept {
    const { layout } = this.compiled;
    if (this.options.sources !== undefined) return withWords(this.generate());
    const name = `${this.name()}.trees`;
    const known = recall(name, (content) => {
      const words = wordsIn(content);
      return { generated: readGenerated(words, layout, this.counts()), words };
    });
    if (known !== undefined) return known;
    const made = withWords(this.generate());
    keep(name, bytesIn(made.words));
    return made;
  }

  private generate(): Generated {
    const { program, layout, model } = this.compiled;
    const replaced = this.order?.replaced ?? [];
    const tried = { ...program, rules: program.rules.filter((rule) => !replaced.includes(rule.name)) };
    const { cpus } = model.bounds;
    const interaction = interactionOf(tried, layout, cpus, model.running);
    const guard = this.order && this.compiled.translated(guardOf(this.order));
    return { ...interaction, isPrivate: guard ? privateTrees(program, layout, guard, cpus) : [] };
  }

  private privateSteps(order: PartialOrder<S, D>): PrivateSteps {
    const first = new Set(order.first);
    return { first: ruleInstances(this.compiled.model).map(({ rule }) => first.has(rule)) };
  }

  private renaming(r: Renaming, threads: number): ComponentRenaming {
    const cpus = r.cpu.length;
    const images = Array.from({ length: threads }, (_, thread) => cpus + renamed('thread', thread, r));
    return { images: [...r.cpu, ...images, cpus + threads], words: renamerText(this.compiled.layout, r) };
  }
}

/** `isPrivate` as a rule, which is what the translator takes. */
function guardOf<S extends Transient, D>({ isPrivate }: PartialOrder<S, D>): Rule<S, D> {
  return { name: 'is-private', event: false, params: ['cpu'], apply: isPrivate as Rule<S, D>['apply'] };
}
