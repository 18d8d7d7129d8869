/**
 * What a campaign is about: an image, and the abstract machine that it is judged against. Built once in each worker
 * from plain data.
 */
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';
import type { Bounds } from '../../model/checker/language/schema-types';
import { type RuleInstance, violations } from '../../model/checker/model';
import type { DesignTable } from '../../model/designs/design-table';
import { type EntryModel, entryModel } from '../../model/entry-model';
import { searchBounds } from '../designs/bounds';
import { designImage } from '../designs/images';
import type { GuestBounds } from '../guest/guest-view';
import { bootGuest, type Guest } from '../monitor/guest';
import { Refinement } from '../refinement/refinement';
import { isAbstractable } from '../refinement/unchecked';
import { MAX_NESTING } from '../safety/nesting-is-bounded';
import { concretiseAny } from '../shrinking/concretise';
import { type Ends, interleavings } from '../shrinking/interleavings';
import type { Shortest } from '../shrinking/shortest-trace';
import { EntrySystem } from '../trace/entry-system';
import type { Walk } from '../trace/walk';

/** Plain data that names a subject, so that it can be sent to a worker. */
export interface SubjectName {
  /** Design or mutant whose abstract machine is the judge. */
  readonly design: string;
  /** The design itself, where it is none of ours. */
  readonly table?: DesignTable;
  /** A user's own image in place of the design's. */
  readonly elf?: {
    /** What answers call it. */
    readonly name: string;
    /** The file. */
    readonly bytes: Uint8Array;
  };
  /** What the guest is booted with in place of the bounds of its manifest. */
  readonly boot?: GuestBounds;
  /** Files with properties of the user's, as absolute paths. */
  readonly properties?: readonly string[];
}

/** The design, mutant or image does not exist. One sentence. */
export class UnknownSubjectError extends Error {
  override readonly name = 'UnknownSubjectError';
}

/** Machine code that was booted, and the abstract machine that judges it. Made by `subject`. */
export class Subject {
  /** What it was made from. */
  readonly name: SubjectName;
  /** @internal */
  readonly image: ElfImage;
  /** @internal */
  readonly guest: Guest;
  /** @internal */
  readonly system: EntrySystem;
  /** Bounds of the search: those of the image, and the events and contexts of one trace. */
  readonly bounds: Bounds;
  /**
   * The abstract machine at these bounds; undefined for a mutant that it cannot express (refinement is then against the
   * plain design).
   *
   * @internal
   */
  readonly model: EntryModel | undefined;
  private readonly shortest = new Map<number, Shortest>();

  /** @internal */
  constructor(name: SubjectName) {
    this.name = name;
    const image = name.elf === undefined ? designImage(name.design) : readElf(name.elf.bytes, name.elf.name);
    if (image === undefined)
      throw new UnknownSubjectError(
        `expected a design or mutant, found ${JSON.stringify(name.design)}; pti-check designs lists them`,
      );
    this.image = image;
    this.guest = bootGuest(image, name.boot);
    this.bounds = searchBounds(name.design, this.guest.view.bounds);
    this.model = entryModel(name.table ?? name.design, this.bounds);
    this.system = new EntrySystem(this.guest, this.refinement());
  }

  /**
   * Refinement is not bounded in events, only by the deepest legal nesting. A mutant that the model expresses is judged
   * against its own model half.
   */
  private refinement(): Refinement | undefined {
    const { manifest, view } = this.guest;
    if (!isAbstractable(manifest) || !view.mmsAreRegular) return undefined;
    const bounds = { ...this.bounds, nesting: MAX_NESTING + 1, nmis: 1, irqs: 1 };
    const own = entryModel(this.name.table ?? this.name.design, bounds);
    const judge = own === undefined ? this.name.design.split('+')[0] : this.name.design;
    const model = own ?? entryModel(judge, bounds);
    return model === undefined ? undefined : new Refinement(model, judge);
  }

  /**
   * The shortest trace of the abstract machine to a violation of the property; undefined where it has none at these
   * bounds, or where the search was stopped. Searched once for each property.
   */
  shortestTrace(property: number, shouldStop?: () => boolean): readonly RuleInstance[] | undefined {
    const known = this.shortest.get(property) ?? this.search(property, shouldStop);
    // What was stopped may be asked again.
    if (known.kind !== 'unknown' || known.reason !== 'interrupted') this.shortest.set(property, known);
    return known.kind === 'trace' ? known.trace : undefined;
  }

  private search(property: number, shouldStop?: () => boolean): Shortest {
    return this.model === undefined ? { kind: 'none' } : searching().shortestTrace(this.model, property, shouldStop);
  }

  /**
   * The shortest trace, or one of its interleavings, replayed on the machine: undefined if the abstract machine has
   * none, or if it does not fail here. A failure of the state after boot (`initially`) has no trace, and asks no more
   * than the initial state.
   *
   * @internal
   */
  shortestWalk(failure: NonNullable<Walk['failure']>, options: ShortestWalkOptions = {}): Walk | undefined {
    if (failure.kind !== 'violated') return undefined;
    const { shouldStop, initially = false } = options;
    if (initially)
      return this.model !== undefined && searching().failsInitially(this.model, failure.property)
        ? { actions: [], length: 0, failure }
        : undefined;
    const { model, system } = this;
    const trace = this.shortestTrace(failure.property, shouldStop);
    if (model === undefined || trace === undefined) return undefined;
    const violates: Ends = (_before, _instance, after) => violations(model, after).includes(failure.property);
    return concretiseAny(system, interleavings(model, trace, violates), failure, shouldStop);
  }
}

interface ShortestWalkOptions {
  /** Polled while the abstract machine is searched and its trace is replayed. */
  readonly shouldStop?: () => boolean;
  /** The machine fails before its first action. */
  readonly initially?: boolean;
}

function searching(): typeof import('../shrinking/shortest-trace') {
  // biome-ignore lint/style/noCommonJs: loaded late, because few subjects fail, and the compiled search takes a tenth of a second to load
  return require('../shrinking/shortest-trace');
}
