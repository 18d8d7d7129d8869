/**
 * One exhaustive search as `verify` reports it, in JSON and in words.
 */
import type { Action } from '../../counterexamples/format';
import { modelPropertySlug, NO_DEADLOCK } from '../../model/property-names';
import type { Bounds } from '../../model/schema-types';
import type { Exploration } from '../../model/search/explore';
import type { Answers, SearchProgress } from '../campaign-pool/tasks';
import type { WorkerPool } from '../campaign-pool/worker-pool';
import { explain } from '../report/explain';
import { actionName } from '../report/names';
import { counted, grouped } from '../report/numbers';
import { actionOf } from '../shrinking/concretise';
import { rounded } from './output';

/** What `verify --json` answers for one design; the keys are a contract. */
export interface VerifyResult {
  readonly design: string;
  readonly bounds: Bounds;
  readonly reductions: readonly string[];
  readonly verdict: Exploration['verdict'];
  readonly property?: string;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly seconds: number;
  readonly trace?: readonly Action[];
}

export interface SearchRequest {
  readonly design: string;
  readonly bounds: Bounds;
  readonly memoryMiB?: number | undefined;
  readonly symmetry?: boolean;
}

/** The result and what only people are told. */
export interface Searched {
  readonly result: VerifyResult;
  readonly exploration: Exploration;
}

const STOPPED: Answers['search'] = {
  exploration: { verdict: 'unknown', reason: 'interrupted', states: 0, transitions: 0, depth: 0 },
  seconds: 0,
};

export async function searchDesign(
  pool: WorkerPool,
  request: SearchRequest,
  onProgress: (progress: SearchProgress) => void,
): Promise<Searched> {
  const { design, bounds, memoryMiB, symmetry = false } = request;
  const task = { design, bounds, symmetry, ...(memoryMiB === undefined ? {} : { memoryMiB }) };
  const { exploration, seconds } = (await pool.search(task, onProgress)) ?? STOPPED;
  const { verdict, states, transitions, depth, trace } = exploration;
  const property = propertyOf(exploration);
  const result: VerifyResult = {
    design,
    bounds,
    reductions: symmetry ? ['symmetry'] : [],
    verdict,
    ...(property === undefined ? {} : { property }),
    states,
    transitions,
    depth,
    seconds: rounded(seconds),
    ...(trace === undefined ? {} : { trace: trace.map(actionOf) }),
  };
  return { result, exploration };
}

function propertyOf({ verdict, property }: Exploration): string | undefined {
  if (verdict === 'deadlock') return modelPropertySlug(NO_DEADLOCK);
  return property === undefined ? undefined : modelPropertySlug(property);
}

export function searchProgress(design: string, p: SearchProgress): string {
  const memory = `${grouped(p.bytes / 2 ** 20)} MiB`;
  return `verify ${design}: ${grouped(p.states)} states, frontier ${grouped(p.frontier)}, ${grouped(p.rate)}/s, ${memory}`;
}

export function boundsInWords(b: Bounds): string {
  const events = `at most ${counted(b.nmis, 'NMI')} and ${counted(b.irqs, 'IRQ')}`;
  return `${counted(b.cpus, 'CPU')}, ${counted(b.tasks, 'task')}, ${counted(b.mms, 'address space')}, nesting ${b.nesting}, ${events}`;
}

/** The search for people: verdict, size, and the shortest trace if there is one. */
export function searchInWords({ result, exploration }: Searched): string[] {
  const upTo = result.reductions.length > 0 ? ` up to ${result.reductions.join(' and ')}` : '';
  const counts = `${counted(result.states, 'state')}${upTo}, ${counted(result.transitions, 'transition')}, depth ${result.depth}, ${result.seconds} s`;
  const lines = [
    `${result.design}: ${headline(result, exploration)}`,
    `  searched  ${counts}`,
    `  bounds    ${boundsInWords(result.bounds)}`,
  ];
  if (result.property !== undefined) lines.push(`  meaning   ${explain(result.property).violated}`);
  if (result.trace === undefined) return lines;
  if (result.trace.length === 0) return [...lines, '  trace     none is needed: the initial state is wrong'];
  const steps = result.trace.map((action, i) => `  ${String(i + 1).padStart(8)}  ${actionName(action, result.bounds)}`);
  return [...lines, `  trace     the shortest, ${counted(steps.length, 'action')}:`, ...steps];
}

function headline({ verdict, property }: VerifyResult, { reason }: Exploration): string {
  switch (verdict) {
    case 'holds':
      return 'holds in every reachable state';
    case 'violated':
      return `${property} is violated`;
    case 'deadlock':
      return 'a reachable state has no successor (no-deadlock)';
    case 'unknown':
      return reason === 'memory'
        ? 'no verdict: out of memory (--memory MiB allows more, smaller bounds need less)'
        : 'no verdict: interrupted';
  }
}
