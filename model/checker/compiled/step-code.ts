/**
 * The code that steps are learnt by: as data that is kept in files and handed to threads, and as functions, made from
 * it when they are first needed. A search of which all steps are known already needs hardly any.
 */

import { Malformed } from '../translate/words';
import type { Footprint, Interaction } from './code/interaction';
import { type Condition, conditionOf, type InteractionCode, interactionCode, judgeOf } from './code/interaction-code';
import type { Layout } from './code/layout';
import type { Tree } from './code/tree';
import { putTrees, TreeReader } from './code/tree-words';

/** What is found out about the steps of a model in one layout. */
export interface Generated extends Interaction {
  /** With partial-order reduction, by the CPU: a judgement that fails where the CPU is private. */
  readonly isPrivate: readonly Tree[];
}

/** How many there have to be. */
export interface Counts {
  readonly instances: number;
  readonly cpus: number;
  readonly threads: number;
  /** CPUs again, or 0 without partial-order reduction. */
  readonly isPrivate: number;
}

export function generatedWords({ footprints, shared, trees, isPrivate }: Generated): Int32Array {
  const words: number[] = [footprints.length];
  for (const { cpu, crossing, globals, threads } of footprints)
    words.push(cpu, crossing ? 1 : 0, globals ? 1 : 0, threads.length, ...threads);
  words.push(shared.length, ...shared);
  for (const list of [trees.steps, trees.mayCross, trees.judge, isPrivate]) putTrees(list, words);
  return Int32Array.from(words);
}

/** Throws Malformed for words that are not those of something Generated in this layout. */
export function readGenerated(words: Int32Array, layout: Layout, counts: Counts): Generated {
  const reader = new TreeReader(words, layout);
  const { words: from } = reader;
  const footprints = from.list(
    (): Footprint => ({
      cpu: from.next(-1, counts.cpus - 1),
      crossing: from.truth(),
      globals: from.truth(),
      threads: from.list(() => from.next(0, counts.threads - 1)),
    }),
  );
  const shared = from.list(() => reader.cell());
  const trees = { steps: reader.trees(), mayCross: reader.trees(), judge: reader.trees() };
  const isPrivate = reader.trees();
  from.end();
  const { instances } = counts;
  const ofInstances = [footprints, trees.steps, trees.mayCross];
  if (ofInstances.some(({ length }) => length !== instances) || isPrivate.length !== counts.isPrivate)
    throw new Malformed(`expected ${instances} rule instances and ${counts.isPrivate} private CPUs, found others`);
  return { footprints, shared, trees, isPrivate };
}

/** Plain data, for it is handed to each thread. */
export interface StepTrees {
  readonly layout: Layout;
  /** generatedWords(), in shared memory. */
  readonly words: Int32Array;
  readonly counts: Counts;
}

/** What the words say, where this thread knows it already. */
const inThisThread = new WeakMap<Int32Array, Generated>();

/** `words`: generatedWords() of `generated`. */
export function stepTrees(generated: Generated, words: Int32Array, layout: Layout, counts: Counts): StepTrees {
  const shared = new Int32Array(new SharedArrayBuffer(words.byteLength));
  shared.set(words);
  inThisThread.set(shared, generated);
  return { layout, words: shared, counts };
}

export class StepCode {
  private readonly from: StepTrees;
  private known: Generated | undefined;
  private made: InteractionCode | undefined;
  private judgement: Condition | undefined;
  private conditions: readonly Condition[] | undefined;

  constructor(from: StepTrees) {
    this.from = from;
  }

  private get generated(): Generated {
    const { words, layout, counts } = this.from;
    this.known ??= inThisThread.get(words) ?? readGenerated(words, layout, counts);
    return this.known;
  }

  private get interaction(): InteractionCode {
    this.made ??= interactionCode(this.from.layout, this.generated.trees);
    return this.made;
  }

  get steps(): InteractionCode['steps'] {
    return this.interaction.steps;
  }

  get mayCross(): InteractionCode['mayCross'] {
    return this.interaction.mayCross;
  }

  /** The lowest property among the invariants that the state violates, or 0. */
  get judge(): Condition {
    this.judgement ??= judgeOf(this.from.layout, this.generated.trees.judge);
    return this.judgement;
  }

  /** By the CPU: 1 where it is private. None without partial-order reduction. */
  get isPrivate(): readonly Condition[] {
    this.conditions ??= this.generated.isPrivate.map((tree) => conditionOf(this.from.layout, tree));
    return this.conditions;
  }
}
