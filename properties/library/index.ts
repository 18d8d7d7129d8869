/**
 * What a program imports from `pti-check`: designs as tables, the exhaustive search of one, random runs of machine code
 * against one, and replays of saved cases. The command line is made of the same parts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Action, type Counterexample, designName } from '../../counterexamples/format';
import { readCounterexample } from '../../counterexamples/store';
import { exploreCompiled } from '../../model/checker/compiled/explore-compiled';
import type { Bounds } from '../../model/checker/language/schema-types';
import { designTable } from '../../model/design-config';
import { checkDesign } from '../../model/designs/check-design';
import type { DesignTable } from '../../model/designs/design-table';
import { DEFAULT_BOUNDS, entryModel } from '../../model/entry-model';
import { modelPropertySlug, NO_DEADLOCK } from '../../model/property-names';
import { openSubject } from '../campaign-pool/open-subject';
import { designOf, readDesignFile } from '../designs/design-file';
import { campaignRun, type Failure, type ReplayResult, replayCase, shrinkFailure } from '../exploration/campaign';
import type { Walk } from '../exploration/random-walk';
import type { Subject } from '../exploration/subject';
import { Coverage, sweep } from '../exploration/sweep';
import { TraceArbitrary } from '../exploration/trace-arbitrary';
import type { GuestBounds } from '../guest/guest-view';
import { actionOf } from '../shrinking/concretise';

export type { Action, Counterexample } from '../../counterexamples/format';
export { readCounterexample, saveCounterexample } from '../../counterexamples/store';
export type { Bounds } from '../../model/checker/language/schema-types';
export { DESIGN_TABLES, designTable } from '../../model/design-config';
export { checkDesign, type DesignFault } from '../../model/designs/check-design';
export type * from '../../model/designs/design-table';
export { type Edit, editDesign } from '../../model/designs/sequences';
export { BadInputError } from '../campaign-pool/bad-input';
export { designText, readDesignFile } from '../designs/design-file';
export type { Failure, ReplayResult } from '../exploration/campaign';
export type { Walk } from '../exploration/random-walk';
export type { Subject } from '../exploration/subject';
export type { GuestBounds } from '../guest/guest-view';

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

export interface VerifyOptions extends Partial<Bounds> {
  /** Threads of the search (1). The answer is the same with any number. */
  readonly threads?: number;
  /** MiB that the states may take (2048). */
  readonly memoryMiB?: number;
  readonly symmetry?: boolean;
  readonly por?: boolean;
}

export interface Verified {
  readonly design: string;
  readonly bounds: Bounds;
  readonly verdict: 'holds' | 'violated' | 'deadlock' | 'unknown';
  /** Slug of the violated property. */
  readonly property?: string;
  readonly states: number;
  readonly transitions: number;
  /** Transitions to the farthest state that was met. */
  readonly depth: number;
  /** The shortest trace to the violation. */
  readonly trace?: readonly Action[];
}

const nameOf = (design: Design) => (typeof design === 'string' ? design : design.name);

/**
 * Searches the abstract machine of a design exhaustively within bounds (default: 2 CPUs, 2 tasks, 1 address space,
 * nesting 2, 1 NMI, 2 IRQs). Blocks this thread meanwhile. Throws RangeError for a design that the model does not have.
 */
export function verify(design: Design, options: VerifyOptions = {}): Verified {
  const { threads, memoryMiB, symmetry, por, ...asked } = options;
  const bounds = { ...DEFAULT_BOUNDS, ...asked };
  const model = entryModel(design, bounds);
  if (model === undefined) throw new RangeError(`expected a design of the abstract machine, found ${nameOf(design)}`);
  const how = { threads, memoryMiB, symmetry, por };
  const given = Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined));
  const { verdict, property, states, transitions, depth, trace } = exploreCompiled(model, given);
  const slug = verdict === 'deadlock' ? NO_DEADLOCK : property;
  return {
    design: nameOf(design),
    bounds,
    verdict,
    ...(slug === undefined ? {} : { property: modelPropertySlug(slug) }),
    states,
    transitions,
    // Only a search in bulk has none, and that was not asked for.
    depth: depth ?? 0,
    ...(trace === undefined ? {} : { trace: trace.map((instance) => actionOf(instance)) }),
  };
}

/** Machine code under test: an ELF file with the manifest symbols of docs and `emulator/guest/README.md`. */
export interface Image {
  readonly name: string;
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

export interface FuzzOptions {
  readonly image?: Image;
  readonly boot?: GuestBounds;
  /** The same seed gives the same runs. */
  readonly seed: string;
  /** Random runs (100). */
  readonly runs?: number;
  /** No run begins after so many seconds; default: no limit. */
  readonly seconds?: number;
  /** Afterwards an NMI and an IRQ at every instruction boundary (yes). */
  readonly sweep?: boolean;
}

export interface Fuzzed {
  readonly verdict: 'holds' | 'violated' | 'diverged';
  readonly runs: number;
  readonly actions: number;
  readonly instructions: number;
  /** The failure, shrunk. */
  readonly failure?: Failure;
}

const DEFAULT_RUNS = 100;

/** Random runs of machine code, judged by every property and by refinement of the design. Blocks this thread. */
export function fuzz(design: Design, options: FuzzOptions): Fuzzed {
  const { seed, runs = DEFAULT_RUNS, seconds = Number.POSITIVE_INFINITY, sweep: sweeps = true } = options;
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
export function traceOf(booted: Subject): TraceArbitrary {
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
