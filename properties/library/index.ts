/**
 * What a program imports from `pti-check`: designs as tables, the exhaustive search of one, random runs of machine code
 * against one, and replays of saved cases. The command line is made of the same parts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Arbitrary } from 'fast-check';
import { type Action, type Counterexample, designName } from '../../counterexamples/format';
import { readCounterexample } from '../../counterexamples/store';
import { exploreCompiled } from '../../model/checker/compiled/explore-compiled';
import type { OpenBounds } from '../../model/checker/language/schema-types';
import { designTable } from '../../model/design-config';
import { checkDesign } from '../../model/designs/check-design';
import type { DesignTable } from '../../model/designs/design-table';
import { entryModel, isOpen, VERIFY_BOUNDS } from '../../model/entry-model';
import { modelPropertySlug, NO_DEADLOCK } from '../../model/property-names';
import { type ReplayResult, replayCase } from '../campaign/case';
import { type Failure, shrinkFailure } from '../campaign/failure';
import { openSubject } from '../campaign/open-subject';
import { campaignRun } from '../campaign/run';
import type { Subject } from '../campaign/subject';
import { TraceArbitrary } from '../campaign/trace-arbitrary';
import { designOf, readDesignFile } from '../designs/design-file';
import { Coverage, sweep } from '../exploration/sweep';
import type { GuestBounds } from '../guest/guest-view';
import { addProperty } from '../safety/index';
import type { Property } from '../safety/property';
import { actionOf } from '../trace/change';
import type { Walk } from '../trace/walk';

export type {
  Action,
  Counterexample,
  Expected,
  IrqAction,
  NmiAction,
  Origin,
  RunAction,
  StepAction,
} from '../../counterexamples/format';
export { readCounterexample, type Saved, saveCounterexample } from '../../counterexamples/store';
export type { Bounds, Limit, OpenBounds } from '../../model/checker/language/schema-types';
export { DESIGN_TABLES, designTable } from '../../model/design-config';
export { checkDesign, type DesignFault } from '../../model/designs/check-design';
export type * from '../../model/designs/design-table';
export {
  type Edit,
  type Exchange,
  editDesign,
  type Insert,
  type LeaveOut,
  type Replace,
  type Step,
} from '../../model/designs/sequences';
export { BadInputError } from '../bad-input';
export type { ReplayResult } from '../campaign/case';
export type { Failure, Strategy } from '../campaign/failure';
export type { Subject, SubjectName } from '../campaign/subject';
export { readDesignFile } from '../designs/design-file';
export { designText } from '../designs/design-text';
export type { GuestBounds } from '../guest/guest-view';
export type { Answer, Moment, Moments } from '../safety/moments';
export { defineProperty, type Need, type Property } from '../safety/property';
export type { Scene } from '../safety/scene';
export type { Diverged, Violated } from '../trace/transition-system';
export type { Walk } from '../trace/walk';
export { ghost, registers } from './machine-words';

/** A design of ours (`mainline`) or a mutant of one, by its name; or anybody's, as a table. */
export type Design = string | DesignTable;

/**
 * A design, checked: the types say what may stand where, and this says whether the steps make sense. Throws RangeError
 * that names each fault, its sequence and its step.
 */
export function defineDesign(table: DesignTable): DesignTable {
  const faults = checkDesign(table);
  if (faults.length === 0) return table;
  const lines = faults.map(({ sequence, step, message }) => `  ${sequence}, step ${step + 1}: ${message}`);
  throw new RangeError(`${table.name} is no design:\n${lines.join('\n')}`);
}

/** Bounds of the search (those that are not given: see `verify`), and what it may use. */
export interface VerifyOptions extends Partial<OpenBounds> {
  /** Threads of the search (1). The answer is the same with any number. */
  readonly threads?: number;
  /** MiB that the states may take (2048). */
  readonly memoryMiB?: number;
  /** Keep one state of those that differ only in the names of CPUs, tasks and address spaces (no). */
  readonly symmetry?: boolean;
  /** Leave out orders of steps that cannot matter (no). */
  readonly por?: boolean;
}

/** What the exhaustive search of a design found. */
export interface Verified {
  /** Its name. */
  readonly design: string;
  /** Those of the search. */
  readonly bounds: OpenBounds;
  /** `unknown`: the search ended before it knew, for want of memory or of room for contexts. */
  readonly verdict: 'holds' | 'violated' | 'deadlock' | 'unknown';
  /** Slug of the violated property. */
  readonly property?: string;
  /** Distinct states met; 0 beside `mostStates`. */
  readonly states: number;
  /** Holds, but there was no room to count the states: at most so many. */
  readonly mostStates?: number;
  /** Steps from them. */
  readonly transitions: number;
  /** Transitions to the farthest state that was met; none where events have no bound, for then there are no levels. */
  readonly depth?: number;
  /** The shortest trace to the violation. */
  readonly trace?: readonly Action[];
}

const nameOf = (design: Design) => (typeof design === 'string' ? design : design.name);

/**
 * Searches the abstract machine of a design exhaustively within bounds (default: 2 CPUs, 2 tasks, 1 address space; any
 * nesting and any number of NMIs and IRQs). Blocks this thread meanwhile. Throws RangeError for a design that the model
 * does not have.
 */
export function verify(design: Design, options: VerifyOptions = {}): Verified {
  const { threads, memoryMiB, symmetry, por, ...asked } = options;
  const bounds = { ...VERIFY_BOUNDS, ...asked };
  const model = entryModel(design, bounds);
  if (model === undefined) throw new RangeError(`expected a design of the abstract machine, found ${nameOf(design)}`);
  const how = { threads, memoryMiB, symmetry, por };
  const given = Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined));
  const { verdict, property, states, mostStates, transitions, depth, trace } = exploreCompiled(model, {
    ...given,
    bulk: isOpen(bounds),
    probe: true,
  });
  const slug = verdict === 'deadlock' ? NO_DEADLOCK : property;
  return {
    design: nameOf(design),
    bounds,
    verdict,
    ...(slug === undefined ? {} : { property: modelPropertySlug(slug) }),
    states,
    ...(mostStates === undefined ? {} : { mostStates }),
    transitions,
    ...(depth === undefined ? {} : { depth }),
    ...(trace === undefined ? {} : { trace: trace.map((instance) => actionOf(instance)) }),
  };
}

/** Machine code under test: an ELF file with the manifest symbols of `emulator/guest/README.md`. */
export interface Image {
  /** What answers call it. */
  readonly name: string;
  /** The file. */
  readonly bytes: Uint8Array;
}

/** The image in a file. */
export function image(file: string): Image {
  return { name: path.basename(file), bytes: readFileSync(file) };
}

/**
 * Machine code booted, with the design that judges it; without an image, ours of that design. `boot`: CPUs, tasks and
 * address spaces. Throws BadInputError for an image that cannot be used, and for a table without an image.
 */
export function subject(design: Design, elf?: Image, boot?: GuestBounds): Subject {
  const table = typeof design === 'string' ? {} : { table: design };
  return openSubject({
    design: nameOf(design),
    ...table,
    ...(elf === undefined ? {} : { elf }),
    ...(boot === undefined ? {} : { boot }),
  });
}

/** Which runs are done, and on what. */
export interface FuzzOptions {
  /** Machine code of one's own (default: ours of the design). */
  readonly image?: Image;
  /** CPUs, tasks and address spaces (default: those of the image's manifest). */
  readonly boot?: GuestBounds;
  /** The same seed gives the same runs. */
  readonly seed: string;
  /** Random runs (100). */
  readonly runs?: number;
  /** No run begins after so many seconds; default: no limit. */
  readonly seconds?: number;
  /** Properties of your own, asked beside ours: of this machine, and of every one that is booted later. */
  readonly properties?: readonly Property[];
  /** Afterwards an NMI and an IRQ at every instruction boundary (yes). */
  readonly sweep?: boolean;
}

/** What the runs found. */
export interface Fuzzed {
  /** `diverged`: the code did what the abstract machine does not allow. */
  readonly verdict: 'holds' | 'violated' | 'diverged';
  /** Random runs that were done. */
  readonly runs: number;
  /** Actions in them. */
  readonly actions: number;
  /** Instructions executed in them. */
  readonly instructions: number;
  /** The failure, shrunk. */
  readonly failure?: Failure;
}

const DEFAULT_RUNS = 100;

/** Random runs of machine code, judged by every property and by refinement of the design. Blocks this thread. */
export function fuzz(design: Design, options: FuzzOptions): Fuzzed {
  const { seed, runs = DEFAULT_RUNS, seconds = Number.POSITIVE_INFINITY, sweep: sweeps = true } = options;
  for (const property of options.properties ?? []) addProperty(property);
  const booted = subject(design, options.image, options.boot);
  const end = performance.now() + seconds * 1000;
  const counts = { runs: 0, actions: 0, instructions: 0 };
  for (let run = 0; run < runs && performance.now() < end; run++) {
    const { failed, steps, instructions } = campaignRun(booted, seed, run);
    counts.runs++;
    counts.actions += steps;
    counts.instructions += instructions;
    if (failed !== undefined) return ended(counts, shrinkFailure(booted, failed));
  }
  const { failure } = sweeps ? sweep(booted.system, new Coverage()) : {};
  if (failure === undefined) return { verdict: 'holds', ...counts };
  return ended(counts, shrinkFailure(booted, { walk: failure, strategy: 'sweep', run: counts.runs }));
}

function ended(counts: Omit<Fuzzed, 'verdict'>, failure: Failure): Fuzzed {
  return { verdict: failure.kind, ...counts, failure };
}

/** Replays a saved case, or the one in a file, on the image that it holds or that is ours. */
export function replay(saved: Counterexample | string): ReplayResult {
  const one = typeof saved === 'string' ? readCounterexample(saved) : saved;
  return replayCase(subjectOf(one), one);
}

function subjectOf({ table, image: { elf }, bounds, ...saved }: Counterexample): Subject {
  const { cpus, tasks, mms } = bounds;
  const design = table === undefined ? designName(saved) : designOf(table, saved.design);
  const own = elf === undefined ? undefined : { name: saved.design, bytes: Buffer.from(elf, 'base64') };
  return subject(design, own, { cpus, tasks, mms });
}

/**
 * Traces of machine code as a fast-check arbitrary: a value is a walk that was done, with `failure` where one was met.
 * Stock `{ seed, path }` of fast-check replays it, and it shrinks to the abstract machine's shortest trace where that
 * one fails as well.
 */
export function traceOf(booted: Subject): Arbitrary<Walk> {
  return new TraceArbitrary(booted.system, (failure: NonNullable<Walk['failure']>, walk: Walk) =>
    booted.shortestWalk(failure, { initially: walk.actions.length === 0 }),
  );
}

/** A design of ours as a table, or the one in a JSON file. Throws RangeError or BadInputError for what is none. */
export function design(nameOrFile: string): DesignTable {
  const table = nameOrFile.endsWith('.json') ? readDesignFile(nameOrFile) : designTable(nameOrFile);
  if (table === undefined) throw new RangeError(`expected a design, found ${nameOrFile}`);
  return table;
}
