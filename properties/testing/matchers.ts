/**
 * What a test asserts of entry code, as matchers for Jest (`jest.ts` registers them): the message of one that fails
 * says all that `fuzz` says. It names the property and the seed, tells the shrunk trace, and ends with the line that
 * replays it; the case is in a file by then.
 */
import { readFileSync } from 'node:fs';
import { type Action, type Counterexample, designName } from '../../counterexamples/format';
import { saveCounterexample } from '../../counterexamples/store';
import { replayCase, toCounterexample } from '../campaign/case';
import { type Failure, shrinkFailure } from '../campaign/failure';
import { campaignRun, type FailedWalk } from '../campaign/run';
import type { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import { Coverage, sweep } from '../exploration/sweep';
import { propertyLabel } from '../report/explain';
import { actionName } from '../report/names';
import { counted } from '../report/numbers';
import { propertySlug } from '../safety/index';
import type { Walk } from '../trace/walk';

/** Where a failing test leaves the case, relative to the working directory. */
const DEFAULT_FOLDER = 'pti-check-found';

/** A test that fails is not kept waiting longer for its trace, ms. */
const SHRINKING_MS = 2500;
/** Actions that a message tells, the last ones of the trace. */
const TOLD_ACTIONS = 16;

/** Random runs 0 .. runs-1 of the campaign with the given seed, the same that `fuzz --seed SEED --runs RUNS` does. */
export interface Plan {
  readonly seed: string;
  readonly runs: number;
  /** Afterwards an NMI and an IRQ at every instruction boundary. Default: no. */
  readonly sweep?: boolean;
  /** Folder for the case. */
  readonly save?: string;
}

/** A walk that was made otherwise, by a sweep or by hand; undefined or without a failure if all went well. */
interface Walked {
  readonly subject: Subject;
  readonly walk: Walk | undefined;
  readonly save?: string;
}

/** What Jest wants of a matcher. */
export interface Matched {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The subject holds in the random runs of a plan, or the walk did not fail. */
export function toPass(received: Subject | Walked, plan?: Plan): Matched {
  if ('walk' in received) {
    const { subject, walk, save } = received;
    const failed: FailedWalk | undefined =
      walk?.failure === undefined ? undefined : { walk, strategy: 'sweep', run: 0 };
    return held(subject, failed, undefined, save, 'in this walk');
  }
  if (plan === undefined) throw new TypeError('expected a plan ({ seed, runs }) for a subject, found none');
  const failed = firstFailure(received, plan, () => true);
  return held(received, failed, plan.seed, plan.save, planInWords(plan));
}

function held(
  subject: Subject,
  failed: FailedWalk | undefined,
  seed = '',
  save = DEFAULT_FOLDER,
  where: string,
): Matched {
  const expected = `expected ${nameOf(subject)} to hold ${where}`;
  if (failed === undefined) return { pass: true, message: () => `${expected} not, found that it does` };
  // At once, not when the message is asked for: the case is worth more than the message.
  const lines = failureInWords(subject, failed, seed, save);
  return { pass: false, message: () => [`${expected}, found in ${finder(failed)}:`, ...lines].join('\n') };
}

/** The first walk that violates a property violates this one. A divergence before it does not count. */
export function toViolate(subject: Subject, slug: string, plan: Plan): Matched {
  const failed = firstFailure(subject, plan, (walk) => walk.failure?.kind === 'violated');
  const failure = failed?.walk.failure;
  const found = failure?.kind === 'violated' ? propertySlug(failure.property) : undefined;
  const expected = `expected ${nameOf(subject)} to violate ${named(slug)} ${planInWords(plan)}`;
  if (failed === undefined) return { pass: false, message: () => `${expected}, found that nothing is violated` };
  if (found === slug) return { pass: true, message: () => `${expected} not, found that it does` };
  const lines = failureInWords(subject, failed, plan.seed, plan.save ?? DEFAULT_FOLDER);
  return { pass: false, message: () => [`${expected}, found in ${finder(failed)}:`, ...lines].join('\n') };
}

/** The saved case fails on the subject as it did when it was saved, at the same action. `file`: where it is kept. */
export function toReproduce(subject: Subject, saved: Counterexample, file: string): Matched {
  const { verdict, step, message } = replayCase(subject, saved);
  const pass = verdict === 'reproduced' && step === saved.expected.step;
  const { property, origin, actions } = saved;
  const lines = [
    `expected ${designName(saved)} ${pass ? 'not to fail' : 'to fail'} by ${named(property)} after ${counted(saved.expected.step, 'action')}, found ${verdict} after ${step}:`,
    `  found     ${message}`,
    `  seed      ${origin.seed}, run ${origin.run}`,
    ...traceInWords(subject, actions),
    `  watch it  ${replayLine(file)}`,
  ];
  return { pass, message: () => lines.join('\n') };
}

function firstFailure(subject: Subject, plan: Plan, counts: (walk: Walk) => boolean): FailedWalk | undefined {
  for (let run = 0; run < plan.runs; run++) {
    const { failed } = campaignRun(subject, plan.seed, run);
    if (failed !== undefined && counts(failed.walk)) return failed;
  }
  if (plan.sweep !== true) return undefined;
  const { failure } = sweep(subject.system, new Coverage());
  return failure !== undefined && counts(failure) ? { walk: failure, strategy: 'sweep', run: 0 } : undefined;
}

function failureInWords(subject: Subject, failed: FailedWalk, seed: string, folder: string): string[] {
  const end = performance.now() + SHRINKING_MS;
  const failure = shrinkFailure(subject, failed, { shouldStop: () => performance.now() > end });
  const { design, elf } = subject.name;
  const bytes = elf?.bytes ?? readFileSync(imageFile(design));
  const date = new Date().toISOString().slice(0, 10);
  const file = saveCounterexample(folder, toCounterexample(subject, failure, seed, bytes, date)).path;
  const { replay } = failure;
  return [
    `  found     ${whatInWords(failure)}: ${failure.message}`,
    ...(seed === '' ? [] : [`  seed      ${seed}, run ${failure.run}`]),
    ...traceInWords(subject, failure.actions),
    `  shrunk    from ${counted(failure.found, 'transition')} to ${failure.shrunk}${failure.unfinished ? ', stopped early' : ''}`,
    `  saved     ${file}`,
    `  watch it  ${replayLine(file)}`,
    ...(replay === undefined ? [] : [`  fast-check { seed: ${replay.seed}, path: "${replay.path}" }`]),
  ];
}

function whatInWords({ property, field }: Failure): string {
  return property === undefined ? `left its abstract machine in the field ${field}` : named(property);
}

function named(slug: string): string {
  return `${slug} ${propertyLabel(slug)}`.trim();
}

function traceInWords({ bounds }: Subject, actions: readonly Action[]): string[] {
  const from = Math.max(0, actions.length - TOLD_ACTIONS);
  const told = actions.slice(from).map((action, i) => {
    const number = String(from + i + 1).padStart(3);
    return `    ${number}  c${action.cpu}  ${actionName(action, bounds)}`;
  });
  const left = from === 0 ? '' : `, the last ${TOLD_ACTIONS}`;
  return [`  trace     ${counted(actions.length, 'action')}${left}`, ...told];
}

function replayLine(file: string): string {
  return `npx pti-check replay --step ${/^[\w./:+@-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`}`;
}

function finder({ strategy, run }: FailedWalk): string {
  return strategy === 'random' ? `run ${run}` : 'the walk';
}

function planInWords({ seed, runs, sweep: swept }: Plan): string {
  return `in ${counted(runs, 'random run')}${swept ? ' and the sweep' : ''} of seed ${JSON.stringify(seed)}`;
}

function nameOf({ name }: Subject): string {
  return name.elf === undefined ? name.design : `${name.elf.name} (judged as ${name.design})`;
}
