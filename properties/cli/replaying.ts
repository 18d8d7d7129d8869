/**
 * Replays one saved case. The trace is what counts: a case whose image has changed is replayed all the same, and only where the image is the very same must
 * the machine also go through the very same states.
 */
import { readFileSync } from 'node:fs';
import { type Counterexample, designName, imageHash } from '../../counterexamples/format';
import { readCounterexample } from '../../counterexamples/store';
import { BadInputError, badInputMessage } from '../campaign-pool/bad-input';
import { openSubject } from '../campaign-pool/open-subject';
import { designImage, imageFile } from '../designs/registry';
import { type ReplayResult, replayCase } from '../exploration/campaign';
import type { Subject } from '../exploration/subject';
import { narrate } from '../report/narrator';

/** What `replay --json` answers for one file; the keys are a contract. */
export interface Replayed {
  readonly file: string;
  readonly verdict: ReplayResult['verdict'] | 'invalid';
  readonly property?: string;
  readonly step?: number;
  readonly message?: string;
}

export interface ReplayedFile {
  readonly result: Replayed;
  /** The trace step by step, if it was asked for. */
  readonly narration: readonly string[];
}

/** Replays a file. Whatever is wrong with the file is in the answer, so that the other files get theirs. */
export function replayFile(file: string, step: boolean): ReplayedFile {
  try {
    const saved = readCounterexample(file);
    const subject = subjectOf(saved, file);
    const { verdict, property, step: done, message } = judged(subject, saved);
    const result = { file, verdict, ...(property === undefined ? {} : { property }), step: done, message };
    return { result, narration: step ? narrate(subject, saved) : [] };
  } catch (error) {
    const message = badInputMessage(error);
    if (message === undefined) throw error;
    return { result: { file, verdict: 'invalid', message }, narration: [] };
  }
}

/** The guest of the case, booted as it was then. */
function subjectOf(saved: Counterexample, file: string): Subject {
  const design = designName(saved);
  const { elf } = saved.image;
  if (elf === undefined && designImage(design) === undefined)
    throw new BadInputError(
      `${file}: expected a case of a design that there is, found ${design}; pti-check designs lists them`,
    );
  const { cpus, tasks, mms } = saved.bounds;
  const own = elf === undefined ? {} : { elf: { name: file, bytes: Buffer.from(elf, 'base64') } };
  return openSubject({ design, boot: { cpus, tasks, mms }, ...own });
}

function isSameImage(saved: Counterexample): boolean {
  return saved.image.elf !== undefined || imageHash(readFileSync(imageFile(designName(saved)))) === saved.image.sha256;
}

function judged(subject: Subject, saved: Counterexample): ReplayResult {
  const result = replayCase(subject, saved);
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
