/**
 * From a model to what a search can learn its steps from, reduced if so asked. Who interacts with whom is found out once and kept in a file.
 */
import { createHash } from 'node:crypto';
import type { Transient } from '../../schema-types';
import { keep, keepBytes, kept, keptBytes } from '../../translate/file-cache';
import { type Interaction, interactionOf } from '../../translate/packed/interaction';
import { privateText } from '../../translate/packed/private';
import { renamerText } from '../../translate/packed/renaming';
import { contentHash } from '../../translate/source-program';
import { type Model, type PartialOrder, type Rule, ruleInstances } from '../machine';
import { type Renaming, renamed, renamings } from '../symmetry';
import { CompiledModel, type CompileOptions } from './compiled-model';
import { CAPACITIES, type Capacities, FIRST_CAPACITIES, makeMasks, makeSlots } from './components';
import type { ComponentRenaming, Learnable, PrivateSteps } from './lesson';

/** What is generated for one layout. */
interface Generated {
  readonly interaction: Interaction;
  readonly isPrivate?: string;
}

interface Recalled {
  readonly capacities: Capacities;
  readonly steps: Int32Array | undefined;
}

/** How the names of files with learnt steps end. */
export const LEARNT = '.learnt';
const DIGEST_BYTES = 32;

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Capacities and steps as one piece, with a digest in front: half a file, or a damaged one, is none. */
function sealed(capacities: Capacities, steps: Int32Array): Buffer {
  const room = Int32Array.from(CAPACITIES, (what) => capacities[what]);
  const content = Buffer.concat([Buffer.from(room.buffer), Buffer.from(steps.buffer)]);
  return Buffer.concat([digestOf(content), content]);
}

function unsealed(bytes: Buffer): Recalled | undefined {
  const content = bytes.subarray(DIGEST_BYTES);
  if (!digestOf(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
  const words = new Int32Array(Uint8Array.from(content).buffer);
  const capacities = Object.fromEntries(CAPACITIES.map((what, i) => [what, words[i]])) as unknown as Capacities;
  return { capacities, steps: words.slice(CAPACITIES.length) };
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
    const { interaction, isPrivate } = this.generated();
    const { footprints, shared, code } = interaction;
    return {
      code,
      footprints,
      masks: makeMasks(layout, cpus, threads, shared, model.running),
      slots: makeSlots(cpus, threads, capacities),
      capacities,
      tasks,
      por: isPrivate === undefined ? undefined : this.privateSteps(isPrivate),
      renamings: this.options.symmetry ? renamings(model.bounds).map((r) => this.renaming(r, threads)) : [],
    };
  }

  /** A name for what is generated for the present layout. */
  private name(): string {
    const { program, layout, model } = this.compiled;
    const of = JSON.stringify([program, layout.cells, model.running, this.order?.replaced]);
    return `steps-${createHash('sha256').update(contentHash()).update(of).digest('hex').slice(0, 32)}`;
  }

  /** What an earlier search has learnt of the model's steps, and the room that it needed. */
  recall(): Recalled {
    const name = this.memoryName();
    const bytes = name === undefined ? undefined : keptBytes(name);
    return (bytes && unsealed(bytes)) ?? { capacities: FIRST_CAPACITIES, steps: undefined };
  }

  /** Keeps what has been learnt, for the next search. */
  remember(capacities: Capacities, steps: Int32Array): void {
    const name = this.memoryName();
    if (name !== undefined) keepBytes(name, sealed(capacities, steps));
  }

  private memoryName(): string | undefined {
    if (this.options.sources !== undefined) return undefined;
    return `${this.name()}${this.options.symmetry ? '-renamed' : ''}${LEARNT}`;
  }

  private generated(): Generated {
    const { program, layout, model } = this.compiled;
    const name = this.name();
    const isKept = this.options.sources === undefined;
    const known = isKept ? kept<Generated>(name) : undefined;
    if (known !== undefined) return known;
    const replaced = this.order?.replaced ?? [];
    const tried = { ...program, rules: program.rules.filter((rule) => !replaced.includes(rule.name)) };
    const { cpus } = model.bounds;
    const interaction = interactionOf(tried, layout, cpus, model.running);
    const guard = this.order && this.compiled.translated(guardOf(this.order));
    const made = guard ? { interaction, isPrivate: privateText(program, layout, guard, cpus) } : { interaction };
    if (isKept) keep(name, made);
    return made;
  }

  private privateSteps(isPrivate: string): PrivateSteps {
    const first = new Set(this.order?.first);
    return { isPrivate, first: ruleInstances(this.compiled.model).map(({ rule }) => first.has(rule)) };
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
