/**
 * Cases: a failure as the content of a file, and the replay of a saved one.
 */
import { type Counterexample, imageHash } from '../../counterexamples/format';
import { propertySlug } from '../safety/index';
import { replayWalk } from '../trace/walk';
import type { Failure } from './failure';
import type { Subject } from './subject';

/** The failure as a counterexample file. `bytes` is the guest image; it goes into the file when it is a user's own. */
export function toCounterexample(
  subject: Subject,
  failure: Failure,
  seed: string,
  bytes: Uint8Array,
  date: string,
): Counterexample {
  const { table } = subject.name;
  const [design, mutant] = table === undefined ? subject.name.design.split('+') : [table.name];
  const property = failure.property ?? 'refinement';
  const own = subject.name.elf === undefined ? {} : { elf: Buffer.from(bytes).toString('base64') };
  return {
    format: 'pti-check counterexample',
    version: 1,
    property,
    design,
    ...(mutant === undefined ? {} : { mutant }),
    ...(table === undefined ? {} : { table: { ...table } }),
    bounds: { ...subject.bounds },
    image: { sha256: imageHash(bytes), ...own },
    actions: [...failure.actions],
    expected: {
      kind: failure.kind,
      property,
      step: failure.actions.length,
      ...(failure.field === undefined ? {} : { field: failure.field }),
      message: failure.message,
      fingerprints: [...failure.fingerprints],
    },
    origin: { seed, run: failure.run, strategy: failure.strategy, lengthBeforeShrinking: failure.found, date },
  };
}

/** How a replay of a saved case ended. */
export interface ReplayResult {
  /** It fails as it did; the trace ran to its end; it fails in another way. */
  readonly verdict: 'reproduced' | 'passed' | 'diverged';
  /** Slug of the property that failed. */
  readonly property?: string;
  /** Actions done. */
  readonly step: number;
  /** What was expected, and what was found. */
  readonly message: string;
}

/**
 * Replays a case on its own image: every action has to be enabled, and the failure has to come where it is expected.
 */
export function replayCase(subject: Subject, saved: Counterexample): ReplayResult {
  const { system } = subject;
  const walk = replayWalk(system, saved.actions);
  const step = walk.actions.length;
  const { expected } = saved;
  const { failure } = walk;
  if (failure?.kind === 'violated' && propertySlug(failure.property) === expected.property)
    return { verdict: 'reproduced', property: expected.property, step, message: failure.message };
  if (failure?.kind === 'diverged' && expected.kind === 'diverged')
    return { verdict: 'reproduced', step, message: failure.message };
  if (failure?.kind === 'violated')
    return {
      verdict: 'diverged',
      property: propertySlug(failure.property),
      step,
      message: `expected ${expected.property}, found ${failure.message}`,
    };
  if (failure?.kind === 'diverged') return { verdict: 'diverged', step, message: failure.message };
  return { verdict: 'passed', step, message: `expected ${expected.property} to be violated, the trace ran to its end` };
}
