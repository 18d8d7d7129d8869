/**
 * A model, its layout and its kernels. The layout is learnt; when a search meets a value without a code the layout is
 * widened and the search begins anew.
 */
import { createHash } from 'node:crypto';
import type { Transient } from '../language/schema-types';
import type { Model, Rule } from '../model';
import { ruleInstances } from '../model';
import { applyInstance } from '../search/successors';
import { keep, recall } from '../translate/file-cache';
import type { Program, RuleInfo, SourceProgram } from '../translate/ir';
import { filesOf, programOf } from '../translate/program';
import { contentHash, keptProgram } from '../translate/source-program';
import { bytesIn, Malformed, WordReader, wordsIn } from '../translate/words';
import { cellsOf, fullLayout, fullSet, type Layout, makeLayout, type PlacedCell, type ValueSet } from './code/layout';
import { type PackedTrees, packedSource, packedTrees, packedWords, readPackedTrees } from './code/packed-code';
import { packState, unpackState } from './code/packer';
import { closedUnderRenaming } from './code/renaming';
import { sampleValues, widen } from './code/sampling';
import { type OrderedKernel, orderedKernelSource } from './ordered-kernel';

/** How a model is compiled. */
export interface CompileOptions {
  /**
   * The translated rules, in place of what `ruleFiles` says. Nothing is then kept in files.
   *
   * @internal
   */
  readonly sources?: SourceProgram;
  /**
   * Codes for all values of all sorts: for tests with states that no search reaches.
   *
   * @internal
   */
  readonly full?: boolean;
  /** The states are going to be renamed: their renamings need codes, too. */
  readonly symmetry?: boolean;
}

export class CompiledModel<S extends Transient, D> {
  readonly model: Model<S, D>;
  readonly program: Program;
  layout: Layout;
  private values: readonly ValueSet[];
  /** What is kept of the values already. */
  private kept: readonly ValueSet[] | undefined;
  private trees: PackedTrees | undefined;
  private readonly key: string | undefined;
  private readonly options: CompileOptions;

  constructor(model: Model<S, D>, options: CompileOptions = {}) {
    this.options = options;
    this.model = model;
    this.program = options.sources === undefined ? foldedOnce(model) : programOf(model, options.sources);
    const fresh = options.sources !== undefined || options.full === true;
    this.key = fresh ? undefined : keyOf(this.program, options);
    const before = this.key && recall(`values-${this.key}`, (content) => readValues(wordsIn(content), this.program));
    this.kept = before || undefined;
    this.values = before || this.closed(options.full ? this.everything() : sampleValues(model, this.program));
    this.layout = makeLayout(this.program, this.values);
  }

  private everything(): ValueSet[] {
    return fullLayout(this.program).cells.map((cell) => cell.values);
  }

  /** With symmetry a state's renamings need codes, too. */
  private closed(values: readonly ValueSet[]): readonly ValueSet[] {
    return this.options.symmetry ? closedUnderRenaming(makeLayout(this.program, values), this.model.bounds) : values;
  }

  /** Keeps which values occur, as far as is known by now, for the next process. */
  keep(): void {
    if (this.key === undefined || this.kept === this.values) return;
    this.kept = this.values;
    keep(`values-${this.key}`, bytesIn(Int32Array.from(this.values)));
  }

  get words(): number {
    return this.layout.words;
  }

  /**
   * The text of the kernel: successors come in the order of their instances, each with the number of its own behind it.
   */
  source(): string {
    this.trees ??= this.keptTrees() ?? this.makeTrees();
    return `${packedSource(this.trees, this.layout)}\n${orderedKernelSource(this.words)}`;
  }

  kernel(): OrderedKernel {
    return new Function(this.source())() as OrderedKernel;
  }

  /** Where the trees are kept: they depend on the layout. */
  private treesName(): string | undefined {
    const values = createHash('sha256').update(this.values.join());
    return this.key && `code-${this.key}-${values.digest('hex').slice(0, 16)}.trees`;
  }

  private keptTrees(): PackedTrees | undefined {
    const name = this.treesName();
    return name === undefined ? undefined : recall(name, (content) => readPackedTrees(wordsIn(content), this.layout));
  }

  private makeTrees(): PackedTrees {
    const trees = packedTrees(this.program, this.layout);
    const name = this.treesName();
    if (name !== undefined) {
      this.keep();
      keep(name, bytesIn(packedWords(trees)));
    }
    return trees;
  }

  /** A rule that is no rule of the program, translated. */
  translated(rule: Rule<S, D>): RuleInfo {
    return programOf({ ...this.model, rules: [rule] }, this.options.sources).rules[0];
  }

  initial(): Int32Array {
    const words = new Int32Array(this.words);
    const state = this.model.initial();
    for (
      let cell = packState(this.layout, state, words);
      cell !== undefined;
      cell = packState(this.layout, state, words)
    )
      this.widen(state, cell);
    return words;
  }

  unpack(words: Int32Array, at = 0): S {
    const state = this.model.packing.zero();
    unpackState(this.layout, words, at, state);
    return state;
  }

  /**
   * After a step whose result has no code: makes codes for it. The kernels and packed states of before are worthless
   * then.
   */
  widenFor(before: Int32Array, instance: number): void {
    const after = applyInstance(this.model, this.unpack(before), ruleInstances(this.model)[instance]);
    const scratch = new Int32Array(this.words);
    if (after === undefined)
      throw new RangeError(`rule instance ${instance} is compiled as enabled, but it is not: a bug of the translator`);
    const cell = packState(this.layout, after, scratch);
    if (cell === undefined)
      throw new RangeError(
        `rule instance ${instance} is compiled as impossible, but it is not: a bug of the translator`,
      );
    this.widen(after, cell);
  }

  /** Where one value was missing more may be: walks from there learn more. */
  private widen(state: S, missing: PlacedCell): void {
    const { cells } = this.layout;
    const learnt = sampleValues(this.model, this.program, state);
    const seen = this.values.map(
      (set, i) => set | learnt[i] | (i === missing.number ? 1 << valueAt(state, missing) : 0),
    );
    this.values = this.closed(widen(cells, seen, this.model));
    this.layout = makeLayout(this.program, this.values);
    this.trees = undefined;
  }
}

/**
 * Has a search of this model been compiled before, so that its first states told nothing? Translates nothing to find
 * out.
 */
export function isFamiliar<S extends Transient, D>(model: Model<S, D>, options: CompileOptions): boolean {
  if (options.sources !== undefined || model.ruleFiles === undefined) return false;
  if (keptProgram(filesOf(model)) === undefined) return false;
  const program = foldedOnce(model);
  const read = (content: Buffer) => readValues(wordsIn(content), program);
  return recall(`values-${keyOf(program, options)}`, read) !== undefined;
}

const folded = new WeakMap<object, Program>();

/** The program of the model's own sources. */
function foldedOnce<S extends Transient, D>(model: Model<S, D>): Program {
  const program = folded.get(model) ?? programOf(model);
  folded.set(model, program);
  return program;
}

function valueAt(state: Transient, cell: PlacedCell): number {
  const field = (state as unknown as Record<string, never>)[cell.field];
  return cell.index.reduce<number>((value, index) => (value as unknown as number[])[index], field);
}

/** Sets of values for the cells of the program. Throws Malformed. */
function readValues(words: Int32Array, program: Program): ValueSet[] {
  const reader = new WordReader(words);
  const values = cellsOf(program).map(({ field, size }) => {
    const set = reader.any();
    if (set === 0 || (set & ~fullSet(size)) !== 0) throw new Malformed(`field ${field} has no such set of values`);
    return set;
  });
  reader.end();
  return values;
}

/** A name for the program: layout and code are made from it alone. */
function keyOf(program: Program, { symmetry = false }: CompileOptions): string {
  const made = createHash('sha256').update(contentHash()).update(JSON.stringify({ program, symmetry }));
  return made.digest('hex').slice(0, 32);
}
