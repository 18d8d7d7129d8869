/**
 * Replays one saved case. The trace is what counts: a case whose image has changed is replayed all the same, and only
 * where the image is the very same must the machine also go through the very same states.
 */
import { readFileSync } from 'node:fs';
import { type Counterexample, designName, imageHash } from '../../counterexamples/format';
import { readCounterexample, readKernelCase } from '../../counterexamples/store';
import { extentOf } from '../../model/checker/language/schema-types';
import { RULES } from '../../model/rules';
import { BadInputError, badInputMessage } from '../bad-input';
import { type ReplayResult, replayCase } from '../campaign/case';
import { openSubject } from '../campaign/open-subject';
import type { Subject } from '../campaign/subject';
import { designOf } from '../designs/design-file';
import { designImage, imageFile } from '../designs/images';
import type { KernelStep } from '../report/kernel-steps';
import { narrateReplay } from '../report/narrator';
import { type StepJson, stepJson } from '../report/step-json';
import { recordSteps } from '../report/step-record';
import { propertyNumber } from '../safety/index';
import { ANY_RULE } from '../trace/change';
import { commandName, propertyWords, quoted } from './output';

function kernels(): typeof import('./kernel-replaying') {
  // biome-ignore lint/style/noCommonJs: loaded late, because few cases are of a kernel
  return require('./kernel-replaying');
}

/** What `replay --json` answers for one file; the keys are a contract. */
export interface Replayed {
  readonly file: string;
  readonly verdict: ReplayResult['verdict'] | 'invalid';
  readonly property?: string;
  readonly step?: number;
  /** The field in which the machine left the abstract machine, if the trace ended so. */
  readonly field?: string;
  readonly message?: string;
  /** The command that does this again, step by step. */
  readonly again?: string;
  /** With --step: what each action did. */
  readonly steps?: readonly StepJson[];
  /** The same, of a case of a kernel. */
  readonly kernelSteps?: readonly KernelStep[];
}

export interface ReplayedFile {
  readonly result: Replayed;
  /** The trace step by step, if it was asked for. */
  readonly narration: readonly string[];
}

/** Replays a file. Whatever is wrong with the file is in the answer, so that the other files get theirs. */
export function replayFile(
  file: string,
  step: boolean,
  properties: readonly string[] = [],
  kernel?: string | undefined,
): ReplayedFile {
  try {
    const ofKernel = readKernelCase(file);
    if (ofKernel !== undefined) return kernels().replayKernelFile(file, ofKernel, kernel, step);
    const saved = readCounterexample(file);
    checkRules(saved, file);
    checkProperty(saved, file);
    const subject = subjectOf(saved, file);
    const { field, ...judgement } = judged(subject, saved);
    const result = {
      file,
      ...judgement,
      ...(field === undefined ? {} : { field }),
      again: [`${commandName()} replay --step ${quoted(file)}`, ...propertyWords(properties)].join(' '),
    };
    if (!step) return { result, narration: [] };
    const replay = recordSteps(subject, saved.actions);
    const steps = replay.steps.map((record) => stepJson(record, subject.bounds));
    return { result: { ...result, steps }, narration: narrateReplay(subject, saved, replay) };
  } catch (error) {
    const message = badInputMessage(error);
    if (message === undefined) throw error;
    return { result: { file, verdict: 'invalid', message }, narration: [] };
  }
}

/** Rules that no abstract machine has would never be enabled, and the case would pass. */
function checkRules({ actions, bounds }: Counterexample, file: string): void {
  for (const [i, action] of actions.entries()) {
    if (action.action !== 'step' || action.rule === ANY_RULE) continue;
    const { rule: name, args = [] } = action;
    const rule = RULES.find((one) => one.name === name);
    if (rule === undefined)
      throw new BadInputError(
        `${file}: expected a rule of the abstract machine in actions[${i}].rule, found "${name}"; restore the file, or replay it with the pti-check that saved it`,
      );
    const sorts = rule.params.slice(1);
    const wrong = args.findIndex((arg, k) => sorts[k] === undefined || arg >= extentOf(sorts[k], bounds));
    if (wrong >= 0)
      throw new BadInputError(
        `${file}: expected actions[${i}].args to fit ${[name, ...sorts].join(' ')} at the bounds of the case, found ${args[wrong]}; restore the file`,
      );
  }
}

/** A property that nobody asks never fails, and the case would pass. */
function checkProperty({ property }: Counterexample, file: string): void {
  if (property === 'refinement' || propertyNumber(property) !== undefined) return;
  throw new BadInputError(
    `${file}: expected a property of this pti-check, found "${property}"; if it is one of your own, name its file with --property`,
  );
}

/** The guest of the case, booted as it was then. */
function subjectOf(saved: Counterexample, file: string): Subject {
  const { elf } = saved.image;
  const own = elf === undefined ? {} : { elf: { name: file, bytes: Buffer.from(elf, 'base64') } };
  const { cpus, tasks, mms } = saved.bounds;
  const boot = { cpus, tasks, mms };
  if (saved.table !== undefined)
    return openSubject({ design: saved.design, table: designOf(saved.table, file), boot, ...own });
  const design = designName(saved);
  if (elf === undefined && designImage(design) === undefined)
    throw new BadInputError(
      `${file}: expected a case of a design that there is, found ${design}; ${commandName()} designs lists them`,
    );
  return openSubject({ design, boot, ...own });
}

function isSameImage(saved: Counterexample): boolean {
  return saved.image.elf !== undefined || imageHash(readFileSync(imageFile(designName(saved)))) === saved.image.sha256;
}

type Judged = ReplayResult & { readonly field?: string };

/** The replay, with the field of the divergence that it ended with. */
function replayed(subject: Subject, saved: Counterexample): Judged {
  const result = replayCase(subject, saved);
  const { diverged } = subject.system;
  return result.property === undefined && diverged !== undefined ? { ...result, field: diverged.field } : result;
}

function judged(subject: Subject, saved: Counterexample): Judged {
  const result = replayed(subject, saved);
  if (!isSameImage(saved))
    return {
      ...result,
      message: `${result.message} (the image has changed since the case was saved, so its states are not compared)`,
    };
  if (result.verdict !== 'reproduced') return result;
  const step = firstDifference(subject, saved);
  if (step === undefined) return result;
  const message = `the failure is the same, but on the same image the state after step ${step} is not: expected ${saved.expected.fingerprints[step]}; the emulator has changed since the case was saved`;
  return { ...result, verdict: 'diverged', step, message };
}

/** The first step after which the machine is not in the state that the case recorded. */
function firstDifference(
  { system }: Subject,
  { actions, expected: { fingerprints } }: Counterexample,
): number | undefined {
  system.reset();
  for (const [i, fingerprint] of fingerprints.entries()) {
    if (i > 0) system.perform(actions[i - 1]);
    if (system.fingerprint() !== fingerprint) return i;
  }
  return undefined;
}
