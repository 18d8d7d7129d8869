/**
 * The answer to one proof, in JSON and in words.
 */
import writeFileAtomic from 'write-file-atomic';
import type { Action } from '../../counterexamples/format';
import type { Bounds } from '../../model/checker/language/schema-types';
import { modelPropertySlug } from '../../model/property-names';
import { BadInputError } from '../bad-input';
import type { Answers, ProveTask } from '../campaign/tasks';
import type { WorkerPool } from '../campaign/worker-pool';
import { explain } from '../report/explain';
import { actionName, boundsInWords } from '../report/names';
import { counted, grouped } from '../report/numbers';
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
  /** With --cutoff and a proof: how many of these values a system of this size has. */
  readonly cutoff?: Answers['prove']['cutoff'];
  /** With --certificate: the file. Without a proof it is not written. */
  readonly certificate?: { readonly file: string; readonly isWritten: boolean; readonly bytes: number };
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

/**
 * Writes the certificate, if there is one, in one step: whoever looks at the file sees all of it or none. Throws
 * BadInputError.
 */
function certificateFile(file: string, text: string | undefined): NonNullable<ProveResult['certificate']> {
  if (text === undefined) return { file, isWritten: false, bytes: 0 };
  try {
    writeFileAtomic.sync(file, text);
    return { file, isWritten: true, bytes: text.length };
  } catch (error) {
    throw new BadInputError(`expected to write ${file}, found ${(error as Error).message}`);
  }
}

const ANY_SIZE = 'any number of CPUs, tasks, address spaces, NMIs and interrupts, and any nesting';

/** What is proved, and the file to which its certificate is to be written. */
interface ProveRequest extends Omit<ProveTask, 'kind' | 'certificate'> {
  readonly certificate?: string;
}

/** Proves a design on a worker. Without an answer when the pool was stopped. */
export async function proveDesign(pool: WorkerPool, { certificate, ...request }: ProveRequest): Promise<ProveResult> {
  const { design } = request;
  const again = `${commandName()} prove --design ${design}${request.cutoff ? ' --cutoff' : ''}`;
  const proved = await pool.run<'prove'>({ kind: 'prove', ...request, certificate: certificate !== undefined });
  if (proved === undefined) return { ...NOTHING, design, again };
  const { verdict, views, sleepers, nesting, cpusOfView, crossing, cutoff, bounds, exploration, obstacle, seconds } =
    proved;
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
    ...(cutoff === undefined ? {} : { cutoff }),
    ...(certificate === undefined ? {} : { certificate: certificateFile(certificate, proved.certificate) }),
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

function cutoffInWords({ size, met, of }: NonNullable<ProveResult['cutoff']>): string {
  const system = `${counted(size.cpus, 'CPU')}, ${counted(size.tasks, 'task')} and ${counted(size.mms, 'address space')}`;
  const some = met === 0 ? 'it cannot be told which of these values' : `${grouped(met)} of these ${grouped(of)} values`;
  return met === of ? `${system} have all of these ${grouped(of)} values` : `${some} ${system} have`;
}

/** The proof for people. */
export function proofInWords(result: ProveResult): string[] {
  const { design, message, verdict, property, crossing, cutoff, certificate, seconds, bounds, trace, obstacle } =
    result;
  const lines = [`${design}: ${message}`];
  if (verdict === 'proved')
    lines.push(
      `  invariant ${invariantInWords(result)}`,
      `  crossing  ${crossing.length === 0 ? 'no rule asks' : `only ${crossing.join(' and ')} ask`} for more than one CPU with its thread`,
    );
  if (cutoff !== undefined) lines.push(`  cutoff    ${cutoffInWords(cutoff)}`);
  if (certificate !== undefined) {
    const { file, isWritten, bytes } = certificate;
    lines.push(
      `  certificate ${isWritten ? `in ${file}, ${counted(bytes, 'byte')}` : 'none: there is no proof, and no file is written'}`,
    );
  }
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
