/**
 * The answer to one proof, in JSON and in words.
 */
import type { Action } from '../../counterexamples/format';
import type { Bounds } from '../../model/checker/language/schema-types';
import { modelPropertySlug } from '../../model/property-names';
import type { Answers, ProveTask } from '../campaign/tasks';
import type { WorkerPool } from '../campaign/worker-pool';
import { explain } from '../report/explain';
import { actionName, boundsInWords } from '../report/names';
import { counted } from '../report/numbers';
import { actionOf } from '../trace/change';
import { commandName, rounded } from './output';

/** What `prove --json` answers for one design; the keys are a contract. */
export interface ProveResult {
  readonly design: string;
  readonly verdict: 'proved' | 'violated' | 'unknown';
  readonly property?: string;
  /** Values of a CPU with the thread that it runs, up to renaming. */
  readonly views: number;
  /** Values of a thread that no CPU runs. */
  readonly sleepers: number;
  /** Contexts that a thread has open at most. */
  readonly nesting: number;
  /** CPUs that are kept together. */
  readonly cpusOfView: number;
  /** Rules that ask for more than one CPU with its thread. */
  readonly crossing: readonly string[];
  readonly seconds: number;
  /** With a violation: the smallest bounds that show it, and the shortest trace there. */
  readonly bounds?: Bounds;
  readonly trace?: readonly Action[];
  /** Without a verdict: what is in the way. */
  readonly obstacle?: Answers['prove']['obstacle'];
  /** The verdict in words. */
  readonly message: string;
  /** The command that proves this again. */
  readonly again: string;
}

const ANY_SIZE = 'any number of CPUs, tasks, address spaces, NMIs and interrupts, and any nesting';

/** Proves a design on a worker. Without an answer when the pool was stopped. */
export async function proveDesign(pool: WorkerPool, request: Omit<ProveTask, 'kind'>): Promise<ProveResult> {
  const { design } = request;
  const again = `${commandName()} prove --design ${design}`;
  const proved = await pool.run<'prove'>({ kind: 'prove', ...request });
  if (proved === undefined) return { ...NOTHING, design, again };
  const { verdict, views, sleepers, nesting, cpusOfView, crossing, bounds, exploration, obstacle, seconds } = proved;
  const property = exploration?.property === undefined ? undefined : modelPropertySlug(exploration.property);
  return {
    design,
    verdict,
    ...(property === undefined ? {} : { property }),
    views,
    sleepers,
    nesting,
    cpusOfView,
    crossing,
    seconds: rounded(seconds),
    ...(bounds === undefined ? {} : { bounds }),
    ...(exploration?.trace === undefined ? {} : { trace: exploration.trace.map((instance) => actionOf(instance)) }),
    ...(obstacle === undefined ? {} : { obstacle }),
    message: headline(verdict, property, obstacle?.what),
    again,
  };
}

const NOTHING = {
  verdict: 'unknown',
  views: 0,
  sleepers: 0,
  nesting: 0,
  cpusOfView: 1,
  crossing: [],
  seconds: 0,
  message: 'no verdict: interrupted',
} as const;

function headline(verdict: ProveResult['verdict'], property: string | undefined, obstacle = ''): string {
  switch (verdict) {
    case 'proved':
      return `proved for ${ANY_SIZE}`;
    case 'violated':
      return `${property} is violated`;
    case 'unknown':
      return `no verdict: ${obstacle}, as far as the proof can tell, and no small system shows it`;
  }
}

/** `5,774 values of a CPU with its thread and 11 of a sleeping thread, up to renaming; nesting at most 6`. */
function invariantInWords({
  views,
  sleepers,
  nesting,
  cpusOfView,
}: Pick<ProveResult, 'views' | 'sleepers' | 'nesting' | 'cpusOfView'>): string {
  const of = cpusOfView === 1 ? 'a CPU with its thread' : `${cpusOfView} CPUs with their threads`;
  return `${counted(views, 'value')} of ${of} and ${counted(sleepers, 'value')} of a sleeping thread, up to renaming; nesting at most ${nesting}`;
}

/** The proof for people. */
export function proofInWords(result: ProveResult): string[] {
  const { design, message, verdict, property, crossing, seconds, bounds, trace, obstacle } = result;
  const lines = [`${design}: ${message}`];
  if (verdict === 'proved')
    lines.push(
      `  invariant ${invariantInWords(result)}`,
      `  crossing  ${crossing.length === 0 ? 'no rule asks' : `only ${crossing.join(' and ')} ask`} for more than one CPU with its thread`,
    );
  if (obstacle !== undefined)
    lines.push(
      ...(obstacle.element === undefined ? [] : [`  element   ${obstacle.element}`]),
      `  open      ${obstacle.open.join(', ') || 'nothing'}`,
      `  needed    ${obstacle.refine}`,
    );
  if (property !== undefined) lines.push(`  meaning   ${explain(property).violated}`);
  if (bounds !== undefined) lines.push(`  bounds    the smallest that show it: ${boundsInWords(bounds)}`);
  lines.push(`  time      ${seconds} s`);
  if (trace === undefined || bounds === undefined) return lines;
  if (trace.length === 0) return [...lines, '  trace     none is needed: the initial state is wrong'];
  const steps = trace.map((action, i) => `  ${String(i + 1).padStart(8)}  ${actionName(action, bounds)}`);
  return [...lines, `  trace     the shortest there, ${counted(steps.length, 'action')}:`, ...steps];
}
