/**
 * Small sizes and limits of the entry code's model, and how their searches have to agree: plain on one and two threads
 * to the state, and reduced in the verdict. All of them are searched in scripts/check-configurations.ts, a few in
 * configurations.test.ts.
 */
import { exploreCompiled } from '../checker/compiled/explore-compiled';
import type { Limit, OpenBounds } from '../checker/language/schema-types';
import type { Exploration } from '../checker/search/explore';
import { type EntryModel, entryModel, isOpen } from '../entry-model';

/** CPUs x tasks x address spaces: no more address spaces than tasks. */
const SIZES = [1, 2, 3].flatMap((cpus) =>
  [1, 2, 3].flatMap((tasks) => [1, 2].filter((mms) => mms <= tasks).map((mms) => ({ cpus, tasks, mms }))),
);
const NESTINGS: readonly Limit[] = [1, 2, 3, 'any'];
/** None, one of each, and no bound. */
const EVENTS: readonly Limit[] = [0, 1, 'any'];

/** 180: 15 sizes, 4 nestings, and NMIs and IRQs as many as one of three limits says. */
export const CONFIGURATIONS: readonly OpenBounds[] = SIZES.flatMap((size) =>
  NESTINGS.flatMap((nesting) => EVENTS.map((events) => ({ ...size, nesting, nmis: events, irqs: events }))),
);

/** `2x3x2 nesting any events 1`. */
export function configurationName({ cpus, tasks, mms, nesting, nmis }: OpenBounds): string {
  return `${cpus}x${tasks}x${mms} nesting ${nesting} events ${nmis}`;
}

interface Means {
  readonly threads?: number;
  readonly symmetry?: boolean;
  readonly por?: boolean;
}

export interface ConfigurationLimits {
  /** Of each search. */
  readonly memoryMiB: number;
  /** Of CPU time of each search, after which it is stopped. */
  readonly seconds: number;
}

interface Agreement {
  /** What the searches found, in words. */
  readonly text: string;
  /** What does not agree; empty if everything does. */
  readonly faults: readonly string[];
  /** Searches that came to no end: for want of time or of memory. */
  readonly unfinished: number;
}

/** No search gives up for want of memory while it uses less of what it may use. */
const LEAST_USED = 0.9;

const nameOf = ({ threads = 1, symmetry, por }: Means) =>
  [`${threads} thread${threads === 1 ? '' : 's'}`, ...(symmetry ? ['symmetry'] : []), ...(por ? ['por'] : [])].join(
    '+',
  );

const isSearched = ({ verdict, mostStates }: Exploration) => verdict !== 'unknown' && mostStates === undefined;

const countsOf = ({ states, transitions, depth = 0, trace = [] }: Exploration) =>
  `${states} states, ${transitions} transitions, depth ${depth}, trace ${trace.map(({ number }) => number).join()}`;

/** Searches the design within these bounds in each way, and compares the answers. */
export function agreementOf(design: string, bounds: OpenBounds, limits: ConfigurationLimits): Agreement {
  const model = entryModel(design, bounds);
  if (model === undefined) throw new RangeError(`expected a design of the model, found ${design}`);
  const plain: Means[] = [{ threads: 1 }, { threads: 2 }];
  const reduced: Means[] = [
    { symmetry: true },
    ...(model.partialOrder === undefined ? [] : [{ por: true }, { symmetry: true, por: true }]),
  ];
  const answers = [...plain, ...reduced].map((means) => ({ means, found: searched(model, bounds, means, limits) }));
  const [{ found: first }] = answers;
  const verdictOf = ({ verdict, property }: Exploration) => `${verdict}${property === undefined ? '' : ` ${property}`}`;
  const known = answers.find(({ found }) => found.verdict !== 'unknown')?.found;
  const faults = answers.flatMap(({ means, found }, i) => {
    const differs = known !== undefined && found.verdict !== 'unknown' && verdictOf(found) !== verdictOf(known);
    const counts = i < plain.length || found.trace !== undefined;
    const miscounts = counts && isSearched(first) && isSearched(found) && countsOf(found) !== countsOf(first);
    // Partial order allots events to CPUs first, which makes states of its own.
    const exceeds = isSearched(first) && isSearched(found) && means.por !== true && found.states > first.states;
    const { reason, bytes = 0 } = found;
    const wastes = reason === 'memory' && bytes < LEAST_USED * limits.memoryMiB * 2 ** 20;
    return [
      ...(differs ? [`${nameOf(means)}: ${verdictOf(found)}`] : []),
      ...(miscounts || exceeds ? [`${nameOf(means)}: ${countsOf(found)}`] : []),
      ...(wastes ? [`${nameOf(means)}: out of memory with ${(bytes / 2 ** 20).toFixed(1)} MiB`] : []),
    ];
  });
  const said = answers.map(({ means, found }) => `${nameOf(means)} ${inWords(found)}`);
  const unfinished = answers.filter(({ found }) => found.verdict === 'unknown').length;
  return { text: `${known === undefined ? 'unknown' : verdictOf(known)}: ${said.join(', ')}`, faults, unfinished };
}

function searched(model: EntryModel, bounds: OpenBounds, means: Means, limits: ConfigurationLimits): Exploration {
  const began = process.cpuUsage();
  const { memoryMiB, seconds } = limits;
  const isLate = () => {
    const { user, system } = process.cpuUsage(began);
    return user + system > seconds * 1e6;
  };
  return exploreCompiled(model, {
    ...means,
    memoryMiB,
    bulk: isOpen(bounds),
    shouldStop: isLate,
  });
}

function inWords({ verdict, reason, states, mostStates }: Exploration): string {
  if (mostStates !== undefined) return `at most ${mostStates}`;
  return verdict === 'unknown' ? `${states} (${reason})` : `${states}`;
}
