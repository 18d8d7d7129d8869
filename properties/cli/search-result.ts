/**
 * The answer to one exhaustive search, in JSON and in words.
 */
import type { Action } from '../../counterexamples/format';
import type { OpenBounds } from '../../model/checker/language/schema-types';
import type { Exploration } from '../../model/checker/search/explore';
import { NESTING_CAPACITY } from '../../model/entry-model';
import { modelPropertySlug, NO_DEADLOCK } from '../../model/property-names';
import type { Answers, SearchRequest } from '../campaign/tasks';
import { explain } from '../report/explain';
import { actionName, boundsInWords } from '../report/names';
import { counted } from '../report/numbers';
import { REDUCTION_IN_WORDS } from '../report/result-card';
import { actionOf } from '../trace/change';
import { commandName, rounded } from './output';

/** What `verify --json` answers for one design; the keys are a contract. */
export interface VerifyResult {
  readonly design: string;
  readonly bounds: OpenBounds;
  readonly reductions: readonly ('symmetry' | 'por')[];
  readonly threads: number;
  readonly verdict: Exploration['verdict'];
  readonly property?: string;
  readonly states: number;
  readonly transitions: number;
  /** Of the deepest state; not where the search has no levels. */
  readonly depth?: number;
  readonly seconds: number;
  /** Set, by the page, and frontier at their largest; where the search counts it. */
  readonly bytes?: number;
  readonly trace?: readonly Action[];
  /** Where --memory was too little for the verdict, or for counting: what the whole search would have needed. */
  readonly neededMiB?: number;
  /** Holds, but there was no room to count the states: at most so many. `states` and `transitions` are 0. */
  readonly mostStates?: number;
  /** The verdict in words. */
  readonly message: string;
  /** The command that searches this again. */
  readonly again: string;
}

/** The result and what only people are told. */
export interface Searched {
  readonly result: VerifyResult;
  readonly exploration: Exploration;
}

export function searched(request: SearchRequest, { exploration, seconds }: Answers['search']): Searched {
  const { design, bounds, threads = 1, symmetry = false, por = false } = request;
  const { verdict, states, transitions, depth, bytes, trace, neededMiB, mostStates } = exploration;
  const property = propertyOf(exploration);
  const result: VerifyResult = {
    design,
    bounds,
    // Another search than the one that was asked for may have been the one that had room.
    reductions: exploration.reductions ?? [
      ...(symmetry ? (['symmetry'] as const) : []),
      ...(por ? (['por'] as const) : []),
    ],
    threads,
    verdict,
    ...(property === undefined ? {} : { property }),
    states,
    transitions,
    ...(depth === undefined ? {} : { depth }),
    seconds: rounded(seconds),
    ...(bytes === undefined ? {} : { bytes }),
    ...(trace === undefined ? {} : { trace: trace.map((instance) => actionOf(instance)) }),
    ...(neededMiB === undefined ? {} : { neededMiB }),
    ...(mostStates === undefined ? {} : { mostStates }),
    message: headline(property, exploration),
    again: command(request),
  };
  return { result, exploration };
}

function propertyOf({ verdict, property }: Exploration): string | undefined {
  if (verdict === 'deadlock') return modelPropertySlug(NO_DEADLOCK);
  return property === undefined ? undefined : modelPropertySlug(property);
}

/**
 * The reductions that states and transitions are counted up to: a trace comes from a search without any, and so do the
 * counts beside it.
 */
export function reductionsInCounts({ reductions, trace }: VerifyResult): VerifyResult['reductions'] {
  return trace === undefined ? reductions : [];
}

function threadsInWords(asked: number, joined = asked): string {
  return joined < asked ? `${joined} of ${counted(asked, 'thread')}` : counted(asked, 'thread');
}

function memoryInWords(bytes: number, states: number): string {
  const each = states === 0 ? '' : `, ${(bytes / states).toFixed(1)} bytes a state`;
  return `at most ${(bytes / 2 ** 20).toFixed(1)} MiB for set and frontier${each}`;
}

/** The search for people: verdict, size, and the shortest trace if there is one. */
export function searchInWords({ result, exploration }: Searched): string[] {
  const reductions = reductionsInCounts(result).map((name) => REDUCTION_IN_WORDS[name]);
  const upTo = reductions.length > 0 ? ` up to ${reductions.join(' and ')}` : '';
  const depth = result.depth === undefined ? '' : `depth ${result.depth}, `;
  const counts =
    result.mostStates === undefined
      ? `${counted(result.states, 'state')}${upTo}, ${counted(result.transitions, 'transition')}, ${depth}`
      : `at most ${counted(result.mostStates, 'state')}, not counted because that takes --memory ${result.neededMiB}, `;
  const lines = [
    `${result.design}: ${result.message}`,
    `  searched  ${counts}${result.seconds} s, ${threadsInWords(result.threads, exploration.joined)}`,
    `  bounds    ${boundsInWords(result.bounds)}`,
    ...(result.bytes === undefined ? [] : [`  memory    ${memoryInWords(result.bytes, result.states)}`]),
  ];
  if (result.property !== undefined) lines.push(`  meaning   ${explain(result.property).violated}`);
  if (result.trace === undefined) return lines;
  if (result.trace.length === 0) return [...lines, '  trace     none is needed: the initial state is wrong'];
  const steps = result.trace.map((action, i) => `  ${String(i + 1).padStart(8)}  ${actionName(action, result.bounds)}`);
  return [...lines, `  trace     the shortest, ${counted(steps.length, 'action')}:`, ...steps];
}

/** Why there is no verdict, and what would help. */
function memoryInTheWay({ neededMiB, bytes, states }: Exploration): string {
  if (bytes === undefined)
    return 'the system does not give the memory that --memory allows: a smaller --memory, or fewer threads, may do';
  const used = `out of memory: ${counted(states, 'state')} use ${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const need =
    neededMiB === undefined
      ? 'it is too early to tell how much all would need'
      : `all would need roughly --memory ${neededMiB}`;
  return `${used}, and ${need}; smaller bounds need less`;
}

/** The command that searches this again; bounds are spelt out, because those of an image may change. */
function command({ design, bounds, threads, memoryMiB, symmetry, por }: SearchRequest): string {
  const { cpus, tasks, mms, nesting, nmis, irqs } = bounds;
  const values = Object.entries({ cpus, tasks, mms, nesting, nmis, irqs, threads, memory: memoryMiB });
  const flags = values.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag} ${value}`]));
  const reductions = [...(symmetry ? ['--symmetry'] : []), ...(por ? ['--por'] : [])];
  return [`${commandName()} verify --design ${design}`, ...flags, ...reductions].join(' ');
}

const NO_ROOM = `a thread has ${NESTING_CAPACITY} open contexts, and \`--nesting any\` has room for no more; a number as --nesting is a bound that the answer names`;

function headline(property: string | undefined, exploration: Exploration): string {
  const { verdict, reason } = exploration;
  switch (verdict) {
    case 'holds':
      return 'holds in every reachable state';
    case 'violated':
      return `${property} is violated`;
    case 'deadlock':
      return 'a reachable state has no successor (no-deadlock)';
    case 'unknown':
      if (reason === 'capacity') return `no verdict: ${NO_ROOM}`;
      return `no verdict: ${reason === 'memory' ? memoryInTheWay(exploration) : 'interrupted'}`;
  }
}
